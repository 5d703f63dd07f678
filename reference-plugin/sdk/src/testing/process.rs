//! A plugin's program as a process: attached, run, and ended in every way in which a session ends.
//!
//! The [`Host`] is that of the tests [in memory](super); here it calls the program. A test that stands in `tests/` of a
//! package finds the program in `env!("CARGO_BIN_EXE_packer-provisioner-greeting")`.
//!
//! ```no_run
//! use packwire_plugin::testing::{Host, Machine, Process, process::End};
//! use packwire_plugin::Stop;
//! use serde_json::json;
//!
//! # const PROGRAM: &str = "/no/such/program";
//! # async fn a_greeting_leaves_nothing_whatever_ends_it() -> Result<(), Stop> {
//! for end in End::ALL {
//!     let plugin = Process::attach(PROGRAM).await?;
//!     let host = Host::new();
//!     let mut halt = host.halt_at("communicator: ssh");
//!     let running = plugin.provision(&host, json!({}), Machine::new());
//!     halt.reached().await;
//!     plugin.end(end).await?;
//! #   drop(running);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The run is held at a known place before its end is tried: by a [`Halt`](super::Halt), by a machine on which a command
//! [hangs](super::Machine::hanging), by a named pipe, a server that does not answer, or a file without an end.
//!
//! Every way to end it but [`Process::kill`] fails when the program has not ended by itself in time, and when it has left
//! something behind: a process, or a file in its `TMPDIR`, which is a directory of its own.
mod remains;

