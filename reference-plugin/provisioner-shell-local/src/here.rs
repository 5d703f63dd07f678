//! The provisioner: each script runs on the host's machine, and ends with all that it started.
use std::path::{Path, PathBuf};

use packwire_plugin::{
    Context, Diagnostic, Provision, ProvisionRun, Provisioner, Stop, machine,
    process::{self, Program},
};
use tempfile::TempPath;

use crate::config::{Config, Plan, Script};

/// Runs commands on the host's machine.
pub(crate) struct ShellLocal;

impl Provisioner for ShellLocal {
    type Config = Config;
    type Provision = Plan;

    const SUMMARY: &'static str = "Runs commands on the host's machine, not on the one that is built";
    const DOCUMENTATION: &'static str = "\
Runs each script in the host's working directory with `execute_command`, whose default is \
`[\"/bin/sh\", \"-c\", \"exec \\\"$0\\\"\", \"{{.Script}}\"]`: the script itself. A status that is not among `valid_exit_codes` fails the build.

Variables are in the script's environment. When a script has ended, so have the processes that it left in the \
background.

It needs no communicator, and so runs with builders that have none.";
    const NEEDS_COMMUNICATOR: bool = false;

    fn prepare(&self, config: Config, context: &Context) -> Result<Plan, Vec<Diagnostic>> {
        Plan::of(config, context)
    }
}

impl Provision for Plan {
    async fn run(self, run: ProvisionRun) -> Result<(), Stop> {
        if !self.is_meant {
            let system = std::env::consts::OS;
            return Ok(run.ui.say(format!("Nothing to run on {system}: it is not in `only_on`")).await?);
        }
        for script in &self.scripts {
            let name = script.name();
            run.ui.say(format!("Running {name} on this machine")).await?;
            let file = script.place(&self.tempfile_extension)?;
            let program = self.program(file.path(), &run.generated_data)?;
            let exit = process::run_showing(&program, &run.cancellation, &run.ui).await?;
            machine::succeeded(&name, exit, &self.valid_exit_codes)?;
        }
        Ok(())
    }
}

impl Plan {
    fn program(&self, script: &Path, generated_data: &str) -> Result<Program, Stop> {
        let variables = self.variables.text(generated_data);
        let script = script.to_str().ok_or_else(|| Stop::failed("a script has a path that is no UTF-8"))?;
        let words = self.command.iter().map(|word| word.fill(variables.trim_end_matches(' '), script));
        let mut words = words.collect::<Vec<_>>().into_iter();
        let pairs = self.variables.pairs(generated_data).into_iter();
        Ok(Program {
            executable: words.next().unwrap_or_default().into(),
            arguments: words.map(Into::into).collect(),
            environment: pairs.map(|(name, value)| (name.into(), value.into())).collect(),
            directory: Some(self.directory.clone()),
            with_input: false,
        })
    }
}

/// Where a script is. One that was made here is removed with this.
enum Place<'a> {
    Made(TempPath),
    Given(&'a PathBuf),
}

impl Place<'_> {
    fn path(&self) -> &Path {
        match self {
            Self::Made(path) => path,
            Self::Given(path) => path,
        }
    }
}

impl Script {
    /// What the user knows it by.
    fn name(&self) -> String {
        match self {
            Self::Command(_) => "the command".to_owned(),
            Self::Inline(_) => "the inline script".to_owned(),
            Self::File(path) => format!("the script {}", path.display()),
        }
    }

