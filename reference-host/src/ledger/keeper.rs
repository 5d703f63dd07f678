//! The ledger as a living host keeps it: begun with the first entry, and never in the way of other work.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::book::{Book, LedgerError};
use super::record::{Entry, RunRecord};

/// The ledger of one run of a host. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(Arc<State>);

#[derive(Debug)]
struct State {
    place: Option<PathBuf>,
    record: Option<RunRecord>,
    book: Mutex<Option<Book>>,
}

/// One entry that is on disk.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    ledger: Ledger,
    number: u64,
}

/// Why there is no entry.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    #[error("there is no place for the ledger: set XDG_STATE_HOME or HOME")]
    NoPlace,
    #[error("this command keeps no ledger")]
    NoRun,
    #[error("{source}: {}", source.why)]
    Ledger {
        #[from]
        source: LedgerError,
    },
    #[error("the ledger's work did not end: {0}")]
    Unfinished(io::Error),
}

impl Ledger {
    /// The ledger of a new run; nothing is written before there is something to remember.
    pub(crate) fn of_run(place: Option<PathBuf>, record: Option<RunRecord>) -> Self {
        Self(Arc::new(State { place, record, book: Mutex::default() }))
    }

    /// The ledger that a dead host left.
    pub(crate) fn of_book(book: Book) -> Self {
        let state = State { place: None, record: None, book: Mutex::new(Some(book)) };
        Self(Arc::new(state))
    }

    /// Writes an entry; it is on disk when this answers well.
    pub(crate) async fn remember(&self, entry: Entry) -> Result<Kept, NotKept> {
        let ledger = self.clone();
        let number = off_the_runtime(move || ledger.0.add(entry)).await?;
        Ok(Kept { ledger: self.clone(), number })
    }

    /// The entries that this picks, by number.
    pub(crate) fn picked(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<(Kept, Entry)> {
        let book = self.0.book();
        let entries = book.iter().flat_map(|book| book.entries());
        let wanted = entries.filter(|(_, entry)| wanted(entry));
        let kept = |number: &u64| Kept { ledger: self.clone(), number: *number };
        wanted.map(|(number, entry)| (kept(number), entry.clone())).collect()
    }

    /// Ends it. Yields what is left, which stays on disk.
    pub(crate) fn close(&self) -> Result<BTreeMap<u64, Entry>, LedgerError> {
        let Some(book) = self.0.book().take() else { return Ok(BTreeMap::new()) };
        let left = book.entries().clone();
        book.close().map(|()| left)
    }
}

impl State {
    fn book(&self) -> MutexGuard<'_, Option<Book>> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, entry: Entry) -> Result<u64, NotKept> {
        let mut book = self.book();
        if let Some(book) = &mut *book {
            return Ok(book.add(entry)?);
        }
        let place = self.place.as_ref().ok_or(NotKept::NoPlace)?;
        let record = self.record.clone().ok_or(NotKept::NoRun)?;
        let begun = book.insert(Book::begin(place, record)?);
        Ok(begun.add(entry)?)
    }
}

impl Kept {
    /// Writes another text in its place.
    pub(crate) async fn replace(&self, entry: Entry) -> Result<(), NotKept> {
        let Self { ledger, number } = self.clone();
        let replace = move || {
            let mut book = ledger.0.book();
            // What is struck out is not written again.
            let book = book.as_mut().filter(|book| book.entries().contains_key(&number));
            book.map_or(Ok(()), |book| book.replace(number, entry)).map_err(NotKept::from)
        };
        off_the_runtime(replace).await
    }

    /// Strikes it out.
    pub(crate) async fn strike(&self) -> Result<(), NotKept> {
        let Self { ledger, number } = self.clone();
        let strike = move || {
            let mut book = ledger.0.book();
            book.as_mut().map_or(Ok(()), |book| book.strike(number)).map_err(NotKept::from)
        };
        off_the_runtime(strike).await
    }

    /// What it says now; `None` once it is struck out.
    pub(crate) fn entry(&self) -> Option<Entry> {
        self.ledger.0.book().as_ref()?.entries().get(&self.number).cloned()
    }

    /// Whether it has not been struck out yet.
    pub(crate) fn is_left(&self) -> bool {
        self.entry().is_some()
    }
}

/// Waiting for a disk is no work for the runtime's threads.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotKept> + Send + 'static,
) -> Result<T, NotKept> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(NotKept::Unfinished(error.into())),
    }
}
