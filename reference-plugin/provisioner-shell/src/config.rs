//! What the user writes, and what it becomes when it is in order.
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use packwire_plugin::{
    Context, Diagnostic,
    config::Length,
    variables::{FILE_FORMAT, LINE_FORMAT, Options, Variables},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{execute::ExecuteCommand, remote::Remote, script::Script};

const DEFAULT_SHEBANG: &str = "/bin/sh -e";
const DEFAULT_COMMAND: &str = "chmod +x {{.Path}}; {{.Vars}} {{.Path}}";
const DEFAULT_COMMAND_WITH_FILE: &str = "chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}";
const DEFAULT_PATIENCE: Length = Length(Duration::from_secs(300));

/// Exactly one of `inline`, `script` and `scripts` is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("examples" = [
    {"inline": ["echo hello", "uname -a"]},
    {"inline": ["exit 3"], "valid_exit_codes": [0, 3], "environment_vars": ["STAGE=test"]},
    {"inline": ["id"], "execute_command": "sudo env {{ .Vars }} sh {{ .Path }}"},
    {"inline": ["login --token \"$TOKEN\""], "env": {"TOKEN": "secret"}, "use_env_var_file": true},
    {"inline": ["reboot"], "expect_disconnect": true, "start_retry_timeout": "10m", "pause_after": "30s"},
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
    /// Variables for the scripts, by their names.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// How a variable is written: two `%s`, for its name and for its value between single quotes. By default
    /// `%s='%s' `, and `export %s='%s'` with a line end where they go into a file.
    env_var_format: Option<String>,
    /// Whether the variables go through a file, which nobody else on the machine can read, and not through the
    /// arguments of a command.
    #[serde(default)]
    use_env_var_file: bool,
    /// How a script is run: `{{ .Path }}` is where it is on the machine, `{{ .Vars }}` its variables,
    /// `{{ .EnvVarFile }}` a file with them.
    execute_command: Option<String>,
    /// The directory on the machine for scripts; its `TMPDIR`, or `/tmp`, by default.
    #[schemars(length(min = 1))]
    remote_folder: Option<String>,
    /// The name of a script there; a fresh one by default.
    #[schemars(length(min = 1))]
    remote_file: Option<String>,
    /// Where a script goes on the machine, instead of `remote_folder` and `remote_file`.
    #[schemars(length(min = 1))]
    remote_path: Option<String>,
    /// Whether scripts stay on the machine.
    #[serde(default)]
    skip_clean: bool,
    /// Whether a connection that breaks while a script runs is no failure, as when it restarts the machine.
    #[serde(default)]
    expect_disconnect: bool,
    /// How long a machine that does not answer is waited for before a script.
    #[serde(default = "default_patience")]
    start_retry_timeout: Length,
    /// How long to wait after the last script.
    #[serde(default)]
    pause_after: Length,
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

fn default_patience() -> Length {
    DEFAULT_PATIENCE
}

fn default_exit_codes() -> Vec<i32> {
    vec![0]
}

impl Config {
    /// What is said to no effect.
    pub(crate) fn needless(&self) -> Vec<Diagnostic> {
        let mut needless = Vec::new();
        let has_variables = !self.environment_vars.is_empty() || !self.env.is_empty();
        let command = self.execute_command.as_deref().and_then(|text| ExecuteCommand::parse(text).ok());
        if has_variables && command.is_some_and(|command| !command.passes_vars()) {
            let place = if self.use_env_var_file { "{{ .EnvVarFile }}" } else { "{{ .Vars }}" };
            let told = format!("scripts run without their variables: it has no `{place}`");
            needless.push(Diagnostic::warning(told).at("/execute_command"));
        }
        let beside = [("remote_folder", &self.remote_folder), ("remote_file", &self.remote_file)];
        for (key, _) in beside.iter().filter(|(_, given)| given.is_some() && self.remote_path.is_some()) {
            let told = format!("`{key}` has no effect beside `remote_path`");
            needless.push(Diagnostic::warning(told).at(format!("/{key}")));
        }
        needless
    }
}

/// Scripts that are ready to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) scripts: Vec<Script>,
    pub(crate) vars: Variables,
    pub(crate) use_env_var_file: bool,
    pub(crate) command: ExecuteCommand,
    pub(crate) remote: Remote,
    pub(crate) skip_clean: bool,
    pub(crate) expect_disconnect: bool,
    pub(crate) pause_after: Length,
    pub(crate) valid_exit_codes: Vec<i32>,
    pub(crate) binary: bool,
}

impl Plan {
    pub(crate) fn of(config: Config, context: &Context) -> Result<Self, Vec<Diagnostic>> {
        let Config { inline, script, scripts, inline_shebang, binary, valid_exit_codes, .. } = &config;
        let mut problems = Vec::new();
        check_one_source(inline, script, scripts, &mut problems);
        let inline = inline.as_ref().map(|lines| format!("#!{inline_shebang}\n{}\n", lines.join("\n")));
        let files = files(script, scripts, context, &mut problems);
        let all = inline.map(Script::Inline).into_iter().chain(files.into_iter().map(Script::File)).collect();
        let default = if config.use_env_var_file { FILE_FORMAT } else { LINE_FORMAT };
        let options = Options {
            environment_vars: &config.environment_vars,
            env: &config.env,
            env_var_format: config.env_var_format.as_deref().unwrap_or(default),
        };
        let vars = Variables::of(options, context, &mut problems);
        let command = command(&config, &mut problems);
        let (Some(vars), Some(command), true) = (vars, command, problems.is_empty()) else {
            return Err(problems);
        };
        Ok(Self {
            scripts: all,
            vars,
            use_env_var_file: config.use_env_var_file,
            command,
            skip_clean: config.skip_clean,
            expect_disconnect: config.expect_disconnect,
            pause_after: config.pause_after,
            valid_exit_codes: valid_exit_codes.clone(),
            binary: *binary,
            remote: Remote {
                folder: config.remote_folder,
                file: config.remote_file,
                path: config.remote_path,
                patience: config.start_retry_timeout,
            },
        })
    }
}

