//! One process of a plugin, from its attaching to its end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use packwire_wire::process::{Attached, Departure, Ended};
use packwire_wire::{Broken, Component, Hello, RemoteCapability};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Patience, PluginFailure};
use crate::catalog::{Kind, Naming, PluginCommand};
use crate::grace::{OpenRuns, within_grace};

/// A process of a plugin that has attached.
pub struct Running {
    name: String,
    command: PluginCommand,
    id: u32,
    hello: Hello<RemoteCapability>,
    /// Cancelled when its link is lost, or it has left.
    gone: CancellationToken,
    attached: Mutex<Option<Attached>>,
    departure: watch::Sender<Option<Departure>>,
    runs: OpenRuns,
    unused: Mutex<Unused>,
    patience: Patience,
    is_wait_told: AtomicBool,
}

/// How to close what was prepared and has not run.
#[derive(Default)]
struct Unused {
    closing: BTreeMap<u64, BoxFuture<'static, ()>>,
    next: u64,
}

impl Running {
    pub(super) fn new(name: &str, command: PluginCommand, attached: Attached, patience: Patience) -> Self {
        Self {
            name: name.to_owned(),
            command,
            id: attached.id(),
            hello: attached.hello().clone(),
            // Our own: whoever sees first that the link is lost says so.
            gone: attached.gone().child_token(),
            attached: Mutex::new(Some(attached)),
            departure: watch::Sender::default(),
            runs: OpenRuns::default(),
            unused: Mutex::default(),
            patience,
            is_wait_told: AtomicBool::default(),
        }
    }

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

    /// Waits until a process has ended that can be called no more.
    pub async fn buried(&self) {
        self.departure().await;
    }

    /// How long a run of a component of this kind may take to clean up.
    #[must_use]
    pub fn grace(&self, kind: Kind) -> Duration {
        self.patience.graces.of(kind)
    }

    /// A run, for which the process has the grace of a component of this `kind` when its link is lost.
    ///
    /// # Errors
    /// Those of the run.
    pub async fn run<T>(
        &self,
        kind: Kind,
        run: impl Future<Output = Result<T, Broken>>,
    ) -> Result<T, Broken> {
        let open = self.runs.open(self.grace(kind));
        let ran = run.await;
        if let Err(broken) = &ran
            && broken.is_link_lost()
        {
            open.lose();
            self.gone.cancel();
        }
        ran
    }

    /// The same; `None` if it was cancelled and was silent for its grace after that. It is given up then.
    pub async fn run_until<T>(
        &self,
        kind: Kind,
        run: impl Future<Output = Result<T, Broken>>,
        cancelled: &CancellationToken,
        heard: &Notify,
    ) -> Option<Result<T, Broken>> {
        let grace = self.grace(kind);
        let tell = || {
            if !self.is_wait_told.swap(true, Ordering::Relaxed) {
                self.patience.tell_of_run(&self.name, grace);
            }
        };
        within_grace(self.run(kind, run), cancelled, grace, heard, tell).await
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
        self.gone.cancel();
        let Departure { ended, last_lines } = self.departure().await;
        let what = format!("it {ended} during `{}`", broken.call);
        PluginFailure { plugin: self.name.clone(), what, last_lines, hint: None }
    }

    async fn departure(&self) -> Departure {
        let mut departure = self.departure.subscribe();
        let departure = departure.wait_for(Option::is_some).await;
        departure.ok().and_then(|known| known.clone()).unwrap_or_else(unknown)
    }

    /// Waits until the link is lost, gives the process the time to clean up what its runs have made, and ends what
    /// is left of it.
    pub(super) async fn bury_when_lost(&self) {
        self.gone.cancelled().await;
        let departure = match self.take_attached() {
            Some(attached) => {
                let grace = self.runs.grace(self.patience.graces.idle);
                attached.post_mortem(self.patience.with_lost(&self.name, grace)).await
            }
            None => unknown(),
        };
        self.departure.send_replace(Some(departure));
    }

    /// Remembers how to close what was prepared, for the case that it never runs.
    pub fn keep_unused(&self, close: impl Future<Output = ()> + Send + 'static) -> u64 {
        let mut unused = self.unused();
        let number = unused.next;
        unused.next += 1;
        unused.closing.insert(number, close.boxed());
        number
    }

    /// It runs now: whoever runs it closes it.
    pub fn use_kept(&self, number: u64) {
        self.unused().closing.remove(&number);
    }

    fn unused(&self) -> MutexGuard<'_, Unused> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes what was prepared and never ran, tells it to leave, and ends what has not left within its grace;
    /// `None` if it has left before.
    pub(super) async fn leave(&self) -> Option<Ended> {
        let unused = std::mem::take(&mut self.unused().closing);
        if !self.is_gone() {
            join_all(unused.into_values()).await;
        }
        let grace = self.runs.grace(self.patience.graces.idle);
        let left = self.take_attached()?.leave(grace).await;
        Some(left.ended)
    }

    /// Ends it at once.
    pub(super) fn end(&self) {
        drop(self.take_attached());
    }

    fn take_attached(&self) -> Option<Attached> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn failure(&self, what: String) -> PluginFailure {
        PluginFailure { plugin: self.name.clone(), what, last_lines: Vec::new(), hint: None }
    }
}

fn unknown() -> Departure {
    Departure { ended: Ended::Unknown, last_lines: Vec::new() }
}
