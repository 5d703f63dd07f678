//! The cache: a path for each key, and leases on it, in this host and across hosts.
//!
//! A lease has two parts. The turn in this host (see [`Queue`]) decides who waits for whom and refuses what would wait
//! for ever; the lock on a file beside the cached one keeps other hosts out, and ends with this process. Between
//! hosts nothing is known of who waits for whom: such a wait ends when the run is cancelled.

mod queue;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

pub(super) use queue::Caller;
use queue::{Queue, Refused, Turn};

use crate::lock::Lock;
use crate::places::make_private;

/// The cache of this user, as one host lends it.
#[derive(Debug)]
pub(super) struct Cache {
    directory: Option<PathBuf>,
    queue: Arc<Queue>,
}

/// The right to use one cached file; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct CacheLease {
    path: PathBuf,
    // In this order: the next turn must find the lock free.
    _lock: Lock,
    _turn: Turn,
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub(super) enum CacheRefusal {
    #[error("there is no place for a cache: set PACKER_CACHE_DIR, XDG_CACHE_HOME or HOME")]
    NoPlace,
    #[error("the key of the cache is empty")]
    NoKey,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the cache in {} cannot be used: {why}", directory.display())]
    Unusable { directory: PathBuf, why: io::Error },
}

impl Cache {
    pub(super) fn new(directory: Option<PathBuf>) -> Self {
        Self { directory, queue: Arc::default() }
    }

    /// One who may ask for leases; `parent` waits for it.
    pub(super) fn caller(&self, parent: Option<&Caller>) -> Caller {
        Caller::new(self.queue.clone(), parent)
    }

    /// Waits for the lease on `key`: as long as others have it that may give it back. Whoever drops this waits no
    /// longer.
    pub(super) async fn lease(
        &self,
        caller: &Caller,
        key: &str,
        shared: bool,
    ) -> Result<CacheLease, CacheRefusal> {
        let directory = self.directory.as_deref().ok_or(CacheRefusal::NoPlace)?;
        if key.is_empty() {
            return Err(CacheRefusal::NoKey);
        }
        let name = file_name(key);
        let turn = caller.turn(&name, shared).await?;
        let unusable = |why| CacheRefusal::Unusable { directory: directory.to_owned(), why };
        make_private(directory).map_err(unusable)?;
        let lock = lock(&directory.join(format!("{name}.lock")), shared).await.map_err(unusable)?;
        Ok(CacheLease { path: directory.join(name), _lock: lock, _turn: turn })
    }
}

impl CacheLease {
    /// Where the file is or may be made.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Asks again and again, more and more seldom: the system can wait for a lock only with a whole thread.
async fn lock(path: &Path, shared: bool) -> io::Result<Lock> {
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(lock) = Lock::on(path, shared)? {
            return Ok(lock);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

/// The hash of the key, which no key can leave the directory by, and its extension, which some programs go by.
fn file_name(key: &str) -> String {
    let hash: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    match extension(key) {
        Some(extension) => format!("{hash}.{extension}"),
        None => hash,
    }
}

/// What follows the last point, where a key is a name or a URL.
fn extension(key: &str) -> Option<&str> {
    let name = key.split(['?', '#']).next()?.rsplit('/').next()?;
    let (_, extension) = name.rsplit_once('.')?;
    let is_plain = (1..=8).contains(&extension.len())
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && extension != "lock";
    is_plain.then_some(extension)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn cache(directory: &Path) -> Cache {
        Cache::new(Some(directory.join("cache")))
    }

    #[tokio::test]
    async fn a_lease_names_a_path_that_stays_for_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        let lease = cache.lease(&cache.caller(None), "https://x/y.iso?z=.y", false).await.unwrap();
        assert!(lease.path().is_absolute() && lease.path().extension().unwrap() == "iso");
        std::fs::write(lease.path(), "disk").unwrap();
        let path = lease.path().to_owned();
        drop(lease);
        let again = cache.lease(&cache.caller(None), "https://x/y.iso?z=.y", true).await.unwrap();
        assert_eq!(std::fs::read_to_string(again.path()).unwrap(), "disk");
        assert_eq!(again.path(), path);
        let mode = std::fs::metadata(folder.path().join("cache")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    /// Two hosts in one process: locks belong to open files, not to processes.
    #[tokio::test]
    async fn another_host_waits_and_readers_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (cache(folder.path()), cache(folder.path()));
        let reading = ours.lease(&ours.caller(None), "k", true).await.unwrap();
        let reading_too = theirs.lease(&theirs.caller(None), "k", true).await.unwrap();
        let writer = theirs.caller(None);
        let mut writing = Box::pin(theirs.lease(&writer, "k", false));
        drop(reading_too);
        tokio::select! {
            biased;
            _ = &mut writing => panic!("another host is reading"),
            () = tokio::time::sleep(Duration::from_millis(50)) => drop(reading),
        }
        writing.await.unwrap();
    }

    #[tokio::test]
    async fn who_gives_up_waiting_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (cache(folder.path()), cache(folder.path()));
        let held = theirs.lease(&theirs.caller(None), "k", false).await.unwrap();
        let waiting = ours.caller(None);
        let waited = tokio::time::timeout(Duration::from_millis(20), ours.lease(&waiting, "k", false)).await;
        assert!(waited.is_err());
        drop(held);
        ours.lease(&ours.caller(None), "k", false).await.unwrap();
        ours.lease(&waiting, "k", false).await.unwrap();
    }

    #[tokio::test]
    async fn a_cache_that_cannot_be_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cache"), "a file").unwrap();
        let cache = cache(folder.path());
        let refused = cache.lease(&cache.caller(None), "k", false).await.unwrap_err().to_string();
        assert!(refused.contains("cannot be used"), "{refused}");
        let nowhere = Cache::new(None);
        assert!(nowhere.lease(&nowhere.caller(None), "k", false).await.is_err());
        assert!(cache.lease(&cache.caller(None), "", false).await.is_err());
    }

    proptest::proptest! {
        // host.cache-inside
        #[test]
        fn no_key_leaves_the_directory(key in ".*", other in ".*") {
            let name = file_name(&key);
            proptest::prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'));
            proptest::prop_assert!(!name.starts_with('.') && !name.ends_with(".lock"));
            proptest::prop_assert_eq!(key == other, name == file_name(&other));
        }
    }
}
