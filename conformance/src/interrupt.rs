//! The signals by which people, and terminals that go away, end the command.
//!
//! A signal that this process inherited as ignored, as `nohup` has it, stays ignored.

use std::fmt::{self, Display, Formatter};
use std::future::Future;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal that asks the command to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// Ctrl-C.
    CtrlC,
    /// What `kill` sends, and build servers.
    Terminate,
    /// The terminal is gone.
    Hangup,
}

impl Interrupt {
    const ALL: [Self; 3] = [Self::CtrlC, Self::Terminate, Self::Hangup];

    /// What a shell reports of a command that this signal ended.
    pub(crate) fn code(self) -> u8 {
        let number = match self {
            Self::CtrlC => 2,
            Self::Terminate => 15,
            Self::Hangup => 1,
        };
        128 + number
    }

    fn kind(self) -> SignalKind {
        SignalKind::from_raw(i32::from(self.code()) - 128)
    }
}

impl Display for Interrupt {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CtrlC => "Ctrl-C (SIGINT)",
            Self::Terminate => "SIGTERM",
            Self::Hangup => "SIGHUP: its terminal is gone",
        })
    }
}

/// From now on, the first of these signals; it has to be called within a runtime.
///
/// # Errors
/// The system takes no handler.
pub(crate) fn interrupted() -> io::Result<impl Future<Output = Interrupt>> {
    let ignored = ignored();
    let wanted =
        Interrupt::ALL.into_iter().filter(|one| ignored & (1 << (one.kind().as_raw_value() - 1)) == 0);
    let heard: io::Result<Vec<(Interrupt, Signal)>> =
        wanted.map(|one| Ok((one, signal(one.kind())?))).collect();
    let mut heard = heard?;
    Ok(std::future::poll_fn(move |context| {
        let first =
            heard.iter_mut().find_map(|(one, signal)| signal.poll_recv(context).is_ready().then_some(*one));
        first.map_or(Poll::Pending, Poll::Ready)
    }))
}

/// The signals that this process ignores, a bit for each.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_that_shells_know() {
        assert_eq!(Interrupt::ALL.map(Interrupt::code), [130, 143, 129]);
        assert_eq!(
            Interrupt::ALL.map(Interrupt::kind),
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
        );
    }

    #[test]
    fn what_rust_ignores_is_known_as_ignored() {
        // A program in Rust ignores SIGPIPE from its start.
        assert_eq!(ignored() & (1 << 12), 1 << 12);
    }
}
