//! What a dead process has left → its component's own recovery, in a fresh process.

use std::sync::Arc;
use std::time::Duration;

use packwire_wire::{Context, Diagnostic, Kind, OfferedLedgerEntry, Outcome, RecoveryLent, RemoteRecovery};
use tokio_util::sync::CancellationToken;

use super::remembered::Line;
use super::{Services, User};
use crate::ledger::{Kept, Maker, Thing};
use crate::plugins::{Plugin, PluginFailure, Running};
use crate::ui::BuildUi;

/// Whose time to clean up a recovery has: it is about what takes longest.
const RECOVERS_AS: Kind = Kind::Builder;

/// Lines of one component, with what it said in them.
pub(crate) type Left = Vec<(Kept, Thing)>;

/// One component that left something, ready to deal with it.
pub(crate) struct Recovering<'a> {
    /// Who has left it.
    pub(crate) maker: &'a Maker,
    /// Its plugin: a process of it that lives is a fresh one.
    pub(crate) plugin: &'a Arc<Plugin>,
    /// Its configuration.
    pub(crate) config: String,
    /// Where it was used.
    pub(crate) context: Context,
    /// Where it says what happens.
    pub(crate) ui: &'a BuildUi,
    /// What it is lent.
    pub(crate) services: Services,
    /// Stops it.
    pub(crate) cancelled: CancellationToken,
}

/// Why something is still there; it stays in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotRecovered {
    #[error("{0}")]
    Plugin(#[from] PluginFailure),
    #[error("the plugin offers no recovery of its {kind} `{name}`")]
    NotOffered { kind: Kind, name: String },
    #[error("{}", .0.iter().filter(|one| one.is_error()).map(|one| one.summary.as_str()).collect::<Vec<_>>().join("\n"))]
    Failed(Vec<Diagnostic>),
    #[error("it was cancelled")]
    Cancelled,
    #[error("it was silent for {0:?}")]
    Silent(Duration),
    #[error("it is done, and has not settled {0}")]
    Unsettled(String),
}

impl Recovering<'_> {
    /// Has the component deal with what it left.
    ///
    /// # Errors
    /// Something is still there.
    pub(crate) async fn recover(self, left: &Left) -> Result<(), NotRecovered> {
        let Self { maker, plugin, ui, services, .. } = &self;
        ui.say(&format!("Recovering {} that {} has left", things(left.len()), maker.who()));
        let running = plugin.running().await?;
        let recovery = offered(&running, maker)?;
        services.used_by(self.user(&running));
        let lent = self.lent(left);
        // From the beginning it has as long as after a cancellation: each line that it says begins the time anew.
        let patience = CancellationToken::new();
        patience.cancel();
        let ran = running.run_until(RECOVERS_AS, recovery.recover(lent), &patience, ui.heard()).await;
        services.give_back().await;
        match ran {
            None => Err(NotRecovered::Silent(running.grace(RECOVERS_AS))),
            Some(Err(broken)) => Err(running.explain(broken).await.into()),
            Some(Ok(Outcome::Failed(diagnostics))) => Err(NotRecovered::Failed(diagnostics)),
            Some(Ok(Outcome::Cancelled)) => Err(NotRecovered::Cancelled),
            Some(Ok(Outcome::Done)) => settled(left),
        }
    }

    fn user(&self, running: &Arc<Running>) -> User {
        let Maker { build, kind, component, at, .. } = self.maker.clone();
        User {
            maker: Maker::new(build, kind, &component, at, running),
            plugin: self.plugin.clone(),
            running: running.clone(),
            config: self.config.clone(),
        }
    }

    fn lent(&self, left: &Left) -> RecoveryLent {
        let line = |(kept, thing): &(Kept, Thing)| {
            let secrets = self.ui.terminal().secrets().clone();
            let line = Line { kept: kept.clone(), maker: thing.maker.clone(), secrets };
            (thing.text.clone(), OfferedLedgerEntry::new(line))
        };
        RecoveryLent {
            config: self.config.clone(),
            context: self.context.clone(),
            entries: left.iter().map(line).collect(),
            ui: self.ui.lend(self.cancelled.clone()),
            environment: self.services.offer(),
            cancellation: self.cancelled.clone(),
        }
    }
}

fn offered(running: &Running, maker: &Maker) -> Result<RemoteRecovery, NotRecovered> {
    let Maker { kind, component, .. } = maker;
    let offered = running.component(*kind, component)?;
    offered.recovery.clone().ok_or_else(|| NotRecovered::NotOffered { kind: *kind, name: component.clone() })
}

/// What is done is settled by whoever did it: the host cannot know.
fn settled(left: &Left) -> Result<(), NotRecovered> {
    match left.iter().filter(|(kept, _)| kept.is_left()).count() {
        0 => Ok(()),
        unsettled => Err(NotRecovered::Unsettled(things(unsettled))),
    }
}

/// `1 thing`, `2 things`.
pub(crate) fn things(count: usize) -> String {
    format!("{count} {}", if count == 1 { "thing" } else { "things" })
}
