//! The provisioner: each script is sent to the machine, run there, and removed, whatever happened.
use std::hash::{BuildHasher, RandomState};

use packwire_plugin::{
    Cancellation, Context, Diagnostic, Provision, ProvisionRun, Provisioner, Stop,
    machine::{self, quoted},
};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Plan, Script};

const SCRIPT_MODE: u32 = 0o755;

/// Runs scripts.
pub(crate) struct Shell;

impl Provisioner for Shell {
    type Config = Config;
    type Provision = Plan;

    const SUMMARY: &'static str = "Runs scripts on the machine with its shell";
    const DOCUMENTATION: &'static str = "Sends each script to the machine, runs it with `execute_command` and \
        removes it. A status that is not among `valid_exit_codes` fails the build.";

    fn prepare(&self, config: Config, context: &Context) -> Result<Plan, Vec<Diagnostic>> {
        Plan::of(config, context)
    }
}

impl Provision for Plan {
    async fn run(self, run: ProvisionRun) -> Result<(), Stop> {
        let folder = "printf %s \"${TMPDIR:-/tmp}\"";
        let folder = machine::output(run.machine()?, folder, &run.cancellation).await?;
        for script in &self.scripts {
            let name = script.name();
            run.ui.say(format!("Provisioning with {name}")).await?;
            let content = script.read(self.binary).await?;
            let path = format!("{folder}/packwire-shell-{:016x}.sh", fresh());
            let ran = self.run_script(&run, &name, &path, content).await;
            remove(&run, &path).await;
            ran?;
        }
        Ok(())
    }
}

impl Plan {
    async fn run_script(
        &self,
        run: &ProvisionRun,
        name: &str,
        path: &str,
        content: Vec<u8>,
    ) -> Result<(), Stop> {
        machine::upload(run.machine()?, path, content, SCRIPT_MODE).await?;
        let command = self.command.fill(&self.vars, &quoted_if_needed(path));
        let exit = machine::run_showing(run.machine()?, command, &run.cancellation, &run.ui).await?;
        machine::succeeded(name, exit, &self.valid_exit_codes)
    }
}

impl Script {
    /// What the user knows it by.
    fn name(&self) -> String {
        match self {
            Self::Inline(_) => "the inline script".to_owned(),
            Self::File(path) => format!("the script {}", path.display()),
        }
    }

    async fn read(&self, binary: bool) -> Result<Vec<u8>, Stop> {
        let content = match self {
            Self::Inline(text) => text.clone().into_bytes(),
            Self::File(path) => tokio::fs::read(path)
                .await
                .map_err(|error| Stop::failed(format!("{} cannot be read: {error}", path.display())))?,
        };
        Ok(if binary { content } else { with_unix_line_ends(&content) })
    }
}

fn with_unix_line_ends(content: &[u8]) -> Vec<u8> {
    let mut rest = content.iter().copied().peekable();
    let mut kept = Vec::with_capacity(content.len());
    while let Some(byte) = rest.next() {
        if byte != b'\r' || rest.peek() != Some(&b'\n') {
            kept.push(byte);
        }
    }
    kept
}

/// Removes a script also after the run was cancelled; only the lost machine can prevent that.
async fn remove(run: &ProvisionRun, path: &str) {
    let uncancelled = Cancellation::local(CancellationToken::new());
    let command = format!("rm -f {}", quoted(path));
    let Ok(machine) = run.machine() else { return };
    if let Err(Stop::Failed(diagnostics)) = machine::output(machine, command, &uncancelled).await {
        for one in diagnostics {
            packwire_plugin::log::warn(format!("{path} is left on the machine: {}", one.summary));
        }
    }
}

/// A path as `{{ .Path }}`, which users put between quotes of their own as often as not.
fn quoted_if_needed(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if path.bytes().all(plain) { path.to_owned() } else { quoted(path) }
}

/// A number that no other run has.
fn fresh() -> u64 {
    RandomState::new().hash_one(std::time::SystemTime::now())
}

#[cfg(test)]
mod tests {
    use packwire_plugin::testing::{Host, Machine};
    use serde_json::{Value, json};

    use super::*;

