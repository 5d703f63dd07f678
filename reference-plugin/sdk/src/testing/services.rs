//! What a host under test lends: real directories, and a book in memory.
use std::{
    collections::BTreeMap,
    fs::Permissions,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use packwire_wire::{
    Diagnostic, Environment, Lease, Leased, LedgerEntry, OfferedCommunicator, OfferedLease,
    OfferedLedgerEntry,
};
use tempfile::TempDir;

use super::Host;

/// The services of one host. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Services(Arc<Mutex<Lent>>);

/// What is lent, and what is remembered.
#[derive(Debug, Default)]
struct Lent {
    /// Made when it is asked for first.
    cache: Option<TempDir>,
    directories: Vec<TempDir>,
    entries: BTreeMap<usize, String>,
    remembered_so_far: usize,
}

impl Services {
    fn locked(&self) -> MutexGuard<'_, Lent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn remembered(&self) -> Vec<String> {
        self.locked().entries.values().cloned().collect()
    }

    pub(super) fn entries(&self, host: &Host) -> Vec<(String, OfferedLedgerEntry)> {
        let entries = self.locked().entries.clone();
        let offered = |number| OfferedLedgerEntry::new(Entry { host: host.clone(), number });
        entries.into_iter().map(|(number, text)| (text, offered(number))).collect()
    }

    pub(super) fn remember(&self, text: String) -> usize {
        let mut lent = self.locked();
        let number = lent.remembered_so_far;
        lent.remembered_so_far += 1;
        drop(lent.entries.insert(number, text));
        number
    }
}

impl Environment for Host {
    async fn communicator(
        &self,
        kind: String,
        config: String,
    ) -> Result<OfferedCommunicator, Vec<Diagnostic>> {
        self.seen("communicator", &format!("{kind} {config}")).await;
        let machine = self.machines.get(&kind);
        let machine =
            machine.ok_or_else(|| vec![Diagnostic::error(format!("there is no communicator `{kind}`"))])?;
        Ok(OfferedCommunicator::new(machine.clone()))
    }

    async fn cache(&self, key: String, shared: bool) -> Result<Leased<String>, Vec<Diagnostic>> {
        self.seen("cache", &format!("{key}{}", if shared { ", to read" } else { "" })).await;
        let mut lent = self.services.locked();
        let cache = match lent.cache.take() {
            Some(cache) => cache,
            None => directory()?,
        };
        let file = key.replace(|character: char| !character.is_ascii_alphanumeric(), "-");
        let path = cache.path().join(file).display().to_string();
        lent.cache = Some(cache);
        Ok(self.leased(path, "the cache"))
    }

    async fn temp_dir(&self) -> Result<Leased<String>, Vec<Diagnostic>> {
        let directory = directory()?;
        let path = directory.path().display().to_string();
        self.services.locked().directories.push(directory);
        Ok(self.leased(path, "the directory"))
    }

    async fn port(&self, min: u16, max: u16) -> Result<Leased<u16>, Vec<Diagnostic>> {
        let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let port = (min..=max).find(free);
        let port = port.ok_or_else(|| vec![Diagnostic::error(format!("no port is free in {min}-{max}"))])?;
        Ok(self.leased(port, "the port"))
    }

    async fn remember(&self, entry: String) -> Result<OfferedLedgerEntry, Vec<Diagnostic>> {
        let number = self.services.remember(entry.clone());
        self.seen("remember", &entry).await;
        Ok(OfferedLedgerEntry::new(Entry { host: self.clone(), number }))
    }
}

impl Host {
    fn leased<T>(&self, given: T, what: &'static str) -> Leased<T> {
        Leased { given, lease: OfferedLease::new(Held { host: self.clone(), what }) }
    }
}

fn directory() -> Result<TempDir, Vec<Diagnostic>> {
    let private = Permissions::from_mode(0o700);
    let made = tempfile::Builder::new().permissions(private).tempdir();
    made.map_err(|error| vec![Diagnostic::error(format!("no directory can be made: {error}"))])
}

/// Something that is lent until it is given back; the directories go with the host.
struct Held {
    host: Host,
    what: &'static str,
}

impl Lease for Held {
    async fn close(&self) {
        self.host.seen("back", self.what).await;
    }
}

/// One thing that outlives a crash.
struct Entry {
    host: Host,
    number: usize,
}

impl LedgerEntry for Entry {
    async fn update(&self, text: String) -> Result<(), Vec<Diagnostic>> {
        drop(self.host.services.locked().entries.insert(self.number, text.clone()));
        self.host.seen("update", &text).await;
        Ok(())
    }

    async fn settle(&self) -> Result<(), String> {
        let settled = self.host.services.locked().entries.remove(&self.number);
        if let Some(text) = settled {
            self.host.seen("settle", &text).await;
        }
        Ok(())
    }
}
