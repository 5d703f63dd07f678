//! Where the host is dialled.

use std::fs::Permissions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use packwire_wire::process::{Address, Door, LONGEST_PATH, MOST_KNOCKS, Socket};
use rustix::fs::Uid;
use rustix::process::geteuid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::rig::{LONG, entries};

fn path(door: &Door) -> PathBuf {
    match door.address() {
        Address::Unix(path) => path.clone(),
        Address::Tcp(address) => panic!("{address} is no path"),
    }
}

async fn speaks(door: &Door) {
    let mut plugin = Socket::dial(door.address()).await.unwrap();
    let mut host = door.accept().await.unwrap().socket;
    plugin.write_all(b"hello").await.unwrap();
    plugin.shutdown().await.unwrap();
    let mut heard = String::new();
    host.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "hello");
}

// host.private-socket
#[tokio::test]
async fn the_socket_is_in_a_directory_that_only_its_user_enters() {
    let parent = tempfile::tempdir().unwrap();
    let door = Door::unix_in(parent.path()).unwrap();
    let directory = path(&door).parent().unwrap().to_owned();
    assert!(directory.starts_with(parent.path()));
    assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
    speaks(&door).await;
    assert_eq!(door.knocks(), 1);
}

#[tokio::test]
async fn closing_leaves_nothing_and_keeps_who_is_in() {
    let parent = tempfile::tempdir().unwrap();
    let door = Door::unix_in(parent.path()).unwrap();
    let address = door.address().clone();
    let mut plugin = Socket::dial(&address).await.unwrap();
    let mut host = door.accept().await.unwrap().socket;
    door.close().unwrap();
    assert!(entries(parent.path()).is_empty());
    assert!(Socket::dial(&address).await.is_err());
    host.write_all(b"x").await.unwrap();
    assert_eq!(plugin.read_u8().await.unwrap(), b'x');
}

#[tokio::test]
async fn dropping_and_panicking_leave_nothing() {
    let parent = tempfile::tempdir().unwrap();
    drop(Door::unix_in(parent.path()).unwrap());
    assert!(entries(parent.path()).is_empty());
    let door = Door::unix_in(parent.path()).unwrap();
    let panicked = tokio::spawn(async move {
        let _owned = door;
        panic!("while a door is open");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert!(entries(parent.path()).is_empty());
}

#[tokio::test]
async fn a_long_temporary_directory_is_not_used() {
    let parent = tempfile::tempdir().unwrap();
    let long = parent.path().join("x".repeat(LONGEST_PATH));
    std::fs::create_dir(&long).unwrap();
    let door = Door::unix_in(&long).unwrap();
    assert!(path(&door).starts_with("/tmp"));
    assert!(path(&door).as_os_str().len() <= LONGEST_PATH);
    assert!(entries(&long).is_empty());
    speaks(&door).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let error = Door::unix_in(Path::new("/nowhere at all")).unwrap_err().to_string();
    assert!(error.starts_with("the host cannot make a private directory in /nowhere at all: "), "{error}");
}

#[tokio::test]
async fn a_door_may_be_a_port_of_the_loopback() {
    let door = Door::tcp(1024..=65535).unwrap();
    assert!(door.address().to_string().starts_with("tcp:127.0.0.1:"));
    speaks(&door).await;
}

#[tokio::test]
async fn a_range_without_a_free_port_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Door::tcp(port..=port).unwrap_err().to_string();
    assert_eq!(error, format!("the host finds no free port from {port} to {port} on 127.0.0.1"));
    assert!(Door::tcp(0..=0).is_err());
}

// host.peer-uid
#[tokio::test]
async fn another_user_is_hung_up_on_and_not_reported() {
    if !geteuid().is_root() {
        return; // Only root can be another user for a while; the rule itself has a test beside it.
    }
    let allow = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    // TMPDIR may be private; another user has to come as far as the door.
    let street = tempfile::tempdir_in("/tmp").unwrap();
    allow(street.path(), 0o755);
    let door = Door::unix_in(street.path()).unwrap();
    let socket = path(&door);
    assert_eq!(dial_as_nobody(&socket).unwrap_err().kind(), ErrorKind::PermissionDenied);
    allow(socket.parent().unwrap(), 0o755);
    allow(&socket, 0o777);
    let mut stranger = dial_as_nobody(&socket).unwrap();
    assert!(timeout(Duration::from_millis(100), door.accept()).await.is_err());
    assert_eq!(stranger.read(&mut [0]).unwrap(), 0, "the stranger is hung up on");
    assert_eq!(door.knocks(), 0);
    speaks(&door).await;
}

/// Dials from a thread that, alone in this process, is somebody else.
fn dial_as_nobody(path: &Path) -> std::io::Result<UnixStream> {
    let path = path.to_owned();
    let dial = move || {
        rustix::thread::set_thread_uid(Uid::from_raw(65534))?;
        UnixStream::connect(path)
    };
    std::thread::spawn(dial).join().unwrap()
}

// host.strangers-bounded
#[tokio::test]
async fn at_most_eight_strangers_are_in_at_once() {
    let door = Door::unix().unwrap();
    let (mut dialled, mut knocks) = (Vec::new(), Vec::new());
    for _ in 0..MOST_KNOCKS {
        dialled.push(Socket::dial(door.address()).await.unwrap());
        knocks.push(door.accept().await.unwrap());
    }
    dialled.push(Socket::dial(door.address()).await.unwrap());
    assert!(timeout(Duration::from_millis(50), door.accept()).await.is_err());
    drop(knocks.pop().unwrap().seat);
    timeout(LONG, door.accept()).await.unwrap().unwrap();
    assert_eq!(door.knocks(), MOST_KNOCKS + 1);
}