    /// What a machine and a host saw, with the names of scripts made constant.
    async fn seen(machine: &Machine, host: &Host, config: Value) -> String {
        let ran = match host.provision(Shell, config, machine).await {
            Ok(()) => "done".to_owned(),
            Err(Stop::Failed(diagnostics)) => format!("failed: {}", diagnostics[0].summary),
            Err(Stop::Cancelled) => "cancelled".to_owned(),
        };
        let commands = machine.commands().into_iter().map(|command| format!("$ {command}"));
        let lines: Vec<_> =
            commands.chain(host.told()).chain([ran]).map(|line| with_constant_names(&line)).collect();
        lines.join("\n")
    }

    fn with_constant_names(line: &str) -> String {
        let mut parts = line.split("packwire-shell-");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |told, part| format!("{told}SCRIPT{}", &part[16..]))
    }

    fn temporary() -> Machine {
        Machine::new().answering("TMPDIR", 0, "/tmp", "")
    }

    #[tokio::test]
    async fn a_script_is_sent_run_and_removed_and_its_output_shown() {
        let machine = temporary().answering("chmod", 0, "one\ntwo\n", "");
        let config = json!({"inline": ["echo one"], "environment_vars": ["A=b c"]});
        insta::assert_snapshot!(seen(&machine, &Host::new(), config).await, @r#"
        $ printf %s "${TMPDIR:-/tmp}"
        $ chmod +x /tmp/SCRIPT.sh; PACKER_BUILD_NAME='' PACKER_BUILDER_TYPE='' A='b c' /tmp/SCRIPT.sh
        $ rm -f '/tmp/SCRIPT.sh'
        say: Provisioning with the inline script
        message: one
        message: two
        done
        "#);
        let file = machine.files().into_values().next().unwrap();
        assert_eq!((file.content.as_slice(), file.mode), (&b"#!/bin/sh -e\necho one\n"[..], Some(0o755)));
    }

    #[tokio::test]
    async fn a_failed_script_is_removed_and_its_status_told() {
        let machine = temporary().answering("chmod", 3, "", "no\n");
        insta::assert_snapshot!(seen(&machine, &Host::new(), json!({"inline": ["x"]})).await, @r#"
        $ printf %s "${TMPDIR:-/tmp}"
        $ chmod +x /tmp/SCRIPT.sh; PACKER_BUILD_NAME='' PACKER_BUILDER_TYPE='' /tmp/SCRIPT.sh
        $ rm -f '/tmp/SCRIPT.sh'
        say: Provisioning with the inline script
        error: no
        failed: the inline script exited with status 3
        "#);
        let allowed = json!({"inline": ["x"], "valid_exit_codes": [0, 3]});
        assert!(seen(&machine, &Host::new(), allowed).await.ends_with("done"));
    }

    #[tokio::test]
    async fn the_first_failing_script_ends_the_work() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a.sh", "b.sh"] {
            std::fs::write(directory.path().join(name), "false\r\n").unwrap();
        }
        let machine = temporary().ending("chmod", packwire_plugin::Exit::Signal("SEGV".to_owned()));
        let host = Host::new().working_in(directory.path());
        let told = seen(&machine, &host, json!({"scripts": ["a.sh", "b.sh"]})).await;
        let expected = format!(
            "failed: the script {} was ended by signal SEGV",
            directory.path().join("a.sh").display()
        );
        assert!(told.ends_with(&expected), "{told}");
        assert_eq!(machine.files().into_values().next().unwrap().content, b"false\n");
    }

    #[tokio::test]
    async fn a_cancelled_script_is_removed() {
        let machine = temporary().hanging("chmod");
        let host = Host::new();
        let cancelling = async {
            while !machine.commands().iter().any(|command| command.contains("chmod")) {
                tokio::task::yield_now().await;
            }
            host.cancel();
        };
        let (told, ()) = tokio::join!(seen(&machine, &host, json!({"inline": ["x"]})), cancelling);
        assert!(told.ends_with("cancelled"), "{told}");
        assert!(machine.commands().last().unwrap().starts_with("rm -f "), "{told}");
    }

    #[test]
    fn only_whole_line_ends_change() {
        assert_eq!(with_unix_line_ends(b"a\r\nb\rc\r\r\n\r"), b"a\nb\rc\r\n\r");
    }
}
