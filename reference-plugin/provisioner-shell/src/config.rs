//! What the user writes, and what it becomes when it is in order.
use std::path::{Path, PathBuf};

use packwire_plugin::{Context, Diagnostic, machine::quoted};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::execute::ExecuteCommand;

const DEFAULT_SHEBANG: &str = "/bin/sh -e";
const DEFAULT_COMMAND: &str = "chmod +x {{.Path}}; {{.Vars}} {{.Path}}";

/// Exactly one of `inline`, `script` and `scripts` is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("examples" = [
    {"inline": ["echo hello", "uname -a"]},
    {"inline": ["exit 3"], "valid_exit_codes": [0, 3], "environment_vars": ["STAGE=test"]},
    {"inline": ["id"], "execute_command": "sudo env {{ .Vars }} sh {{ .Path }}"},
]))]
pub(crate) struct Config {
    /// Lines of one script.
    #[schemars(length(min = 1))]
    inline: Option<Vec<String>>,
    /// A script on the host, relative to its working directory.
    #[schemars(length(min = 1))]
    script: Option<String>,
    /// Scripts on the host, run one after another.
    #[schemars(length(min = 1))]
    scripts: Option<Vec<String>>,
    /// What follows `#!` in the script of `inline`.
    #[serde(default = "default_shebang")]
    inline_shebang: String,
    /// Variables for the scripts, each `NAME=value`.
    #[serde(default)]
    environment_vars: Vec<String>,
    /// How a script is run: `{{ .Path }}` is where it is on the machine, `{{ .Vars }}` its variables.
    #[serde(default = "default_command")]
    execute_command: String,
    /// The exit statuses that are no failure.
    #[serde(default = "default_exit_codes")]
    #[schemars(length(min = 1))]
    valid_exit_codes: Vec<i32>,
    /// Whether scripts are sent as they are; otherwise their line ends become those of Unix.
    #[serde(default)]
    binary: bool,
}

fn default_shebang() -> String {
    DEFAULT_SHEBANG.to_owned()
}

fn default_command() -> String {
    DEFAULT_COMMAND.to_owned()
}

fn default_exit_codes() -> Vec<i32> {
    vec![0]
}

/// Scripts that are ready to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) scripts: Vec<Script>,
    pub(crate) vars: String,
    pub(crate) command: ExecuteCommand,
    pub(crate) valid_exit_codes: Vec<i32>,
    pub(crate) binary: bool,
}

/// One script.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Script {
    Inline(String),
    File(PathBuf),
}

impl Plan {
    pub(crate) fn of(config: Config, context: &Context) -> Result<Self, Vec<Diagnostic>> {
        let Config {
            inline,
            script,
            scripts,
            inline_shebang,
            environment_vars,
            execute_command,
            valid_exit_codes,
            binary,
        } = config;
        let mut problems = Vec::new();
        check_one_source(&inline, &script, &scripts, &mut problems);
        let mut all = Vec::new();
        all.extend(inline.map(|lines| Script::Inline(format!("#!{inline_shebang}\n{}\n", lines.join("\n")))));
        let single = script.map(|path| ("/script".to_owned(), path));
        let several = scripts.unwrap_or_default();
        let several = several.into_iter().enumerate().map(|(at, path)| (format!("/scripts/{at}"), path));
        for (place, path) in single.into_iter().chain(several) {
            let path = Path::new(&context.working_dir).join(path);
            problems.extend(check_script(&path).map(|what| Diagnostic::error(what).at(place)));
            all.push(Script::File(path));
        }
        let given = environment_vars.iter().enumerate();
        problems.extend(
            given.filter_map(|(at, one)| Some(check_var(one)?.at(format!("/environment_vars/{at}")))),
        );
        let command = ExecuteCommand::parse(&execute_command);
        match command {
            Ok(command) if problems.is_empty() => {
                let vars = vars(&environment_vars, context);
                Ok(Self { scripts: all, vars, command, valid_exit_codes, binary })
            }
            command => {
                problems.extend(command.err().map(|what| Diagnostic::error(what).at("/execute_command")));
                Err(problems)
            }
        }
    }
}

