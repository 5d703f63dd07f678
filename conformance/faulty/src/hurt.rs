//! Plugins that try to hurt whoever runs them: more of everything than anybody can keep, and processes that hide.
//!
//! The suite has to come to a verdict on each of them, in the memory that it has; what is wrong with them does not matter.
use std::{
    cell::Cell,
    fs,
    io::{self, Write},
    net,
    os::{fd::OwnedFd, unix::net::UnixStream},
    thread,
    time::Duration,
};

use capnp_rpc::rpc_capnp::message;
use clap::ValueEnum;
use rustix::io::Errno;

use crate::{address::Address, ending::Ending, helper, manner::Manner};

/// What is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Hurt {
    /// Its builds say ten million lines, thousands at a time.
    #[value(name = "hurts-by-lines")]
    Lines,
    /// Its first prepare answers a million diagnostics, and the next ones nothing.
    #[value(name = "hurts-by-diagnostics")]
    Diagnostics,
    /// What it writes into streams never ends.
    #[value(name = "hurts-by-stream")]
    Stream,
    /// It sends the head of a message of 1 GiB, and zeros for ever.
    #[value(name = "hurts-by-head")]
    Head,
    /// It sends empty messages for ever, eight bytes each.
    #[value(name = "hurts-by-messages")]
    Messages,
    /// It attaches, and then answers for ever what nobody has asked.
    #[value(name = "hurts-by-answers")]
    Answers,
    /// Its hello offers a million components.
    #[value(name = "hurts-by-components")]
    Components,
    /// Its hello offers a hundred thousand components, which fit into a message.
    #[value(name = "hurts-by-many-components")]
    ManyComponents,
    /// A documentation of 60 MiB.
    #[value(name = "hurts-by-documentation")]
    Documentation,
    /// A schema of 15 MiB of lists in lists.
    #[value(name = "hurts-by-schema")]
    Schema,
    /// It prints on standard output for ever.
    #[value(name = "hurts-by-stdout")]
    Stdout,
    /// It logs for ever.
    #[value(name = "hurts-by-stderr")]
    Stderr,
    /// It writes into TMPDIR until the disk is full.
    #[value(name = "hurts-by-disk")]
    Disk,
    /// It leaves a process in a session of its own that ignores all signals that can be ignored.
    #[value(name = "hurts-by-hiding")]
    Hiding,
}

/// What happens before it dials.
///
/// # Errors
/// What cannot be started.
pub(crate) fn begin(hurt: Hurt) -> Result<(), Ending> {
    match hurt {
        Hurt::Stdout => drop(thread::spawn(|| flood(&mut io::stdout(), b"more and more\n"))),
        Hurt::Stderr => drop(thread::spawn(|| flood(&mut io::stderr(), b"[INFO] more and more\n"))),
        Hurt::Disk => fill_disk(),
        Hurt::Hiding => helper::hide()?,
        _ => {}
    }
    Ok(())
}

/// What it does in place of a session, if it has none.
pub(crate) fn instead_of_session(manner: Manner, address: &Address) -> Option<Ending> {
    // One segment of 2²⁷ words is 1 GiB.
    let head: [u8; 8] = match manner {
        Manner::Hurt(Hurt::Head) => [0, 0, 0, 0, 0, 0, 0, 8],
        Manner::Hurt(Hurt::Messages) => [0; 8],
        _ => return None,
    };
    let sent = match address {
        Address::Unix(path) => UnixStream::connect(path).and_then(|link| send(link, head)),
        Address::Tcp(socket) => net::TcpStream::connect(socket).and_then(|link| send(link, head)),
    };
    Some(sent.map_or_else(Ending::Unreachable, |()| Ending::Disconnected))
}

fn send(mut link: impl Write, head: [u8; 8]) -> io::Result<()> {
    link.write_all(&head)?;
    flood(&mut link, &[0; 8]);
    Ok(())
}

/// Writes the same again and again, until nobody takes it.
fn flood(into: &mut impl Write, what: &[u8]) {
    let piece = what.repeat((64 << 10) / what.len());
    while into.write_all(&piece).is_ok() {}
}

/// Answers for ever what nobody has asked, beside the RPC library, which has sent its attach by then.
pub(crate) fn answer_for_ever(link: OwnedFd) {
    let mut answer = capnp::message::Builder::new_default();
    answer.init_root::<message::Builder<'_>>().init_return().set_answer_id(4711);
    let answers = capnp::serialize::write_message_to_words(&answer).repeat(1000);
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        let mut at = 0;
        loop {
            match rustix::io::write(&link, &answers[at..]) {
                Ok(count) => at = (at + count) % answers.len(),
                // The link is one of those that do not wait.
                Err(Errno::AGAIN) => thread::sleep(Duration::from_millis(1)),
                Err(_) => return,
            }
        }
    });
}

fn fill_disk() {
    if let Ok(mut file) = fs::File::create(std::env::temp_dir().join("full")) {
        flood(&mut file, &[7; 4096]);
    }
}

thread_local! {
    static ANSWERED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is the first time; later ones never get an answer.
pub(crate) async fn first() {
    if ANSWERED.replace(true) {
        std::future::pending::<()>().await;
    }
}

/// A JSON text of about this many bytes that takes many times as much memory to read.
pub(crate) fn lists(bytes: usize) -> String {
    format!(r#"{{"type": "object", "examples": [{{}}], "x": [{}[]]}}"#, "[],".repeat(bytes / 3))
}
