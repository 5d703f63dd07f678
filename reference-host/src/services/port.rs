//! Ports: one at a time for each lease, in this host and across hosts of this user.

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::lock::Lock;
use crate::places::make_private;

/// A port that nobody else is given until this is dropped.
#[derive(Debug)]
pub(super) struct PortLease {
    port: u16,
    path: PathBuf,
    _lock: Lock,
}

/// Why there is no port.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPort {
    #[error("there is no port from {min} to {max}")]
    NoRange { min: u16, max: u16 },
    #[error("no port from {min} to {max} is free")]
    NoneFree { min: u16, max: u16 },
    #[error("there is no place to note which ports are given: set XDG_RUNTIME_DIR, XDG_STATE_HOME or HOME")]
    NoPlace,
    #[error("it cannot be noted in {} which ports are given: {why}", directory.display())]
    Unusable { directory: PathBuf, why: io::Error },
}

impl PortLease {
    /// Takes a port from `min` to `max` that can be bound now. `directory` is where hosts note what they have given.
    pub(super) fn take(directory: Option<&Path>, min: u16, max: u16) -> Result<Self, NoPort> {
        if min == 0 || min > max {
            return Err(NoPort::NoRange { min, max });
        }
        let directory = directory.ok_or(NoPort::NoPlace)?;
        let unusable = |why| NoPort::Unusable { directory: directory.to_owned(), why };
        make_private(directory).map_err(unusable)?;
        for port in from_somewhere(min, max) {
            let path = directory.join(port.to_string());
            let Some(lock) = Lock::on(&path, false).map_err(unusable)? else { continue };
            // Dropped where the port is in use, which takes the note away again.
            let lease = Self { port, path, _lock: lock };
            if is_free(port) {
                return Ok(lease);
            }
        }
        Err(NoPort::NoneFree { min, max })
    }

    /// Which one.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PortLease {
    fn drop(&mut self) {
        // While it is locked: nobody else has it open and believes in it. One that stays is in nobody's way.
        drop(fs::remove_file(&self.path));
    }
}

/// All ports of the range, beginning anywhere: two programs that look at once seldom try the same.
fn from_somewhere(min: u16, max: u16) -> impl Iterator<Item = u16> {
    let anything = RandomState::new().build_hasher().finish();
    let all = u64::from(max - min) + 1;
    let first = u16::try_from(anything % all).unwrap_or_default() + min;
    (first..=max).chain(min..first)
}

/// Whether a program could listen on it now, on any address.
fn is_free(port: u16) -> bool {
    let any: [SocketAddr; 2] = [(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()];
    any.into_iter().all(|address| match TcpListener::bind(address) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two ports that were free a moment ago.
    fn two() -> (TcpListener, u16) {
        loop {
            let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = first.local_addr().unwrap().port();
            if port < u16::MAX && is_free(port + 1) {
                return (first, port);
            }
        }
    }

    // host.port-once
    #[test]
    fn a_port_is_given_once_until_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let (listener, port) = two();
        let take = || PortLease::take(Some(folder.path()), port, port + 1);
        let lease = take().unwrap();
        assert_eq!(lease.port(), port + 1, "the other is in use");
        assert_eq!(take().unwrap_err().to_string(), format!("no port from {port} to {} is free", port + 1));
        drop(listener);
        assert_eq!(take().unwrap().port(), port);
        drop(lease);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_note_of_a_dead_host_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let (listener, port) = two();
        drop(listener);
        fs::write(folder.path().join(port.to_string()), "").unwrap();
        assert_eq!(PortLease::take(Some(folder.path()), port, port).unwrap().port(), port);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (min, max) in [(0, 9), (9, 8), (0, 0)] {
            assert!(matches!(PortLease::take(Some(folder.path()), min, max), Err(NoPort::NoRange { .. })));
        }
        assert!(matches!(PortLease::take(None, 1024, 2048), Err(NoPort::NoPlace)));
    }

    proptest::proptest! {
        #[test]
        fn every_port_of_a_range_is_tried_once(min in 1_u16.., length in 0_u16..300) {
            let max = min.saturating_add(length);
            let mut tried: Vec<_> = from_somewhere(min, max).collect();
            tried.sort_unstable();
            proptest::prop_assert!(tried.into_iter().eq(min..=max));
        }
    }
}