use std::{
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use packwire_wire::{
    Artifact, Communicator, Component, Guest, Kind, OfferedArtifact, OfferedCommunicator, RemoteCapability,
    RemoteCommunicator, Room,
    process::{Ended, Launch, LogLine, LogSink, Offer, Program, inherited_environment},
};
use remains::Remains;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{runtime::Handle, task::JoinHandle};

use super::{Finished, Host, Processed};
use crate::{Plugin, Stop};

pub use remains::{files, lives, until};

/// A plugin's process, attached. Dropped, it is killed with all that it has started.
#[derive(Debug)]
pub struct Process {
    guest: Guest,
    remains: Remains,
    _room: Room,
}

impl Process {
    /// Starts a program, as hosts do, and waits until it has attached.
    ///
    /// # Errors
    /// Why it has not.
    pub async fn attach(program: impl AsRef<Path>) -> Result<Self, Stop> {
        let impossible = |error: std::io::Error| Stop::failed(format!("no plugin can be started: {error}"));
        let temporary = tempfile::tempdir().map_err(impossible)?;
        let mut environment = inherited_environment(&["TMPDIR"]);
        environment.push(("TMPDIR".into(), temporary.path().into()));
        let executable = program.as_ref().to_owned();
        let program = Program { executable, arguments: Vec::new(), environment, directory: None };
        let version = packwire_wire::limits::PROTOCOL_VERSION;
        let offer = Offer::of(&[version]).ok_or_else(|| Stop::failed("there is no version"))?;
        let room = Room::open(Handle::current()).map_err(impossible)?;
        let launched = Launch::new(program, offer, Arc::new(Unread)).start(&room);
        let attached = launched.map_err(|error| Stop::failed(error.to_string()))?.attach().await;
        let (guest, session, logs) =
            attached.map_err(|error| Stop::failed(format!("{error}: {error:?}")))?.into_parts();
        Ok(Self { guest, remains: Remains { session, logs, temporary }, _room: room })
    }

    /// What it offers.
    pub fn components(&self) -> &[Component<RemoteCapability>] {
        &self.guest.hello().components
    }

    fn first(&self, kind: Kind) -> Result<&Component<RemoteCapability>, Stop> {
        let first = self.components().iter().find(|one| one.kind() == kind);
        first.ok_or_else(|| Stop::failed(format!("the plugin offers no {kind}")))
    }

    /// Has `host` call the first component of a kind.
    fn calling<T, F>(
        &self,
        kind: Kind,
        host: &Host,
        call: impl FnOnce(Host, RemoteCapability) -> F + Send + 'static,
    ) -> Running<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Stop>> + Send,
    {
        let (host, component) = (host.clone(), self.first(kind).map(|first| first.capability.clone()));
        Running(tokio::spawn(async move { call(host, component?).await }))
    }

    /// Begins to prepare and run its builder.
    pub fn build(&self, host: &Host, config: Value) -> Running<Finished> {
        self.calling(Kind::Builder, host, async move |host, component| {
            host.run_builder(&component, &config).await
        })
    }

    /// Begins to prepare and run its provisioner, on a machine.
    pub fn provision(&self, host: &Host, config: Value, machine: impl Communicator) -> Running<()> {
        self.provision_with(host, config, Some(OfferedCommunicator::new(machine)))
    }

    /// Begins to prepare and run its provisioner, which needs no machine.
    pub fn provision_nothing(&self, host: &Host, config: Value) -> Running<()> {
        self.provision_with(host, config, None)
    }

    fn provision_with(
        &self,
        host: &Host,
        config: Value,
        machine: Option<OfferedCommunicator>,
    ) -> Running<()> {
        self.calling(Kind::Provisioner, host, async move |host, component| {
            host.run_provisioner(&component, &config, machine).await
        })
    }

    /// Begins to prepare and run its post-processor.
    pub fn post_process(&self, host: &Host, config: Value, artifact: impl Artifact) -> Running<Processed> {
        let artifact = OfferedArtifact::new(artifact);
        self.calling(Kind::PostProcessor, host, async move |host, component| {
            host.run_post_processor(&component, &config, artifact).await
        })
    }

    /// Begins to prepare and run its data source.
    pub fn query(&self, host: &Host, config: Value) -> Running<Value> {
        self.calling(Kind::DataSource, host, async move |host, component| {
            host.run_data_source(&component, &config).await
        })
    }

    /// Begins to run its command beside the components of `known`.
    pub fn run_command(
        &self,
        host: &Host,
        arguments: &'static [&'static str],
        known: Plugin,
    ) -> Running<i32> {
        self.calling(Kind::Command, host, async move |host, component| {
            host.run_host_command(&component, arguments, known).await
        })
    }

    /// Begins to call its hook, without a machine.
    pub fn call_hook(&self, host: &Host, event: &str, data: Value) -> Running<()> {
        let event = event.to_owned();
        self.calling(Kind::Hook, host, async move |host, component| {
            host.run_hook(&component, &event, &data).await
        })
    }

    /// Begins to prepare and open its communicator.
    pub fn open(&self, host: &Host, config: Value) -> Running<RemoteCommunicator> {
        self.calling(Kind::Communicator, host, async move |host, component| {
            host.run_connector(&component, &config).await
        })
    }

    /// Begins to have its first component of this kind deal with what `host` [remembers](Host::remembered).
    pub fn recover(&self, kind: Kind, host: &Host, config: Value) -> Running<()> {
        let (host, recovery) = (host.clone(), self.first(kind).map(|first| first.recovery.clone()));
        Running(tokio::spawn(async move { host.run_recovery(recovery?.as_ref(), &config).await }))
    }

    /// Ends its session in this way, waits for its end, and compares the exit status with that of SPEC.md.
    ///
    /// # Errors
    /// It does not end, or with another status, or leaves something behind.
    pub async fn end(self, end: End) -> Result<(), Stop> {
        let (ended, status) = match end {
            End::Leave => (self.leave().await?, 0),
            End::HostLost => (self.lose_host().await?, 4),
            End::Terminated => (self.terminate().await?, 4),
        };
        let as_expected = ended == Ended::Exited(status);
        if as_expected {
            Ok(())
        } else {
            Err(Stop::failed(format!("{end:?}: it {ended} instead of {status}")))
        }
    }

    /// Says that it is not needed any more, as hosts do, and waits for its end.
    ///
    /// # Errors
    /// It does not end, or leaves something behind.
    pub async fn leave(self) -> Result<Ended, Stop> {
        let link = self.guest.dismiss();
        let ended = self.remains.ended().await;
        drop(link);
        ended
    }

    /// Breaks the link, as the death of its host does, and waits for its end.
    ///
    /// # Errors
    /// It does not end, or leaves something behind.
    pub async fn lose_host(self) -> Result<Ended, Stop> {
        drop(self.guest);
        self.remains.ended().await
    }

    /// Sends SIGTERM while the link stays, and waits for its end.
    ///
    /// # Errors
    /// It does not end, or leaves something behind.
    pub async fn terminate(self) -> Result<Ended, Stop> {
        self.signal(Signal::TERM)?;
        self.remains.ended().await
    }

    /// Sends SIGINT, as a terminal does when its user presses Ctrl-C; to a plugin that is nothing.
    ///
    /// # Errors
    /// It has ended.
    pub fn interrupt(&self) -> Result<(), Stop> {
        self.signal(Signal::INT)
    }

    /// Sends SIGKILL, and ends what it has started. Its files are left to nobody, and go with its `TMPDIR`.
    ///
    /// # Errors
    /// It cannot be killed.
    pub async fn kill(self) -> Result<Ended, Stop> {
        self.signal(Signal::KILL)?;
        Ok(self.remains.killed().await)
    }

    fn signal(&self, signal: Signal) -> Result<(), Stop> {
        let process = i32::try_from(self.remains.session.id()).ok().and_then(Pid::from_raw);
        let sent = process.map_or(Err(rustix::io::Errno::SRCH), |process| kill_process(process, signal));
        sent.map_err(|error| Stop::failed(format!("the plugin cannot be signalled: {error}")))
    }
}

/// The ways in which a session ends that leave the plugin to clean up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The host says that the plugin is not needed any more.
    Leave,
    /// The host is gone.
    HostLost,
    /// SIGTERM came.
    Terminated,
}

impl End {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Leave, Self::HostLost, Self::Terminated];
}

/// A call under way, whose answer can be awaited. Dropped, it goes on, and nobody waits for it.
#[derive(Debug)]
pub struct Running<T>(JoinHandle<Result<T, Stop>>);

impl<T> Running<T> {
    /// Whether there is an answer, or will be none.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> Future for Running<T> {
    type Output = Result<T, Stop>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let joined = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(joined.unwrap_or_else(|error| Err(Stop::failed(format!("the call: {error}")))))
    }
}

/// Nobody reads the log; its last lines are kept for errors.
struct Unread;

impl LogSink for Unread {
    fn line(&self, _: &LogLine) {}
}
