//! The files of one run: written whole or not at all, and on disk when a call returns.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use super::record::{Entry, RunRecord};
use crate::lock::Lock;
use crate::places::make_private;

const RECORD: &str = "run.json";

/// The ledger of one run, which is ours alone while this lives.
#[derive(Debug)]
pub struct Book {
    directory: PathBuf,
    record: RunRecord,
    entries: BTreeMap<u64, Entry>,
    unreadable: Vec<LedgerError>,
    next: u64,
    _lock: Lock,
}

/// What came of asking for a run's ledger.
#[derive(Debug)]
pub enum Claim {
    /// It is ours: whoever had it is dead.
    Ours(Box<Book>),
    /// Somebody who lives has it.
    Taken,
    /// There is none any more.
    Gone,
}

/// A file of the ledger that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("the ledger's {} cannot be {what}", path.display())]
pub struct LedgerError {
    /// Which.
    pub path: PathBuf,
    /// `written`, `read`, …
    pub what: &'static str,
    /// What the system said.
    #[source]
    pub why: io::Error,
}

/// The ids of all runs that have left something, those of living hosts too.
///
/// # Errors
/// The directory is there and cannot be read.
pub fn runs(ledger: &Path) -> Result<Vec<String>, LedgerError> {
    let listed = match fs::read_dir(ledger) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unable(ledger, "read")(error)),
    };
    let names = listed.flatten().filter(|entry| entry.path().is_dir());
    let mut runs: Vec<_> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    runs.sort();
    Ok(runs)
}

/// Takes over the ledger of a run, whose id must be one of [`runs`].
///
/// # Errors
/// It cannot be locked, or does not say how its configurations are made anew. Nothing of it is lost.
pub fn claim(ledger: &Path, run: &str) -> Result<Claim, LedgerError> {
    let directory = ledger.join(run);
    let opened = match File::open(&directory) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Claim::Gone),
        Err(error) => return Err(unable(&directory, "read")(error)),
    };
    let Some(lock) = Lock::of(opened, &directory, false).map_err(unable(&directory, "locked"))? else {
        return Ok(if directory.exists() { Claim::Taken } else { Claim::Gone });
    };
    if !directory.join(RECORD).exists() {
        // Its host died before it had anything to remember.
        return sweep(&directory).map(|()| Claim::Gone).map_err(unable(&directory, "removed"));
    }
    let record = read(&directory.join(RECORD))?;
    let mut book =
        Book { directory, record, entries: BTreeMap::new(), unreadable: Vec::new(), next: 0, _lock: lock };
    book.read_entries()?;
    Ok(Claim::Ours(Box::new(book)))
}

impl Book {
    /// Begins the ledger of a run. Nobody sees it before it is locked.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(ledger: &Path, record: RunRecord) -> Result<Self, LedgerError> {
        make_private(ledger).map_err(unable(ledger, "made"))?;
        let (directory, new) = (ledger.join(&record.run), ledger.join(format!(".{}", record.run)));
        let unwritten = unable(&new, "written");
        let begun = fs::DirBuilder::new().create(&new).and_then(|()| {
            fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
            let lock = Lock::of(File::open(&new)?, &new, false)?;
            lock.ok_or_else(|| io::Error::other("somebody else has taken it"))
        });
        let lock = begun.map_err(&unwritten)?;
        let recorded = write(&new, RECORD, &record)
            .and_then(|()| fs::rename(&new, &directory).and_then(|()| sync(ledger)).map_err(unwritten));
        if recorded.is_err() {
            // Where it is in its place already, `recover` finds nothing to do.
            drop(sweep(&new));
        }
        recorded?;
        let entries = BTreeMap::new();
        Ok(Self { directory, record, entries, unreadable: Vec::new(), next: 0, _lock: lock })
    }

    /// How the run's configurations are made anew.
    #[must_use]
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// What there is to deal with, by number.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<u64, Entry> {
        &self.entries
    }

    /// Entries that nobody can read: they stay.
    #[must_use]
    pub fn unreadable(&self) -> &[LedgerError] {
        &self.unreadable
    }

    /// Writes a new entry, and yields its number.
    ///
    /// # Errors
    /// It is not on disk.
    pub fn add(&mut self, entry: Entry) -> Result<u64, LedgerError> {
        let number = self.next;
        self.replace(number, entry)?;
        self.next += 1;
        Ok(number)
    }

    /// Writes an entry in the place of the one with this number.
    ///
    /// # Errors
    /// It is not on disk, and the old one still is.
    pub fn replace(&mut self, number: u64, entry: Entry) -> Result<(), LedgerError> {
        write(&self.directory, &file_name(number), &entry)?;
        self.entries.insert(number, entry);
        Ok(())
    }

    /// Strikes out an entry; one that is struck out already is no matter.
    ///
    /// # Errors
    /// It is still on disk.
    pub fn strike(&mut self, number: u64) -> Result<(), LedgerError> {
        let path = self.directory.join(file_name(number));
        match fs::remove_file(&path) {
            Ok(()) => sync(&self.directory).map_err(unable(&path, "struck out"))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unable(&path, "struck out")(error)),
        }
        self.entries.remove(&number);
        Ok(())
    }

    /// Ends the ledger of a run: what is left stays for `recover`; where nothing is left, nothing stays.
    ///
    /// # Errors
    /// The last of it cannot be removed.
    pub fn close(self) -> Result<(), LedgerError> {
        if self.entries.is_empty() && self.unreadable.is_empty() {
            sweep(&self.directory).map_err(unable(&self.directory, "removed"))?;
        }
        Ok(())
    }

    fn read_entries(&mut self) -> Result<(), LedgerError> {
        let listed = fs::read_dir(&self.directory).map_err(unable(&self.directory, "read"))?;
        for path in listed.flatten().map(|entry| entry.path()) {
            let Some(number) = number(&path) else { continue };
            self.next = self.next.max(number + 1);
            match read(&path) {
                Ok(entry) => drop(self.entries.insert(number, entry)),
                Err(error) => self.unreadable.push(error),
            }
        }
        Ok(())
    }
}

fn file_name(number: u64) -> String {
    format!("{number}.json")
}

fn number(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_suffix(".json")?.parse().ok()
}

fn unable(path: &Path, what: &'static str) -> impl Fn(io::Error) -> LedgerError {
    let path = path.to_owned();
    move |why| LedgerError { path: path.clone(), what, why }
}

/// Writes a file beside its place, and moves it there when it is on disk.
fn write(directory: &Path, name: &str, content: &impl Serialize) -> Result<(), LedgerError> {
    let (path, draft) = (directory.join(name), directory.join(format!(".{name}")));
    let written = serde_json::to_vec(content).map_err(io::Error::from).and_then(|text| {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        sync(directory)
    });
    written.map_err(|why| {
        // A full disk has less use for it than anybody.
        drop(fs::remove_file(&draft));
        unable(&path, "written")(why)
    })
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, LedgerError> {
    let text = fs::read(path).map_err(unable(path, "read"))?;
    serde_json::from_slice(&text).map_err(|error| unable(path, "read")(error.into()))
}

/// What was created, renamed or removed in a directory is so after a crash, too.
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Removes a ledger that has no entries, drafts of a killed host included.
fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        fs::remove_file(entry?.path())?;
    }
    fs::remove_dir(directory)
}

#[cfg(test)]
#[path = "book/tests.rs"]
mod tests;
