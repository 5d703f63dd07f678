//! What the user writes, and what it becomes when it is in order.
use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use packwire_plugin::{
    Context, Diagnostic,
    dots::Dots,
    machine::quoted,
    variables::{LINE_FORMAT, Options, Variables},
};
use schemars::JsonSchema;
use serde::Deserialize;

const DEFAULT_SHEBANG: &str = "/bin/sh -e";
/// A shell also runs what has no `#!`.
const DEFAULT_COMMAND: [&str; 4] = ["/bin/sh", "-c", "exec \"$0\"", "{{.Script}}"];

/// Exactly one of `command`, `inline`, `script` and `scripts` is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("examples" = [
    {"command": "date"},
    {"inline": ["echo \"$STAGE\"", "uname -a"], "environment_vars": ["STAGE=test"]},
    {"inline": ["exit 3"], "valid_exit_codes": [0, 3], "only_on": ["linux", "darwin"]},
    {"inline": ["print('hello')"], "execute_command": ["python3", "{{ .Script }}"], "tempfile_extension": ".py"},
]))]
pub(crate) struct Config {
    /// One line.
    #[schemars(length(min = 1))]
    command: Option<String>,
    /// Lines of one script.
    #[schemars(length(min = 1))]
    inline: Option<Vec<String>>,
    /// A script, relative to the host's working directory.
    #[schemars(length(min = 1))]
    script: Option<String>,
    /// Scripts, run one after another.
    #[schemars(length(min = 1))]
    scripts: Option<Vec<String>>,
    /// What follows `#!` in the script of `command` and `inline`.
    #[serde(default = "default_shebang")]
    inline_shebang: String,
    /// Variables for the scripts, each `NAME=value`.
    #[serde(default)]
    environment_vars: Vec<String>,
    /// Variables for the scripts, by their names.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// How a variable is written in `{{ .Vars }}`: two `%s`, for its name and for its value between single quotes.
    #[serde(default = "default_format")]
    env_var_format: String,
    /// What runs a script: a program and its arguments, where `{{ .Script }}` is the script's path, and `{{ .Vars }}`
    /// its variables as a shell takes them.
    #[schemars(length(min = 1))]
    execute_command: Option<Vec<String>>,
    /// How the name of the file ends that `command` and `inline` become.
    #[serde(default)]
    tempfile_extension: String,
    /// The exit statuses that are no failure.
    #[serde(default = "default_exit_codes")]
    #[schemars(length(min = 1))]
    valid_exit_codes: Vec<i32>,
    /// The systems that it runs on; on all others, nothing happens.
    #[serde(default)]
    only_on: Vec<System>,
}

/// An operating system, as Packer calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum System {
    Linux,
    Darwin,
    Freebsd,
    Openbsd,
    Netbsd,
    Solaris,
    Windows,
}

fn default_shebang() -> String {
    DEFAULT_SHEBANG.to_owned()
}

fn default_format() -> String {
    LINE_FORMAT.to_owned()
}

fn default_exit_codes() -> Vec<i32> {
    vec![0]
}

/// Scripts that are ready to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) scripts: Vec<Script>,
    pub(crate) variables: Variables,
    pub(crate) command: Vec<Word>,
    pub(crate) tempfile_extension: String,
    pub(crate) valid_exit_codes: Vec<i32>,
    /// Whether this is one of the systems that are meant.
    pub(crate) is_meant: bool,
    pub(crate) directory: PathBuf,
}

/// A word of `execute_command`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Word(Dots<2>);

impl Word {
    fn parse(text: &str) -> Result<Self, String> {
        Dots::parse(text, ["Vars", "Script"]).map(Self)
    }

    /// The word with the variables and the script's path, which is quoted where it is a part of what a shell reads.
    pub(crate) fn fill(&self, vars: &str, script: &str) -> String {
        // No text has a NUL of its own.
        let is_script = self.0.fill(["\0", "\0\0"]) == "\0\0";
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
        let script = match is_script || script.bytes().all(plain) {
            true => script.to_owned(),
            false => quoted(script),
        };
        self.0.fill([vars, &script])
    }
}

