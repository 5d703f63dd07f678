//! The ledger's entry of an output, from before it is made until it is gone or stays.
use packwire_plugin::{BuildRun, LedgerEntry, Stop};
use serde_json::json;

use crate::output::Made;

/// What the host knows of an output after a crash.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Missing where the host keeps no ledger.
    entry: Option<LedgerEntry>,
}

impl Entry {
    /// Has the host remember what is about to be made.
    pub(crate) async fn of(run: &BuildRun, made: &Made) -> Result<Self, Stop> {
        let entry = match run.environment.remember(json!(made).to_string()).await? {
            Ok(entry) => Some(entry),
            Err(refused) => {
                let why = refused.first().map_or("", |one| one.summary.as_str());
                packwire_plugin::log::warn(format!("nobody cleans up after a crash of this build: {why}"));
                None
            }
        };
        Ok(Self { entry })
    }

    /// More is known of it.
    pub(crate) async fn update(&self, made: &Made) -> Result<(), Stop> {
        match &self.entry {
            Some(entry) => Ok(entry.update(json!(made).to_string()).await??),
            None => Ok(()),
        }
    }

    /// It is gone, or stays on purpose.
    pub(crate) async fn settle(self) {
        if let Some(entry) = self.entry
            && let Err(broken) = entry.settle().await
        {
            packwire_plugin::log::warn(format!("the ledger has an entry too many: {broken}"));
        }
    }
}
