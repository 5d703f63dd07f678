//! `selftest`: whether this machine has what the suite needs, each tried for once with a program that is known.

use std::io;
use std::path::Path;
use std::time::Duration;

use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, twoparty};
use packwire_schema::attach_capnp::host;
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

use crate::rig::{End, Host, Launch, Listens, Manners, Rig};
use crate::step::Step;
use crate::subject::Subject;

/// How long each step may take.
const WITHIN: Duration = Duration::from_secs(5);
/// Less room than this is told.
const ROOM: u64 = 64 << 20;

const ROOM_TITLE: &str = "temp files";
pub(crate) const ROOM_ADVICE: &str =
    "the suite makes a directory in TMPDIR for each check: name one that may be written and has room";

/// The program that is tried: a shell that says something, leaves an orphan for a moment, and exits with 7.
pub(crate) fn subject() -> Subject {
    let script = "echo out; echo err >&2; sleep 1000 & exit 7";
    Subject::fixed(Path::new("/bin/sh"), &["-c", script])
}

/// Goes through all steps; those that are wrong do not keep others from being tried.
pub(crate) async fn examine(rig: Rig) -> Vec<Step> {
    let mut steps = vec![room(&rig.places().temp), proc()];
    steps.extend(process(&rig).await);
    for (title, listens) in [("unix socket", Listens::Unix), ("tcp socket", Listens::Tcp)] {
        steps.push(session(&rig, title, listens).await);
    }
    rig.finish(None).await;
    steps
}

/// Without a directory nothing can be tried.
pub(crate) fn no_directory(error: &io::Error) -> Step {
    Step::wrong(ROOM_TITLE, format!("no directory can be made: {error}"), ROOM_ADVICE)
}

fn room(directory: &Path) -> Step {
    let (title, advice) = (ROOM_TITLE, ROOM_ADVICE);
    let free = rustix::fs::statvfs(directory).map(|told| told.f_bavail.saturating_mul(told.f_frsize));
    let written = std::fs::write(directory.join("selftest"), [0; 4096]);
    match (free, written) {
        (Ok(free), Ok(())) if free >= ROOM => {
            Step::fine(title, "the directory of TMPDIR may be written and has room")
        }
        (Ok(free), Ok(())) => Step::wrong(title, format!("{} MiB are free there", free >> 20), advice),
        (_, Err(error)) => Step::wrong(title, format!("no file can be written: {error}"), advice),
        (Err(error), _) => Step::wrong(title, format!("its room is not known: {error}"), advice),
    }
}

fn proc() -> Step {
    let title = "/proc";
    let own = rustix::process::getpid().as_raw_nonzero();
    let needed = ["stat", "environ", "net/unix", "net/tcp", &format!("task/{own}/children")];
    let unread: Vec<&str> =
        needed.into_iter().filter(|name| std::fs::read(format!("/proc/{own}/{name}")).is_err()).collect();
    let descriptors = std::fs::read_dir("/proc/self/fd").is_ok();
    if unread.is_empty() && descriptors {
        return Step::fine(title, "processes, their children, descriptors and sockets can be looked at");
    }
    let advice = "processes, descriptors and sockets are seen through /proc: mount it, without hidepid, from a kernel \
                  that has CONFIG_PROC_CHILDREN";
    Step::wrong(title, format!("cannot be read: {}", unread.join(", ")), advice)
}

/// Starts the program, and looks at everything that is known about it.
async fn process(rig: &Rig) -> Vec<Step> {
    let advice =
        "the suite starts programs in sessions of their own, with pipes: does a sandbox forbid that?";
    let plugin = match rig.launch(&Launch::bare()) {
        Ok(plugin) => plugin,
        Err(stop) => return vec![Step::wrong("processes", format!("{stop:?}"), advice)],
    };
    let end = plugin.exit(WITHIN).await;
    let (out, err) = (plugin.stdout_bytes(), plugin.stderr());
    let is_known = end == Some(End::Code(7)) && out == b"out\n" && err == "err\n";
    let seen = format!("a shell: it ended as {end:?}, said {:?} and {err:?}", String::from_utf8_lossy(&out));
    let started = match is_known {
        true => {
            Step::fine("processes", "a shell was started in a session of its own, heard, and its end seen")
        }
        false => Step::wrong("processes", seen, advice),
    };
    vec![started, orphan(rig).await]
}

/// Its child lives on, and must have fallen to us; the end of the rig ends it.
async fn orphan(rig: &Rig) -> Step {
    let title = "orphans";
    let left = rig.left_behind().await;
    if left.iter().any(|relative| relative.command.contains("sleep")) {
        return Step::fine(title, "a process that the shell left behind fell to the suite, which ends it");
    }
    let advice = "what a plugin leaves behind falls to the suite as subreaper (prctl PR_SET_CHILD_SUBREAPER): does a \
                  sandbox forbid that?";
    Step::wrong(title, "a process that the shell left behind is not found", advice)
}

/// A whole session between the suite's host and a plugin inside this process.
async fn session(rig: &Rig, title: &str, listens: Listens) -> Step {
    let advice =
        "hosts listen on Unix sockets below TMPDIR and on ports of 127.0.0.1: does a sandbox forbid that?";
    let host = match rig.listen(Manners { listens, ..Manners::default() }) {
        Ok(host) => host,
        Err(stop) => return Step::wrong(title, format!("{stop:?}"), advice),
    };
    match tokio::time::timeout(WITHIN, attach(&host)).await {
        Ok(Ok(())) => Step::fine(title, "the suite's own host heard a plugin attach, and told its messages"),
        Ok(Err(error)) => Step::wrong(title, error.to_string(), advice),
        Err(_) => Step::wrong(title, "nothing came through within 5 s", advice),
    }
}

async fn attach(host: &Host) -> capnp::Result<()> {
    let address = host.address().to_string_lossy().into_owned();
    let (read, write) = dial(&address).await?;
    let network =
        twoparty::VatNetwork::new(read.compat(), write.compat_write(), Side::Client, Default::default());
    let mut system = RpcSystem::new(Box::new(network), None);
    let bootstrap: host::Client = system.bootstrap(Side::Server);
    let mut call = bootstrap.attach_request();
    call.get().init_hello().set_token(host.token());
    let attached = async {
        let promise = call.send().promise;
        let hello = host.attached(WITHIN).await.ok_or_else(|| io::Error::other("no attach arrived"))?;
        let same = hello.read()?.get_token()?.as_bytes() == host.token().as_bytes();
        let heard = host.transcript().iter().any(|entry| entry.message.calls("Host.attach"));
        drop(promise);
        match same && heard {
            true => Ok(()),
            false => Err(capnp::Error::failed("what was sent is not what was heard".to_owned())),
        }
    };
    tokio::select! {
        ended = system => ended.and_then(|()| Err(capnp::Error::disconnected("the host went away".to_owned()))),
        attached = attached => attached,
    }
}

type Halves = (Box<dyn tokio::io::AsyncRead + Unpin>, Box<dyn tokio::io::AsyncWrite + Unpin>);

async fn dial(address: &str) -> io::Result<Halves> {
    if let Some(path) = address.strip_prefix("unix:") {
        let (read, write) = tokio::net::UnixStream::connect(path).await?.into_split();
        return Ok((Box::new(read), Box::new(write)));
    }
    let port = address.strip_prefix("tcp:").unwrap_or(address);
    let (read, write) = tokio::net::TcpStream::connect(port).await?.into_split();
    Ok((Box::new(read), Box::new(write)))
}