/// One script.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Script {
    Command(String),
    Inline(String),
    File(PathBuf),
}

impl Plan {
    pub(crate) fn of(config: Config, context: &Context) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        check_one_source(&config, &mut problems);
        let scripts = scripts(&config, context, &mut problems);
        let options = Options {
            environment_vars: &config.environment_vars,
            env: &config.env,
            env_var_format: &config.env_var_format,
        };
        let variables = Variables::of(options, context, &mut problems);
        let command = command(&config, &mut problems);
        if config.tempfile_extension.contains(['/', '\0']) {
            problems.push(Diagnostic::error("is the end of a name, without `/`").at("/tempfile_extension"));
        }
        let (Some(variables), true) = (variables, problems.is_empty()) else { return Err(problems) };
        Ok(Self {
            scripts,
            variables,
            command,
            tempfile_extension: config.tempfile_extension,
            valid_exit_codes: config.valid_exit_codes,
            is_meant: config.only_on.is_empty() || config.only_on.iter().any(|system| system.is_this()),
            directory: Path::new(&context.working_dir).to_owned(),
        })
    }
}

impl System {
    fn is_this(self) -> bool {
        let name = match self {
            Self::Linux => "linux",
            Self::Darwin => "macos",
            Self::Freebsd => "freebsd",
            Self::Openbsd => "openbsd",
            Self::Netbsd => "netbsd",
            Self::Solaris => "solaris",
            Self::Windows => "windows",
        };
        name == std::env::consts::OS
    }
}

fn check_one_source(config: &Config, problems: &mut Vec<Diagnostic>) {
    let Config { command, inline, script, scripts, .. } = config;
    let given = [
        ("command", command.is_some()),
        ("inline", inline.is_some()),
        ("script", script.is_some()),
        ("scripts", scripts.is_some()),
    ];
    let given: Vec<_> = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect();
    match given[..] {
        [_] => {}
        [] => problems.push(
            Diagnostic::error("one of `command`, `inline`, `script` and `scripts` is needed").at("/command"),
        ),
        [first, .., last] => problems.push(
            Diagnostic::error(format!("`{first}` and `{last}` exclude each other")).at(format!("/{last}")),
        ),
    }
}

fn scripts(config: &Config, context: &Context, problems: &mut Vec<Diagnostic>) -> Vec<Script> {
    let Config { command, inline, script, scripts, inline_shebang, execute_command, .. } = config;
    let whole = |text: &str| format!("#!{inline_shebang}\n{text}\n");
    let mut all = Vec::new();
    all.extend(command.iter().map(|line| Script::Command(whole(line))));
    all.extend(inline.iter().map(|lines| Script::Inline(whole(&lines.join("\n")))));
    let single = script.iter().map(|path| ("/script".to_owned(), path));
    let several = scripts.iter().flatten().enumerate().map(|(at, path)| (format!("/scripts/{at}"), path));
    for (place, path) in single.chain(several) {
        let path = Path::new(&context.working_dir).join(path);
        let problem = check_script(&path, execute_command.is_none());
        problems.extend(problem.map(|what| Diagnostic::error(what).at(place)));
        all.push(Script::File(path));
    }
    all
}

/// What is wrong with a script, which is run itself where the user names nothing to run it.
fn check_script(path: &Path, is_program: bool) -> Option<String> {
    let shown = path.display();
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => Some(format!("{shown} is no file")),
        Ok(metadata) if is_program && metadata.permissions().mode() & 0o111 == 0 => {
            Some(format!("{shown} is not executable: make it so, or say in `execute_command` what runs it"))
        }
        Ok(_) => None,
        Err(error) => Some(format!("{shown} cannot be read: {error}")),
    }
}

