//! The plugin processes of a run: one for each plugin, however many components and builds use it.
//!
//! A plugin is started when it is needed first, and again when it died: what was prepared in the dead process is
//! prepared again in the new one, and only the calls that were open in it have failed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use packwire_wire::process::{Attached, Departure, Launch, LogLine, LogSink, NotAttached, Offer, Program};
use packwire_wire::{Broken, Component, Hello, RemoteCapability, Room};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::catalog::{Kind, Naming, PluginCommand};
use crate::log::{Level, Log};

/// Everything that plugin processes are started with, and those that were.
pub struct Plugins {
    room: Room,
    environment: Vec<(OsString, OsString)>,
    directory: PathBuf,
    log: Arc<Log>,
    known: Mutex<BTreeMap<PluginCommand, Arc<Plugin>>>,
}

/// One plugin, whether its process lives or not.
pub struct Plugin {
    name: String,
    command: PluginCommand,
    launch: Launch,
    room: Room,
    state: tokio::sync::Mutex<State>,
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

/// A process of a plugin that has attached.
pub struct Running {
    name: String,
    command: PluginCommand,
    id: u32,
    hello: Hello<RemoteCapability>,
    gone: CancellationToken,
    attached: Mutex<Option<Attached>>,
    departure: OnceCell<Departure>,
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
    /// Plugins with this environment and working directory, none of which is started yet.
    #[must_use]
    pub fn new(
        room: Room,
        environment: Vec<(OsString, OsString)>,
        directory: PathBuf,
        log: Arc<Log>,
    ) -> Self {
        Self { room, environment, directory, log, known: Mutex::default() }
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
            environment: self.environment.clone(),
            directory: Some(self.directory.clone()),
        };
        let log = Arc::new(PluginLog { name: name.clone(), log: self.log.clone() });
        let launch = Launch::new(program, Offer::ours(), log);
        Plugin {
            name,
            command: command.clone(),
            launch,
            room: self.room.clone(),
            state: tokio::sync::Mutex::default(),
        }
    }

    /// Tells every plugin to leave, all at once, and ends what has not left within `grace`.
    pub async fn leave(&self, grace: Duration) {
        let known: Vec<_> = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *known).into_values().collect()
        };
        let mut leaving = JoinSet::new();
        for plugin in known {
            let log = self.log.clone();
            let _handle = leaving.spawn(async move { plugin.leave(grace, &log).await });
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
        let fresh = Arc::new(Running {
            name: self.name.clone(),
            command: self.command.clone(),
            id: attached.id(),
            hello: attached.hello().clone(),
            gone: attached.gone(),
            attached: Mutex::new(Some(attached)),
            departure: OnceCell::new(),
        });
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
            drop(running.take_attached());
        }
    }

    async fn leave(&self, grace: Duration, log: &Log) {
        let State::Started(running) = std::mem::take(&mut *self.state.lock().await) else { return };
        let Some(attached) = running.take_attached() else { return };
        let Departure { ended, .. } = attached.leave(grace).await;
        log.say(Level::Debug, &format!("plugin {} {ended}", self.name));
    }
}

impl Running {
    /// What the plugin said of itself.
    #[must_use]
    pub fn hello(&self) -> &Hello<RemoteCapability> {
        &self.hello
    }

    /// How it was started.
    #[must_use]
    pub fn command(&self) -> &PluginCommand {
        &self.command
    }

    /// The id of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether the process can be called no more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
    }

    /// The same for one that may be about to go.
    pub async fn is_gone_within(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.gone.cancelled()).await.is_ok()
    }

    /// Ends what is left of a process that can be called no more, and waits until it has ended.
    pub async fn buried(&self) {
        self.departure().await;
    }

    /// The component that a template means by `name`: the one of that name, or the only one of its kind.
    ///
    /// # Errors
    /// There is none, or none of that name among several.
    pub fn component(&self, kind: Kind, name: &str) -> Result<&Component<RemoteCapability>, PluginFailure> {
        let of_kind = || self.hello.components.iter().filter(|component| component.kind() == kind);
        let mut others = of_kind();
        let named = of_kind().find(|component| component.name == name);
        match (named, others.next(), others.next()) {
            (Some(component), ..) => Ok(component),
            (None, Some(component), None) if !self.tells_by_name(kind, name) => Ok(component),
            (None, None, _) => Err(self.failure(format!("it offers no {kind}"))),
            (None, Some(_), _) => {
                let names: Vec<_> = of_kind().map(|component| component.name.as_str()).collect();
                Err(self.failure(format!("it offers no {kind} `{name}`, but {}", names.join(", "))))
            }
        }
    }

    /// Whether it was found because it may offer something of this very name: then nothing else is meant by it.
    fn tells_by_name(&self, kind: Kind, name: &str) -> bool {
        let naming = Naming::of_file(&self.name);
        naming.is_some_and(|naming| matches!(naming, Naming::Family { .. }) && naming.may_offer(kind, name))
    }

    /// Why a call to this process has no answer: what it did against the protocol, or how it died.
    pub async fn explain(&self, broken: Broken) -> PluginFailure {
        if !broken.is_link_lost() {
            return self.failure(broken.to_string());
        }
        let Departure { ended, last_lines } = self.departure().await;
        let what = format!("it {ended} during `{}`", broken.call);
        PluginFailure { plugin: self.name.clone(), what, last_lines, hint: None }
    }

    async fn departure(&self) -> Departure {
        let look = || async {
            match self.take_attached() {
                Some(attached) => attached.post_mortem().await,
                None => Departure { ended: packwire_wire::process::Ended::Unknown, last_lines: Vec::new() },
            }
        };
        self.departure.get_or_init(look).await.clone()
    }

    fn take_attached(&self) -> Option<Attached> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn failure(&self, what: String) -> PluginFailure {
        PluginFailure { plugin: self.name.clone(), what, last_lines: Vec::new(), hint: None }
    }
}
