//! The ledger's entry of an output, from before it is made until it is gone or stays.
use packwire_plugin::{BuildRun, LedgerEntry, Stop};
use serde_json::json;

use crate::output::Made;

/// What the host knows of an output after a crash.
#[derive(Debug)]
pub(crate) struct Entry(LedgerEntry);

impl Entry {
    /// Has the host remember what is about to be made; a host that does not is no host to make it for.
    pub(crate) async fn of(run: &BuildRun, made: &Made) -> Result<Self, Stop> {
        Ok(Self(run.environment.remember(json!(made).to_string()).await??))
    }

    /// More is known of it.
    pub(crate) async fn update(&self, made: &Made) -> Result<(), Stop> {
        Ok(self.0.update(json!(made).to_string()).await??)
    }

    /// It is gone, or stays on purpose.
    pub(crate) async fn settle(self) {
        if let Err(broken) = self.0.settle().await {
            packwire_plugin::log::warn(format!("the ledger has an entry too many: {broken}"));
        }
    }
}
