//! What a host under test lends: real directories, and a book in memory.
use std::{
    collections::BTreeMap,
    fs::Permissions,
    mem,
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
#[derive(Clone, Debug)]
pub(super) struct Services {
    lent: Arc<Mutex<Lent>>,
    /// Nobody, where this is [lent](Self::lent).
    _owner: Option<Arc<Owner>>,
}

/// Removes the directories when the last handle of the host's user is gone.
///
/// What a component was lent is held on another thread, for a while after the session: a test's process may end before it.
#[derive(Debug)]
struct Owner(Arc<Mutex<Lent>>);

/// What is lent, and what is remembered.
#[derive(Debug, Default)]
struct Lent {
    /// Made when it is asked for first.
    cache: Option<TempDir>,
    directories: Vec<TempDir>,
    entries: BTreeMap<usize, String>,
    remembered_so_far: usize,
    /// Nothing is made any more.
    ended: bool,
}

impl Default for Services {
    fn default() -> Self {
        let lent = Arc::<Mutex<Lent>>::default();
        Self { _owner: Some(Arc::new(Owner(lent.clone()))), lent }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut lent = locked(&self.0);
        lent.ended = true;
        let directories = (lent.cache.take(), mem::take(&mut lent.directories));
        drop(lent);
        drop(directories);
    }
}

fn locked(lent: &Mutex<Lent>) -> MutexGuard<'_, Lent> {
    lent.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lent {
    fn directory(&self) -> Result<TempDir, Vec<Diagnostic>> {
        if self.ended {
            return Err(vec![Diagnostic::error("the host has ended")]);
        }
        let private = Permissions::from_mode(0o700);
        let made = tempfile::Builder::new().permissions(private).tempdir();
        made.map_err(|error| vec![Diagnostic::error(format!("no directory can be made: {error}"))])
    }
}

impl Services {
    /// The same, for what is lent: it does not keep the directories.
    pub(super) fn lent(&self) -> Self {
        Self { lent: self.lent.clone(), _owner: None }
    }

    fn locked(&self) -> MutexGuard<'_, Lent> {
        locked(&self.lent)
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
            None => lent.directory()?,
        };
        let file = key.replace(|character: char| !character.is_ascii_alphanumeric(), "-");
        let path = cache.path().join(file).display().to_string();
        lent.cache = Some(cache);
        Ok(self.leased(path, "the cache"))
    }

    async fn temp_dir(&self) -> Result<Leased<String>, Vec<Diagnostic>> {
        let mut lent = self.services.locked();
        let directory = lent.directory()?;
        let path = directory.path().display().to_string();
        lent.directories.push(directory);
        drop(lent);
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn its_directories_go_with_the_host_whoever_still_holds_what_it_lent() {
        let host = Host::new();
        let (clone, lent) = (host.clone(), host.lent());
        let made =
            [lent.temp_dir().await.unwrap().given, lent.cache("k".to_owned(), false).await.unwrap().given];
        let [directory, cache] = made.map(|path| Path::new(&path).to_owned());
        drop(host);
        assert!(directory.exists() && cache.parent().unwrap().exists());
        drop(clone);
        assert!(!directory.exists() && !cache.parent().unwrap().exists());
        assert!(lent.temp_dir().await.is_err() && lent.cache("k".to_owned(), false).await.is_err());
    }
}
