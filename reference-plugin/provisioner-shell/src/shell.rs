//! The provisioner: each script is sent to the machine, run there, and removed, whatever happened.
use packwire_plugin::{
    Context, Diagnostic, Exit, Provision, ProvisionRun, Provisioner, Stop, config::Length, machine,
    unless_cancelled,
};

use crate::{
    config::{Config, Plan},
    execute::Filling,
    remote::{Places, quoted_if_needed},
    script::Script,
};

/// What Packer has for the exit status of a command whose connection broke.
const DISCONNECTED: i32 = 2_300_218;
const HINT: &str = "A script that restarts the machine, or its network, needs `expect_disconnect`.";

/// Runs scripts.
pub(crate) struct Shell;

impl Provisioner for Shell {
    type Config = Config;
    type Provision = Plan;

    const SUMMARY: &'static str = "Runs scripts on the machine with its shell";
    const DOCUMENTATION: &'static str = "\
Sends each script to the machine, runs it with `execute_command` and removes it. A status that is not among \
`valid_exit_codes` fails the build.

`execute_command` has `{{ .Path }}` for the script, `{{ .Vars }}` for its variables, and `{{ .EnvVarFile }}` for a file \
with them, if `use_env_var_file` is set; its default is

- `chmod +x {{.Path}}; {{.Vars}} {{.Path}}`, or
- `chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}` with `use_env_var_file`.

Scripts that restart the machine need `expect_disconnect`; the next script is sent when the machine answers again, \
within `start_retry_timeout`.";

    fn prepare(&self, config: Config, context: &Context) -> Result<Plan, Vec<Diagnostic>> {
        Plan::of(config, context)
    }

    fn warnings(&self, config: &Config, _: &Context) -> Vec<Diagnostic> {
        config.needless()
    }
}

impl Provision for Plan {
    async fn run(self, run: ProvisionRun) -> Result<(), Stop> {
        let vars = self.vars.text(&run.generated_data);
        for script in &self.scripts {
            self.run_script(&run, script, &vars).await?;
        }
        self.pause(&run).await
    }
}

/// What became of the connection while a script ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connection {
    Kept,
    Lost,
}

impl Plan {
    async fn run_script(&self, run: &ProvisionRun, script: &Script, vars: &str) -> Result<(), Stop> {
        run.ui.say(format!("Provisioning with {}", script.name())).await?;
        let content = script.read(self.binary).await?;
        let file = self.use_env_var_file.then_some(vars);
        let mut places = None;
        let ran = match self.remote.send(run, (&content, file), &mut places).await {
            Ok(sent) => self.execute(run, script, &sent, vars).await,
            Err(stop) => Err(stop),
        };
        if let Some(places) = places.filter(|_| !self.skip_clean) {
            self.remote.remove(run, &places, ran == Ok(Connection::Lost)).await;
        }
        ran.map(|_| ())
    }

    async fn execute(
        &self,
        run: &ProvisionRun,
        script: &Script,
        places: &Places,
        vars: &str,
    ) -> Result<Connection, Stop> {
        let vars_file = places.vars.as_deref().map(quoted_if_needed).unwrap_or_default();
        let path = quoted_if_needed(&places.script);
        let command = self.command.fill(Filling { vars, vars_file: &vars_file, path: &path });
        match machine::run_showing(run.machine()?, command, &run.cancellation, &run.ui).await? {
            Exit::Lost(why) if self.expect_disconnect || self.valid_exit_codes.contains(&DISCONNECTED) => {
                run.ui.say(format!("The connection broke, as was expected: {why}")).await?;
                Ok(Connection::Lost)
            }
            Exit::Lost(why) => {
                let told = format!("the connection broke while {} ran: {why}", script.name());
                let mut diagnostic = Diagnostic::error(told);
                diagnostic.detail = HINT.to_owned();
                Err(diagnostic.into())
            }
            exit => {
                machine::succeeded(&script.name(), exit, &self.valid_exit_codes).map(|()| Connection::Kept)
            }
        }
    }

    async fn pause(&self, run: &ProvisionRun) -> Result<(), Stop> {
        if self.pause_after == Length::default() {
            return Ok(());
        }
        run.ui.say(format!("Pausing for {}", self.pause_after)).await?;
        run.ui.flush().await?;
        unless_cancelled(&run.cancellation, tokio::time::sleep(self.pause_after.0)).await
    }
}

#[cfg(test)]
mod tests;