fn files(
    script: &Option<String>,
    scripts: &Option<Vec<String>>,
    context: &Context,
    problems: &mut Vec<Diagnostic>,
) -> Vec<PathBuf> {
    let single = script.iter().map(|path| ("/script".to_owned(), path));
    let several = scripts.iter().flatten().enumerate().map(|(at, path)| (format!("/scripts/{at}"), path));
    let mut files = Vec::new();
    for (place, path) in single.chain(several) {
        let path = Path::new(&context.working_dir).join(path);
        problems.extend(check_script(&path).map(|what| Diagnostic::error(what).at(place)));
        files.push(path);
    }
    files
}

fn command(config: &Config, problems: &mut Vec<Diagnostic>) -> Option<ExecuteCommand> {
    let default = if config.use_env_var_file { DEFAULT_COMMAND_WITH_FILE } else { DEFAULT_COMMAND };
    let wrong = match ExecuteCommand::parse(config.execute_command.as_deref().unwrap_or(default)) {
        Ok(command) if command.wants_vars_file() && !config.use_env_var_file => {
            "`{{ .EnvVarFile }}` needs `use_env_var_file`".to_owned()
        }
        Ok(command) => return Some(command),
        Err(what) => what,
    };
    problems.push(Diagnostic::error(wrong).at("/execute_command"));
    None
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
        assert_eq!(plan.vars.text("{}"), r"PACKER_BUILD_NAME='b' PACKER_BUILDER_TYPE='null' X='it'\''s=1' ");
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
        /execute_command: `{{ .Script }}` means nothing here: `{{ .Vars }}`, `{{ .EnvVarFile }}` and `{{ .Path }}` do
        "#);
    }

    #[test]
    fn what_is_said_to_no_effect_is_told() {
        let needless = |config: &str| {
            let needless = packwire_plugin::config::read::<Config>(config).unwrap().needless();
            assert!(plan(config).is_ok(), "a warning refuses nothing");
            needless.iter().map(|one| format!("{}: {}", one.path, one.summary)).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(
            needless(r#"{"inline": ["a"], "env": {"A": "1"}, "execute_command": "sh {{ .Path }}",
                "remote_path": "/a", "remote_folder": "/tmp", "remote_file": "b"}"#),
            @r"
        /execute_command: scripts run without their variables: it has no `{{ .Vars }}`
        /remote_folder: `remote_folder` has no effect beside `remote_path`
        /remote_file: `remote_file` has no effect beside `remote_path`
        "
        );
        let file = r#"{"inline": ["a"], "env": {"A": "1"}, "execute_command": "sh {{ .Path }}", "use_env_var_file": true}"#;
        assert!(needless(file).ends_with("`{{ .EnvVarFile }}`"));
        for config in [
            r#"{"inline": ["a"], "env": {"A": "1"}, "execute_command": "env {{ .Vars }} sh {{ .Path }}"}"#,
            r#"{"inline": ["a"], "env": {"A": "1"}}"#,
            r#"{"inline": ["a"], "execute_command": "sh {{ .Path }}", "remote_path": "/a"}"#,
        ] {
            assert_eq!(needless(config), "");
        }
    }

    #[test]
    fn something_is_to_be_run() {
        assert_eq!(plan("{}").unwrap_err(), "/inline: one of `inline`, `script` and `scripts` is needed");
        assert!(plan(r#"{"inline": []}"#).is_err());
    }

    #[test]
    fn lengths_formats_and_places_are_checked() {
        let wrong = [
            r#"{"inline": ["a"], "start_retry_timeout": "5 minutes"}"#,
            r#"{"inline": ["a"], "pause_after": "-1s", "env_var_format": "%s"}"#,
            r#"{"inline": ["a"], "env": {"A B": "hunter2"}, "env_var_format": "%s"}"#,
            r#"{"inline": ["a"], "execute_command": ". {{ .EnvVarFile }}"}"#,
            r#"{"inline": ["a"], "remote_folder": "", "remote_file": 3}"#,
        ];
        let told: Vec<_> = wrong.iter().map(|config| plan(config).unwrap_err()).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        /start_retry_timeout: must be a length of time, such as `30s` or `1h30m`
        /pause_after: must be a length of time, such as `30s` or `1h30m`
        /env: has a name that no shell takes
        /env_var_format: has two `%s`: for the name, and for the value
        /execute_command: `{{ .EnvVarFile }}` needs `use_env_var_file`
        /remote_folder: value is shorter than 1 character
        /remote_file: must be a string, not a number
        "#);
    }

    #[test]
    fn variables_come_from_both_places() {
        let plan = plan(r#"{"inline": ["a"], "environment_vars": ["B=2"], "env": {"A": "1"}}"#).unwrap();
        assert!(plan.vars.text("{}").ends_with("B='2' A='1' "));
        assert_eq!(plan.remote.patience, DEFAULT_PATIENCE);
    }
}
