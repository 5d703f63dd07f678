//! Where a host is dialled: a private socket that only its own user reaches, there only until the door closes.

use std::fs::Permissions;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::geteuid;
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Address, LONGEST_PATH, Socket};
use crate::limits;

/// How many connections may be open at once whose peer has not shown its token.
pub const MOST_KNOCKS: usize = limits::UNAUTHENTICATED_CONNECTIONS;

const SHORT_TEMPORARY_DIRECTORY: &str = "/tmp";
const PREFIX: &str = "packwire-";
const RANDOM_DIGITS: usize = 6;
const SOCKET: &str = "host";

/// A listening socket. Dropping it removes the socket and its directory, also while panicking.
#[derive(Debug)]
pub struct Door {
    listener: Listener,
    address: Address,
    directory: Option<TempDir>,
    seats: Arc<Semaphore>,
    knocks: AtomicUsize,
}

/// Somebody dialled. Who it is, only the token will tell.
#[derive(Debug)]
pub struct Knock {
    /// The connection.
    pub socket: Socket,
    /// Its place among the [`MOST_KNOCKS`]: to be dropped when the token was good, or the connection is over.
    pub seat: Seat,
}

/// One of the [`MOST_KNOCKS`] places of a [`Door`]; free again when dropped.
#[derive(Debug)]
pub struct Seat {
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Door {
    /// Listens on a Unix socket in a new directory (mode 0700) under `TMPDIR`, or under `/tmp` where the path
    /// would be longer than a socket's may be. Needs a tokio runtime with I/O around it.
    ///
    /// # Errors
    /// The directory cannot be made; the message names it.
    pub fn unix() -> io::Result<Self> {
        Self::unix_in(&std::env::temp_dir())
    }

    /// As [`Door::unix`], under `parent` instead of `TMPDIR`.
    ///
    /// # Errors
    /// The directory cannot be made; the message names it.
    pub fn unix_in(parent: &Path) -> io::Result<Self> {
        let parent = roomy(std::path::absolute(parent)?);
        let directory = private_directory(&parent).map_err(|error| {
            context(error, format!("the host cannot make a private directory in {}", parent.display()))
        })?;
        let path = directory.path().join(SOCKET);
        let listener = UnixListener::bind(&path)
            .map_err(|error| context(error, format!("the host cannot listen on {}", path.display())))?;
        Ok(Self::new(Listener::Unix(listener), Address::Unix(path), Some(directory)))
    }

    /// Listens on the first free port of 127.0.0.1 in `ports` (`PACKER_PLUGIN_MIN_PORT` to `_MAX_PORT`).
    /// Every user of the machine can dial it. Needs a tokio runtime with I/O around it.
    ///
    /// # Errors
    /// No port of the range is free, or the range has no port.
    pub fn tcp(ports: RangeInclusive<u16>) -> io::Result<Self> {
        let (first, last) = (*ports.start(), *ports.end());
        let (listener, port) = ports.filter(|&port| port > 0).find_map(bound).ok_or_else(|| {
            let reason = format!("the host finds no free port from {first} to {last} on 127.0.0.1");
            io::Error::new(io::ErrorKind::AddrInUse, reason)
        })?;
        listener.set_nonblocking(true)?;
        let address = Address::Tcp(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        Ok(Self::new(Listener::Tcp(TcpListener::from_std(listener)?), address, None))
    }

    fn new(listener: Listener, address: Address, directory: Option<TempDir>) -> Self {
        let seats = Arc::new(Semaphore::new(MOST_KNOCKS));
        Self { listener, address, directory, seats, knocks: AtomicUsize::new(0) }
    }

    /// What to tell the plugin.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How many connections were let in so far.
    pub fn knocks(&self) -> usize {
        self.knocks.load(Ordering::Relaxed)
    }

    /// Waits for the next connection. Peers of another user (neither the host's own nor root) are hung up on
    /// and not reported. While [`MOST_KNOCKS`] seats are taken, nobody is let in. Safe to cancel.
    ///
    /// # Errors
    /// The listening socket fails.
    pub async fn accept(&self) -> io::Result<Knock> {
        let permit = Arc::clone(&self.seats).acquire_owned().await.map_err(io::Error::other)?;
        loop {
            match self.listener.accept().await {
                Ok(Some(socket)) => {
                    self.knocks.fetch_add(1, Ordering::Relaxed);
                    return Ok(Knock { socket, seat: Seat { _permit: permit } });
                }
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Stops listening and removes socket and directory; whoever is let in already stays.
    ///
    /// # Errors
    /// The directory cannot be removed.
    pub fn close(self) -> io::Result<()> {
        let Self { listener, directory, .. } = self;
        drop(listener);
        directory.map_or(Ok(()), TempDir::close)
    }
}

impl Listener {
    /// The next connection; `None` if its peer may not come in.
    async fn accept(&self) -> io::Result<Option<Socket>> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(is_welcome(&stream).then_some(Socket::Unix(stream)))
            }
            // What cannot be set up has hung up already.
            Self::Tcp(listener) => Ok(Socket::prompt(listener.accept().await?.0).ok()),
        }
    }
}

fn is_welcome(peer: &UnixStream) -> bool {
    peer.peer_cred().is_ok_and(|credentials| may_enter(credentials.uid(), geteuid().as_raw()))
}

fn may_enter(peer: u32, host: u32) -> bool {
    peer == host || peer == 0
}

/// `parent`, if a socket in a directory of ours has a short enough path there.
fn roomy(parent: PathBuf) -> PathBuf {
    let ours = PREFIX.len() + RANDOM_DIGITS + SOCKET.len() + 2;
    if parent.as_os_str().as_bytes().len() + ours <= LONGEST_PATH {
        parent
    } else {
        SHORT_TEMPORARY_DIRECTORY.into()
    }
}

fn private_directory(parent: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(PREFIX)
        .rand_bytes(RANDOM_DIGITS)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent)
}

fn bound(port: u16) -> Option<(std::net::TcpListener, u16)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    std::net::TcpListener::bind(address).ok().map(|listener| (listener, port))
}

fn context(error: io::Error, doing: String) -> io::Error {
    io::Error::new(error.kind(), format!("{doing}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // host.peer-uid
    #[test]
    fn only_the_own_user_and_root_may_enter() {
        assert!(may_enter(1000, 1000));
        assert!(may_enter(0, 1000));
        assert!(!may_enter(1001, 1000));
        assert!(!may_enter(1001, 0));
    }

    #[test]
    fn a_parent_is_roomy_up_to_the_last_byte() {
        let ours = "/packwire-123456/host".len();
        let fits = PathBuf::from(format!("/{}", "x".repeat(LONGEST_PATH - ours - 1)));
        assert_eq!(roomy(fits.clone()), fits);
        let too_long = PathBuf::from(format!("{}x", fits.display()));
        assert_eq!(roomy(too_long), Path::new("/tmp"));
    }
}