    fn place(&self, extension: &str) -> Result<Place<'_>, Stop> {
        match self {
            Self::File(path) => Ok(Place::Given(path)),
            Self::Command(text) | Self::Inline(text) => match process::make_script(text, extension) {
                Ok(path) => Ok(Place::Made(path)),
                Err(error) => Err(Stop::failed(format!("no file can be made for {}: {error}", self.name()))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use packwire_plugin::testing::Host;
    use serde_json::{Value, json};

    use super::*;

    /// What the user is told of a provisioner that runs in a directory of its own.
    async fn seen(config: Value) -> String {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("it's.sh");
        let plain = directory.path().join("plain");
        std::fs::write(&script, "#!/bin/sh\necho script; pwd -P\n").unwrap();
        std::fs::write(&plain, "echo plain\n").unwrap();
        for path in [&script, &plain] {
            std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
        let context = Context {
            build_name: "b".to_owned(),
            builder_type: "null".to_owned(),
            working_dir: directory.path().display().to_string(),
            ..Context::default()
        };
        let data = json!({"PackerHTTPAddr": "10.0.2.2:80"});
        let host = Host::new().with_context(context).with_generated_data(data);
        let ran = match host.provision_nothing(ShellLocal, config).await {
            Ok(()) => "done".to_owned(),
            Err(Stop::Failed(diagnostics)) => format!("failed: {}", diagnostics[0].summary),
            Err(Stop::Cancelled) => "cancelled".to_owned(),
        };
        let lines: Vec<_> = host.told().into_iter().chain([ran]).collect();
        let real = directory.path().canonicalize().unwrap();
        lines
            .join("\n")
            .replace(&real.display().to_string(), "DIR")
            .replace(&directory.path().display().to_string(), "DIR")
    }

    #[tokio::test]
    async fn a_command_runs_here_with_its_variables() {
        let config = json!({
            "command": "echo $A $B $PACKER_BUILD_NAME $PACKER_BUILDER_TYPE $PACKER_HTTP_ADDR",
            "environment_vars": ["A=it's"], "env": {"B": "2"},
        });
        insta::assert_snapshot!(seen(config).await, @r#"
        say: Running the command on this machine
        message: it's 2 b null 10.0.2.2:80
        done
        "#);
    }

    #[tokio::test]
    async fn inline_lines_stop_at_the_first_failure() {
        let config = json!({"inline": ["echo one", "sh -c 'exit 3'", "echo two"]});
        insta::assert_snapshot!(seen(config).await, @r#"
        say: Running the inline script on this machine
        message: one
        failed: the inline script exited with status 3
        "#);
        let config = json!({"inline": ["kill -KILL $$"], "valid_exit_codes": [0, 3]});
        insta::assert_snapshot!(seen(config).await, @r#"
        say: Running the inline script on this machine
        failed: the inline script was ended by signal KILL
        "#);
        assert!(seen(json!({"inline": ["exit 3"], "valid_exit_codes": [0, 3]})).await.ends_with("done"));
    }

    #[tokio::test]
    async fn scripts_work_in_the_hosts_directory() {
        insta::assert_snapshot!(seen(json!({"scripts": ["it's.sh", "it's.sh"]})).await, @r#"
        say: Running the script DIR/it's.sh on this machine
        message: script
        message: DIR
        say: Running the script DIR/it's.sh on this machine
        message: script
        message: DIR
        done
        "#);
    }

    #[tokio::test]
    async fn a_script_needs_no_shebang_and_runs_all_the_same() {
        let told = seen(json!({"script": "plain"})).await;
        insta::assert_snapshot!(told, @r#"
        say: Running the script DIR/plain on this machine
        message: plain
        done
        "#);
    }

    #[tokio::test]
    async fn the_user_says_what_runs_a_script() {
        let config = json!({
            "inline": ["echo never"], "tempfile_extension": ".py", "environment_vars": ["A=1"],
            "execute_command": ["/bin/sh", "-c", "case {{ .Script }} in *.py) echo \"$0: $1\";; esac", "{{ .Vars }}", "x"],
        });
        insta::assert_snapshot!(seen(config).await, @r#"
        say: Running the inline script on this machine
        message: PACKER_HTTP_ADDR='10.0.2.2:80' PACKER_BUILD_NAME='b' PACKER_BUILDER_TYPE='null' A='1': x
        done
        "#);
        let config = json!({"command": "a", "execute_command": ["/nowhere/sh", "{{ .Script }}"]});
        insta::assert_snapshot!(seen(config).await, @r#"
        say: Running the command on this machine
        failed: /nowhere/sh cannot be started: No such file or directory (os error 2)
        "#);
    }

    #[tokio::test]
    async fn nothing_runs_where_it_is_not_meant_to() {
        let told = seen(json!({"command": "echo ran", "only_on": ["windows"]})).await;
        let expected =
            format!("say: Nothing to run on {}: it is not in `only_on`\ndone", std::env::consts::OS);
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn a_file_that_was_made_for_it_is_removed() {
        let told = seen(json!({"command": "echo $0; stat -c %a $0"})).await;
        let path = told.lines().find_map(|line| line.strip_prefix("message: /")).unwrap();
        assert!(told.contains("\nmessage: 700\n"), "{told}");
        assert!(!Path::new("/").join(path).exists());
    }
}