fn command(config: &Config, problems: &mut Vec<Diagnostic>) -> Vec<Word> {
    let default = DEFAULT_COMMAND.map(str::to_owned);
    let words = config.execute_command.as_deref().unwrap_or(&default);
    let mut command = Vec::new();
    for (at, word) in words.iter().enumerate() {
        match Word::parse(word) {
            Ok(_) if word.contains('\0') => {
                problems.push(Diagnostic::error("has a NUL").at(format!("/execute_command/{at}")));
            }
            Ok(word) => command.push(word),
            Err(what) => problems.push(Diagnostic::error(what).at(format!("/execute_command/{at}"))),
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(config: &str) -> Result<Plan, String> {
        let read =
            packwire_plugin::config::read(config).and_then(|config| Plan::of(config, &Context::default()));
        read.map_err(|problems| {
            problems.iter().map(|one| format!("{}: {}", one.path, one.summary)).collect::<Vec<_>>().join("\n")
        })
    }

    #[test]
    fn every_problem_has_its_place() {
        let wrong = [
            r#"{}"#,
            r#"{"command": "a", "scripts": ["/nowhere/x"], "environment_vars": ["hunter2"]}"#,
            r#"{"script": "/dev/null"}"#,
            r#"{"script": "/etc/passwd", "env": {"1": ""}}"#,
            r#"{"command": "a", "execute_command": ["{{ .Path }}", "{{ .Script }}"], "env_var_format": "%d"}"#,
            r#"{"command": "a", "execute_command": []}"#,
            r#"{"command": "a", "execute_command": "sh"}"#,
            r#"{"command": "a", "tempfile_extension": "/x"}"#,
            r#"{"command": "a", "only_on": ["beos"]}"#,
            r#"{"command": "a", "use_linux_pathing": true}"#,
        ];
        let told: Vec<_> = wrong.iter().map(|config| plan(config).unwrap_err()).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        /command: one of `command`, `inline`, `script` and `scripts` is needed
        /scripts: `command` and `scripts` exclude each other
        /scripts/0: /nowhere/x cannot be read: No such file or directory (os error 2)
        /environment_vars/0: is not `NAME=value`, with a name that a shell takes
        /script: /dev/null is no file
        /script: /etc/passwd is not executable: make it so, or say in `execute_command` what runs it
        /env: has a name that no shell takes
        /env_var_format: `%` is followed by `s` or `%`
        /execute_command/0: `{{ .Path }}` means nothing here: `{{ .Vars }}` and `{{ .Script }}` do
        /execute_command: value has less than 1 item
        /execute_command: must be an array, not a string
        /tempfile_extension: is the end of a name, without `/`
        /only_on/0: must be one of "linux", "darwin", "freebsd", "openbsd", "netbsd", "solaris", "windows"
        /use_linux_pathing: there is no option `use_linux_pathing`
        "#);
    }

    #[test]
    fn what_is_not_run_itself_need_not_be_executable() {
        assert!(plan(r#"{"script": "/etc/passwd", "execute_command": ["cat", "{{ .Script }}"]}"#).is_ok());
    }

    #[test]
    fn a_path_is_quoted_where_a_shell_reads_it() {
        let filled = |word: &str, path| Word::parse(word).unwrap().fill("A='1'", path);
        assert_eq!(filled("{{.Script}}", "/a b"), "/a b");
        assert_eq!(filled("{{.Vars}} {{ .Script }}", "/a b"), "A='1' '/a b'");
        assert_eq!(filled("exec {{.Script}}", "/a.sh"), "exec /a.sh");
    }

    #[test]
    fn this_system_has_a_name() {
        let all = ["linux", "darwin", "freebsd", "openbsd", "netbsd", "solaris", "windows"];
        let config = format!(r#"{{"command": "a", "only_on": {all:?}}}"#);
        assert!(plan(&config).unwrap().is_meant);
        assert!(!plan(r#"{"command": "a", "only_on": ["windows"]}"#).unwrap().is_meant);
    }
}
