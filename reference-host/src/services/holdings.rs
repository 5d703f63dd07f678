//! What one run has been given, and has to give back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packwire_wire::{Lease, OfferedLease};

use super::cache::CacheLease;
use super::directory::TempDirectory;
use super::http::Server;
use super::port::PortLease;

/// Something that was given.
#[derive(Debug)]
pub(super) enum Given {
    Cached(CacheLease),
    Directory(TempDirectory),
    Port(PortLease),
    Server(Server),
}

/// All that one run has.
#[derive(Debug, Default)]
pub(super) struct Holdings(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    given: BTreeMap<u64, Given>,
    /// The run is over: nothing is given any more.
    is_over: bool,
}

/// The right to one thing of the holdings.
struct Right {
    holdings: Arc<Holdings>,
    number: u64,
}

impl Holdings {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a thing until its lease, or the run, ends. Where that has ended already it is taken back at once.
    pub(super) async fn keep(self: &Arc<Self>, given: Given) -> Result<OfferedLease, String> {
        match self.enter(given) {
            Ok(number) => Ok(OfferedLease::new(Right { holdings: self.clone(), number })),
            Err(given) => {
                given.take_back().await?;
                Err("the run is over".to_owned())
            }
        }
    }

    fn enter(&self, given: Given) -> Result<u64, Given> {
        let mut state = self.state();
        if state.is_over {
            return Err(given);
        }
        let number = state.next;
        state.next += 1;
        state.given.insert(number, given);
        Ok(number)
    }

    /// Takes everything back, what was given last first: a server before the directory that it serves. Yields what
    /// cannot be taken back.
    pub(super) async fn close(&self) -> Vec<String> {
        let given = {
            let mut state = self.state();
            state.is_over = true;
            std::mem::take(&mut state.given)
        };
        let mut problems = Vec::new();
        for given in given.into_values().rev() {
            problems.extend(given.take_back().await.err());
        }
        problems
    }
}

impl Given {
    async fn take_back(self) -> Result<(), String> {
        match self {
            Self::Cached(lease) => {
                drop(lease);
                Ok(())
            }
            Self::Port(lease) => {
                drop(lease);
                Ok(())
            }
            Self::Directory(directory) => directory.take_back().await,
            Self::Server(server) => {
                server.end().await;
                Ok(())
            }
        }
    }
}

impl Lease for Right {
    async fn close(&self) {
        let given = self.holdings.state().given.remove(&self.number);
        if let Some(given) = given {
            // What cannot be removed stays in the ledger, and is told with the rest of it.
            drop(given.take_back().await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::tests::{ledger, maker};

    async fn directory(folder: &std::path::Path) -> (crate::ledger::Ledger, Given) {
        let ledger = ledger(folder);
        let made = TempDirectory::make(folder, &ledger, maker()).await.unwrap();
        (ledger, Given::Directory(made))
    }

    fn exists(folder: &std::path::Path) -> bool {
        std::fs::read_dir(folder).unwrap().count() > 1
    }

    // host.services-end
    #[tokio::test]
    async fn the_end_of_the_run_takes_everything_back() {
        let folder = tempfile::tempdir().unwrap();
        let (_ledger, given) = directory(folder.path()).await;
        let holdings = Arc::new(Holdings::default());
        let _lease = holdings.keep(given).await.unwrap();
        assert!(exists(folder.path()));
        assert_eq!(holdings.close().await, Vec::<String>::new());
        assert!(!exists(folder.path()));
    }

    #[tokio::test]
    async fn a_lease_that_is_closed_takes_its_thing_back() {
        let folder = tempfile::tempdir().unwrap();
        let (_ledger, given) = directory(folder.path()).await;
        let holdings = Arc::new(Holdings::default());
        let number = holdings.enter(given).unwrap();
        let right = Right { holdings, number };
        right.close().await;
        assert!(!exists(folder.path()));
        right.close().await;
    }

    #[tokio::test]
    async fn what_comes_too_late_is_taken_back_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (_ledger, given) = directory(folder.path()).await;
        let holdings = Arc::new(Holdings::default());
        holdings.close().await;
        assert_eq!(holdings.keep(given).await.unwrap_err(), "the run is over");
        assert!(!exists(folder.path()));
    }
}
