//! The plugin processes of a run: one for each plugin, however many components and builds use it.
//!
//! A plugin is started when it is needed first, and again when it died: what was prepared in the dead process is
//! prepared again in the new one, and only the calls that were open in it have failed.

mod patience;
mod running;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packwire_wire::Room;
use packwire_wire::process::{
    Attached, Departure, Launch, LogLine, LogSink, NotAttached, Offer, Program, Transport,
};
use tokio::task::JoinSet;

use crate::catalog::PluginCommand;
use crate::log::{Level, Log};
pub use patience::Patience;
pub use running::Running;

/// Everything that plugin processes are started with, and those that were.
pub struct Plugins {
    room: Room,
    start: Start,
    log: Arc<Log>,
    patience: Patience,
    known: Mutex<BTreeMap<PluginCommand, Arc<Plugin>>>,
}

/// What every plugin is started with.
#[derive(Clone, Debug)]
pub struct Start {
    /// Its whole environment, but for the three variables.
    pub environment: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub directory: PathBuf,
    /// Where it dials.
    pub transport: Transport,
}

/// One plugin, whether its process lives or not.
pub struct Plugin {
    name: String,
    command: PluginCommand,
    launch: Launch,
    room: Room,
    patience: Patience,
    state: tokio::sync::Mutex<State>,
    /// Each ends a process when its link is lost.
    burials: Mutex<JoinSet<()>>,
}

/// How far a plugin came.
#[derive(Default)]
enum State {
    #[default]
    NotStarted,
    /// It has attached, and may have gone since.
    Started(Arc<Running>),
    /// It never attached. It is not tried again: each use would wait as long, and learn the same.
    Unusable(PluginFailure),
}

/// A plugin that could not be used, or broke: its name, what happened, and the last lines of its log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin {plugin}: {what}")]
pub struct PluginFailure {
    /// The file name of its executable.
    pub plugin: String,
    /// What happened.
    pub what: String,
    /// The last lines of its log.
    pub last_lines: Vec<String>,
    /// What to do about it, where that is known.
    pub hint: Option<&'static str>,
}

impl Plugins {
    /// Plugins that are started with this, none of which is yet.
    #[must_use]
    pub fn new(room: Room, start: Start, log: Arc<Log>, patience: Patience) -> Self {
        Self { room, start, log, patience, known: Mutex::default() }
    }

    /// The plugin of this command.
    pub fn plugin(&self, command: &PluginCommand) -> Arc<Plugin> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(command.clone()).or_insert_with(|| Arc::new(self.found(command))).clone()
    }

    fn found(&self, command: &PluginCommand) -> Plugin {
        let PluginCommand { program, arguments } = command;
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        let program = Program {
            executable: program.clone(),
            arguments: arguments.iter().map(OsString::from).collect(),
            environment: self.start.environment.clone(),
            directory: Some(self.start.directory.clone()),
        };
        let log = Arc::new(PluginLog { name: name.clone(), log: self.log.clone() });
        let transport = self.start.transport.clone();
        let launch = Launch { transport, ..Launch::new(program, Offer::ours(), log) };
        Plugin {
            name,
            command: command.clone(),
            launch,
            room: self.room.clone(),
            patience: self.patience.clone(),
            state: tokio::sync::Mutex::default(),
            burials: Mutex::default(),
        }
    }

    /// Tells every plugin to leave, all at once, and ends what has not left within its grace.
    pub async fn leave(&self) {
        let known: Vec<_> = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *known).into_values().collect()
        };
        let mut leaving = JoinSet::new();
        for plugin in known {
            let log = self.log.clone();
            let _handle = leaving.spawn(async move { plugin.leave(&log).await });
        }
        drop(leaving.join_all().await);
    }

    /// Ends every process that has not left, wherever else in the host it is still known.
    pub fn end(&self) {
        let known = std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner));
        known.into_values().for_each(|plugin| plugin.end());
    }
}

/// Prefixes a plugin's lines with its name.
struct PluginLog {
    name: String,
    log: Arc<Log>,
}

impl LogSink for PluginLog {
    fn line(&self, line: &LogLine) {
        self.log.line(&self.name, &line.text);
    }
}

impl Plugin {
    /// The file name of its executable.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process, started if none lives.
    ///
    /// # Errors
    /// The process does not start, or does not attach.
    pub async fn running(&self) -> Result<Arc<Running>, PluginFailure> {
        let mut state = self.state.lock().await;
        match &*state {
            State::Started(running) if !running.is_gone() => return Ok(running.clone()),
            State::Unusable(failure) => return Err(failure.clone()),
            State::Started(_) | State::NotStarted => {}
        }
        let attached = match self.start().await {
            Ok(attached) => attached,
            Err(why) => return Err(self.failed_to_start(&mut state, &why)),
        };
        let fresh = Arc::new(Running::new(&self.name, self.command.clone(), attached, self.patience.clone()));
        let (buried, mut burials) = (fresh.clone(), self.burials());
        // What others have left behind is gone by now, or on its way.
        while burials.try_join_next().is_some() {}
        let _handle = burials.spawn(async move { buried.bury_when_lost().await });
        drop(burials);
        *state = State::Started(fresh.clone());
        Ok(fresh)
    }

    /// A plugin that has been usable in this run may be so again.
    fn failed_to_start(&self, state: &mut State, why: &NotAttached) -> PluginFailure {
        let failure = self.refused(why);
        if let State::NotStarted = state {
            *state = State::Unusable(failure.clone());
        }
        failure
    }

    async fn start(&self) -> Result<Attached, NotAttached> {
        self.launch.clone().start(&self.room)?.attach().await
    }

    fn refused(&self, why: &NotAttached) -> PluginFailure {
        let (last_lines, hint) = match why {
            NotAttached::Exited(Departure { last_lines, .. })
            | NotAttached::Late { last_lines, .. }
            | NotAttached::Refused { last_lines, .. } => {
                (last_lines.clone(), Some("`conformance` on this plugin says what is wrong with it"))
            }
            NotAttached::Start(error)
                if error.kind() == ErrorKind::NotFound && self.launch.program.executable.exists() =>
            {
                (Vec::new(), Some("the interpreter that its first line names (`#!…`) is not there"))
            }
            NotAttached::Foreign => (Vec::new(), Some("use a version of it that speaks Packwire")),
            NotAttached::Start(_) | NotAttached::Incompatible(_) => (Vec::new(), None),
        };
        let what = match std::error::Error::source(why) {
            Some(source) => format!("{why}: {source}"),
            None => why.to_string(),
        };
        PluginFailure { plugin: self.name.clone(), what, last_lines, hint }
    }

    /// One that is being started at this moment is ended by whoever starts it.
    fn end(&self) {
        if let Ok(mut state) = self.state.try_lock()
            && let State::Started(running) = std::mem::take(&mut *state)
        {
            running.end();
        }
    }

    async fn leave(&self, log: &Log) {
        if let State::Started(running) = std::mem::take(&mut *self.state.lock().await)
            && let Some(ended) = running.leave().await
        {
            log.say(Level::Debug, &format!("plugin {} {ended}", self.name));
        }
        // Those whose link was lost before have their time, too.
        let burials = std::mem::take(&mut *self.burials());
        drop(burials.join_all().await);
    }

    fn burials(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.burials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