fn check_one_source(
    inline: &Option<Vec<String>>,
    script: &Option<String>,
    scripts: &Option<Vec<String>>,
    problems: &mut Vec<Diagnostic>,
) {
    let given = [("inline", inline.is_some()), ("script", script.is_some()), ("scripts", scripts.is_some())];
    let given: Vec<_> = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect();
    match given[..] {
        [_] => {}
        [] => problems
            .push(Diagnostic::error("one of `inline`, `script` and `scripts` is needed").at("/inline")),
        [first, .., last] => problems.push(
            Diagnostic::error(format!("`{first}` and `{last}` exclude each other")).at(format!("/{last}")),
        ),
    }
}

fn check_script(path: &Path) -> Option<String> {
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => None,
        Ok(_) => Some(format!("{} is no file", path.display())),
        Err(error) => Some(format!("{} cannot be read: {error}", path.display())),
    }
}

/// What is wrong with a variable; never its value.
fn check_var(one: &str) -> Option<Diagnostic> {
    let name = one.split_once('=').map(|(name, _)| name);
    let letter = |byte: u8| byte == b'_' || byte.is_ascii_alphabetic();
    let is_name = |name: &str| {
        name.bytes().next().is_some_and(letter)
            && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
    };
    (!name.is_some_and(is_name))
        .then(|| Diagnostic::error("is not `NAME=value`, with a name that a shell takes"))
}

/// The variables as the shell takes them before a command.
fn vars(given: &[String], context: &Context) -> String {
    let own = [("PACKER_BUILD_NAME", &*context.build_name), ("PACKER_BUILDER_TYPE", &*context.builder_type)];
    let given = given.iter().filter_map(|one| one.split_once('='));
    let all = own.into_iter().chain(given).map(|(name, value)| format!("{name}={}", quoted(value)));
    all.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(config: &str) -> Result<Plan, String> {
        let context = Context { build_name: "b".into(), builder_type: "null".into(), ..Context::default() };
        let read = packwire_plugin::config::read(config).and_then(|config| Plan::of(config, &context));
        read.map_err(|problems| {
            problems.iter().map(|one| format!("{}: {}", one.path, one.summary)).collect::<Vec<_>>().join("\n")
        })
    }

    #[test]
    fn inline_lines_are_one_script_that_stops_at_the_first_failure() {
        let plan = plan(r#"{"inline": ["a", "b"], "environment_vars": ["X=it's=1"]}"#).unwrap();
        assert_eq!(plan.scripts, [Script::Inline("#!/bin/sh -e\na\nb\n".to_owned())]);
        assert_eq!(plan.vars, r"PACKER_BUILD_NAME='b' PACKER_BUILDER_TYPE='null' X='it'\''s=1'");
    }

    #[test]
    fn all_problems_are_found_together() {
        let config = r#"{"inline": ["a"], "scripts": ["/nowhere/x"], "environment_vars": ["A=1", "hunter2", "1A=2"],
            "execute_command": "{{ .Script }}"}"#;
        let told = plan(config).unwrap_err();
        assert!(!told.contains("hunter2"), "a value may be a secret");
        insta::assert_snapshot!(told, @r#"
        /scripts: `inline` and `scripts` exclude each other
        /scripts/0: /nowhere/x cannot be read: No such file or directory (os error 2)
        /environment_vars/1: is not `NAME=value`, with a name that a shell takes
        /environment_vars/2: is not `NAME=value`, with a name that a shell takes
        /execute_command: `{{ .Script }}` means nothing here: `{{ .Vars }}` and `{{ .Path }}` do
        "#);
    }

    #[test]
    fn something_is_to_be_run() {
        assert_eq!(plan("{}").unwrap_err(), "/inline: one of `inline`, `script` and `scripts` is needed");
        assert!(plan(r#"{"inline": []}"#).is_err());
    }

    #[test]
    fn options_that_are_not_there_yet_are_refused() {
        let told = plan(r#"{"inline": ["a"], "remote_folder": "/x"}"#).unwrap_err();
        assert_eq!(told, "/remote_folder: there is no option `remote_folder`");
    }
}
