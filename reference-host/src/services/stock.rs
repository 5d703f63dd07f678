//! What a host lends from: one for each start of it, whatever it runs.

use super::cache::Cache;
use crate::ledger::{Ledger, RunRecord};
use crate::places::Places;

/// The cache, the ledger, and where the rest is made.
#[derive(Debug)]
pub struct Stock {
    pub(super) places: Places,
    pub(super) cache: Cache,
    pub(super) ledger: Ledger,
}

impl Stock {
    /// The stock of a run. Nothing is made before it is asked for.
    #[must_use]
    pub fn of_run(places: Places, record: RunRecord) -> Self {
        let ledger = Ledger::of_run(places.ledger.clone(), Some(record));
        Self::new(places, ledger)
    }

    pub(crate) fn new(places: Places, ledger: Ledger) -> Self {
        Self { cache: Cache::new(places.cache.clone()), places, ledger }
    }

    /// What is to be dealt with when the host is gone.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}
