//! Scripts on the machine: sent there, when it answers, and removed.
use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use packwire_plugin::{
    Cancellation, Exit, ProvisionRun, Stop,
    config::Length,
    machine::{self, quoted},
    unless_cancelled,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

const SCRIPT_MODE: u32 = 0o755;
/// Variables may be secrets.
const VARS_MODE: u32 = 0o600;
/// How long a machine that does not answer is left alone: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// Where scripts go, as far as the user said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) folder: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) path: Option<String>,
    /// How long a machine that does not answer is waited for.
    pub(crate) patience: Length,
}

/// The files of one script on the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) script: String,
    /// The file with the variables.
    pub(crate) vars: Option<String>,
}

impl Remote {
    /// Sends a script and its variables. `places` says what may be there, also after a failure.
    pub(crate) async fn send(
        &self,
        run: &ProvisionRun,
        (script, vars): (&[u8], Option<&str>),
        places: &mut Option<Places>,
    ) -> Result<Places, Stop> {
        let (deadline, name) = (self.deadline(), format!("packwire-shell-{:016x}", fresh()));
        let mut pause = Pause::default();
        loop {
            let failed = match self.try_to_send(run, &name, (script, vars), places).await {
                Err(Stop::Failed(diagnostics)) => Stop::Failed(diagnostics),
                sent => return sent,
            };
            // A machine that answers has refused, and will again.
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) || answers(run).await? {
                return Err(failed);
            }
            if pause.is_first() {
                run.ui.say(format!("The machine does not answer: trying for {}", self.patience)).await?;
            }
            unless_cancelled(&run.cancellation, pause.pass()).await?;
        }
    }

    async fn try_to_send(
        &self,
        run: &ProvisionRun,
        name: &str,
        (script, vars): (&[u8], Option<&str>),
        places: &mut Option<Places>,
    ) -> Result<Places, Stop> {
        let sent = places.insert(self.places(run, name, vars.is_some()).await?);
        machine::upload(run.machine()?, &sent.script, script.to_vec(), SCRIPT_MODE).await?;
        if let (Some(path), Some(vars)) = (&sent.vars, vars) {
            machine::upload(run.machine()?, path, vars.to_owned(), VARS_MODE).await?;
        }
        Ok(sent.clone())
    }

    async fn places(&self, run: &ProvisionRun, name: &str, with_vars: bool) -> Result<Places, Stop> {
        let folder = match (&self.folder, &self.path) {
            (Some(folder), _) => folder.trim_end_matches('/').to_owned(),
            (None, Some(_)) if !with_vars => String::new(),
            (None, _) => {
                let command = "printf %s \"${TMPDIR:-/tmp}\"";
                machine::output(run.machine()?, command, &run.cancellation).await?
            }
        };
        let file = || format!("{folder}/{}", self.file.clone().unwrap_or_else(|| format!("{name}.sh")));
        Ok(Places {
            script: self.path.clone().unwrap_or_else(file),
            vars: with_vars.then(|| format!("{folder}/{name}.vars")),
        })
    }

    /// Removes what was sent, also after the run was cancelled; only a machine that is gone can prevent that.
    pub(crate) async fn remove(&self, run: &ProvisionRun, places: &Places, lost: bool) {
        if lost {
            self.wait(run).await;
        }
        let Ok(machine) = run.machine() else { return };
        let uncancelled = Cancellation::local(CancellationToken::new());
        let files = std::iter::once(&places.script).chain(&places.vars).map(|path| quoted(path));
        let command = format!("rm -f {}", files.collect::<Vec<_>>().join(" "));
        if let Err(Stop::Failed(diagnostics)) = machine::output(machine, command, &uncancelled).await {
            for one in diagnostics {
                let path = &places.script;
                packwire_plugin::log::warn(format!("{path} is left on the machine: {}", one.summary));
            }
        }
    }

    /// Waits until the machine answers, or long enough.
    async fn wait(&self, run: &ProvisionRun) {
        let (deadline, mut pause) = (self.deadline(), Pause::default());
        while let Ok(false) = answers(run).await {
            let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if late || unless_cancelled(&run.cancellation, pause.pass()).await.is_err() {
                return;
            }
        }
    }

    /// `None` for one that no clock reaches.
    fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.patience.0)
    }
}

/// The times between one try and the next, each twice as long as the one before.
#[derive(Debug, Default)]
struct Pause(Duration);

impl Pause {
    fn is_first(&self) -> bool {
        self.0 == Duration::ZERO
    }

    async fn pass(&mut self) {
        self.0 = (self.0 * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
        sleep(self.0).await;
    }
}

/// Whether the machine runs commands now, or never will: who cannot even start one has no connection to wait for.
async fn answers(run: &ProvisionRun) -> Result<bool, Stop> {
    match machine::run(run.machine()?, ":", &run.cancellation, |_| std::future::ready(())).await {
        Ok(Exit::Status(_) | Exit::Signal(_) | Exit::Failed(_)) | Err(Stop::Failed(_)) => Ok(true),
        Ok(Exit::Cancelled) | Err(Stop::Cancelled) => Err(Stop::Cancelled),
        Ok(Exit::Lost(_)) => Ok(false),
    }
}

/// A path in a command, which users put between quotes of their own as often as not.
pub(crate) fn quoted_if_needed(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if path.bytes().all(plain) { path.to_owned() } else { quoted(path) }
}

/// A number that no other run has.
fn fresh() -> u64 {
    RandomState::new().hash_one(std::time::SystemTime::now())
}
