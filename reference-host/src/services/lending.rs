//! What the host lends to one run, from its beginning until all of it is taken back.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use packwire_wire::{Context, Diagnostic, OfferedEnvironment, OnError, RemoteCommunicator, RemoteConnection};
use tokio::sync::{RwLock, RwLockReadGuard};
use tokio_util::sync::CancellationToken;

use super::cache::Caller;
use super::environment::refused;
use super::holdings::Holdings;
use super::recovery::{Left, Recovering, things};
use super::remembered::Line;
use super::stock::Stock;
use crate::catalog::Catalog;
use crate::ledger::{Entry, Maker};
use crate::plugins::{Plugin, Plugins, Running};
use crate::template::Grants;
use crate::ui::BuildUi;

/// A broken call tells of a dead process a moment before its link does.
const DEATH_IS_KNOWN_WITHIN: Duration = Duration::from_secs(1);

/// What the host lends to one run, and takes back when it is over.
#[derive(Clone)]
pub struct Services(pub(super) Arc<Lending>);

pub(super) struct Lending {
    pub(super) catalog: Arc<Catalog>,
    pub(super) plugins: Arc<Plugins>,
    pub(super) stock: Arc<Stock>,
    pub(super) ui: BuildUi,
    pub(super) context: Context,
    pub(super) cancelled: CancellationToken,
    /// A builder may ask for communicators; others only where the template grants it.
    pub(super) grants_communicators: bool,
    pub(super) caller: Caller,
    pub(super) holdings: Arc<Holdings>,
    /// Cancelled when the run is over: whoever still waits waits for nothing.
    pub(super) over: CancellationToken,
    /// Held by each request while it is dealt with: what is being given is taken back, too.
    requests: RwLock<()>,
    user: OnceLock<User>,
    open: Mutex<Vec<(RemoteCommunicator, RemoteConnection)>>,
    /// The runs of connectors, whose holdings last as long as the communicators that they opened.
    connectors: Mutex<Vec<Services>>,
    written: Mutex<Vec<Line>>,
}

/// Who runs, and how what it leaves is dealt with.
#[derive(Clone)]
pub struct User {
    /// The component, in its place in the template.
    pub maker: Maker,
    /// Its plugin.
    pub plugin: Arc<Plugin>,
    /// The process that it runs in.
    pub running: Arc<Running>,
    /// Its configuration.
    pub config: String,
}

impl Services {
    /// The services of a builder's run.
    #[must_use]
    pub fn of_builder(
        catalog: Arc<Catalog>,
        plugins: Arc<Plugins>,
        stock: Arc<Stock>,
        ui: BuildUi,
        context: Context,
        cancelled: CancellationToken,
    ) -> Self {
        let caller = stock.cache.caller(None);
        let parts = Parts { catalog, plugins, stock, ui, context };
        Self(Arc::new(parts.lending(caller, cancelled, true)))
    }

    /// The services of any other run in the same build, which the builder's run waits for.
    #[must_use]
    pub fn of_others(&self, grants: Grants, cancelled: CancellationToken) -> Self {
        self.child(grants.communicator, cancelled)
    }

    pub(super) fn child(&self, grants_communicators: bool, cancelled: CancellationToken) -> Self {
        let Lending { catalog, plugins, stock, ui, context, caller, .. } = &*self.0;
        let caller = stock.cache.caller(Some(caller));
        let parts = Parts {
            catalog: catalog.clone(),
            plugins: plugins.clone(),
            stock: stock.clone(),
            ui: ui.clone(),
            context: context.clone(),
        };
        Self(Arc::new(parts.lending(caller, cancelled, grants_communicators)))
    }

    /// Says who runs: without that nothing is lent that outlives a crash. The first to be named counts.
    pub fn used_by(&self, user: User) {
        drop(self.0.user.set(user));
    }

    /// The capability to lend.
    #[must_use]
    pub fn offer(&self) -> OfferedEnvironment {
        OfferedEnvironment::new(self.clone())
    }

    /// Takes back all that is still out when the run has answered, and has what a dead process left dealt with.
    pub async fn close(&self) {
        // A process that still writes must not, where its directories go.
        if let Some(user) = self.0.user.get().filter(|user| user.running.is_gone()) {
            user.running.buried().await;
        }
        self.give_back().await;
        let left = self.left();
        if let Some(user) = self.0.user.get().filter(|_| !left.is_empty()) {
            self.deal_with(user, left).await;
        }
    }

    /// Takes back all that is still out.
    pub(super) async fn give_back(&self) {
        self.end_requests().await;
        for (communicator, connection) in taken(&self.0.open) {
            // A plugin that is gone has closed both.
            drop(communicator.close().await);
            drop(connection.close().await);
        }
        for connector in taken(&self.0.connectors) {
            connector.take_holdings_back().await;
        }
        self.take_holdings_back().await;
    }

    /// From here on nothing is given, and nothing is about to be.
    async fn end_requests(&self) {
        self.0.over.cancel();
        drop(self.0.requests.write().await);
    }

    /// A request while this is held; refused when the run is over.
    pub(super) async fn request(&self) -> Result<RwLockReadGuard<'_, ()>, Vec<Diagnostic>> {
        let request = self.0.requests.read().await;
        if self.0.over.is_cancelled() { Err(refused("the run is over")) } else { Ok(request) }
    }

    /// The same for one that may open no communicators.
    pub(super) async fn take_holdings_back(&self) {
        self.end_requests().await;
        for problem in self.0.holdings.close().await {
            self.0.ui.error(&problem);
        }
    }

    pub(super) fn maker(&self) -> Result<&Maker, Vec<Diagnostic>> {
        let user = self.0.user.get().map(|user| &user.maker);
        user.ok_or_else(|| refused("nothing that outlives a crash is lent to this run"))
    }

    pub(super) fn opened(&self, communicator: RemoteCommunicator, connection: RemoteConnection) {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner).push((communicator, connection));
    }

    pub(super) fn connecting(&self, connector: Self) {
        self.0.connectors.lock().unwrap_or_else(PoisonError::into_inner).push(connector);
    }

    pub(super) fn written(&self, line: Line) {
        self.0.written.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// The lines of this run that nobody has settled.
    fn left(&self) -> Left {
        let written = self.0.written.lock().unwrap_or_else(PoisonError::into_inner);
        let left = written.iter().filter_map(|line| match line.kept.entry()? {
            Entry::Thing(thing) => Some((line.kept.clone(), thing)),
            Entry::Directory { .. } => None,
        });
        left.collect()
    }

    /// A process that lives answers for what it leaves; a dead one's component does so in a fresh process.
    async fn deal_with(&self, user: &User, left: Left) {
        if !user.running.is_gone_within(DEATH_IS_KNOWN_WITHIN).await {
            return;
        }
        user.running.buried().await;
        let (Lending { ui, context, .. }, maker) = (&*self.0, &user.maker);
        if context.on_error == OnError::Abort {
            ui.say(&format!("{} of {} stay, as `-on-error=abort` says", things(left.len()), maker.who()));
            for (kept, _) in left {
                if let Err(why) = kept.strike().await {
                    ui.error(&why.to_string());
                }
            }
            return;
        }
        let cancelled = CancellationToken::new();
        let recovering = Recovering {
            maker,
            plugin: &user.plugin,
            config: user.config.clone(),
            context: Context { component_type: maker.component.clone(), ..context.clone() },
            ui,
            services: self.child(self.0.grants_communicators, cancelled.clone()),
            cancelled,
        };
        match recovering.recover(&left).await {
            Ok(()) => ui.message("All of it is dealt with"),
            Err(why) => ui.error(&format!(
                "what {} has left is not dealt with: {why}\n`packwire recover` tries again",
                maker.who()
            )),
        }
    }
}

fn taken<T>(all: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut *all.lock().unwrap_or_else(PoisonError::into_inner))
}

/// What all runs of a build are lent from.
struct Parts {
    catalog: Arc<Catalog>,
    plugins: Arc<Plugins>,
    stock: Arc<Stock>,
    ui: BuildUi,
    context: Context,
}

impl Parts {
    fn lending(self, caller: Caller, cancelled: CancellationToken, grants_communicators: bool) -> Lending {
        let Self { catalog, plugins, stock, ui, context } = self;
        Lending {
            catalog,
            plugins,
            stock,
            ui,
            context,
            cancelled,
            grants_communicators,
            caller,
            holdings: Arc::default(),
            over: CancellationToken::new(),
            user: OnceLock::new(),
            requests: RwLock::default(),
            open: Mutex::default(),
            connectors: Mutex::default(),
            written: Mutex::default(),
        }
    }
}
