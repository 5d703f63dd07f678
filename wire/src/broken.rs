//! What goes wrong with a link or a peer, as opposed to what a peer says: diagnostics are values, not errors.
use std::time::Duration;

use crate::{limits, value::Diagnostic};

/// A call that has no answer that could be used: the link failed, or the peer broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.told())]
pub struct Broken {
    /// The call, as the schema names it: `Build.run`.
    pub call: &'static str,
    /// Why it has no answer.
    pub reason: Reason,
}

/// Why a call has no answer that could be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The connection ended first.
    LinkLost,
    /// The peer raised an exception: a bug in it, since what is expected to go wrong is data.
    Exception {
        /// Its first line, without the prefixes that libraries add, at most 500 bytes.
        summary: String,
        /// All of it, for the log.
        full: String,
    },
    /// No answer came in time. The call stays open on the wire: a host abandons none.
    Late {
        /// The time that it had.
        within: Duration,
    },
    /// The answer breaks a rule of the protocol: an unset outcome, a missing capability, an unknown member.
    Malformed(String),
    /// The message would have been larger than a peer accepts, so it was not sent.
    TooLarge {
        /// Its size.
        bytes: u64,
    },
}

impl Broken {
    /// Whether the connection itself is gone, so that no further call can have an answer.
    pub fn is_link_lost(&self) -> bool {
        self.reason == Reason::LinkLost
    }

    fn told(&self) -> String {
        let call = self.call;
        match &self.reason {
            Reason::LinkLost => format!("the link broke before `{call}` answered"),
            Reason::Exception { summary, .. } => format!("a bug: `{call}` raised an exception: {summary}"),
            Reason::Late { within } => format!("`{call}` did not answer within {} s", within.as_secs_f32()),
            Reason::Malformed(what) => format!("`{call}` answered against the protocol: {what}"),
            Reason::TooLarge { bytes } => {
                format!(
                    "`{call}` needs a message of {bytes} bytes, and {} is the limit",
                    limits::MESSAGE_BYTES
                )
            }
        }
    }
}

impl From<Broken> for Vec<Diagnostic> {
    /// For whoever stands between two peers, and tells the one what became of the other.
    fn from(broken: Broken) -> Self {
        vec![Diagnostic::error(broken.to_string())]
    }
}

/// A [`Broken`] that does not know its call yet: what the code of a call returns inside the room.
#[derive(Debug)]
pub(crate) enum Trouble {
    Raised(capnp::Error),
    Malformed(String),
    TooLarge(u64),
}

impl From<capnp::Error> for Trouble {
    fn from(error: capnp::Error) -> Self {
        Trouble::Raised(error)
    }
}

impl Trouble {
    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Trouble::Malformed(what.into())
    }

    /// What it is, for a diagnostic.
    pub(crate) fn told(self) -> String {
        match self {
            Trouble::Raised(error) => first_line(&error.extra),
            Trouble::Malformed(what) => what,
            Trouble::TooLarge(bytes) => format!("it has {bytes} bytes"),
        }
    }

    pub(crate) fn during(self, call: &'static str) -> Broken {
        let reason = match self {
            Trouble::Raised(error) if error.kind == capnp::ErrorKind::Disconnected => Reason::LinkLost,
            Trouble::Raised(error) => {
                Reason::Exception { summary: first_line(&error.extra), full: error.to_string() }
            }
            Trouble::Malformed(what) => Reason::Malformed(what),
            Trouble::TooLarge(bytes) => Reason::TooLarge { bytes },
        };
        Broken { call, reason }
    }
}

/// The first line of an exception as a person should see it: every library adds a prefix per hop, some a traceback.
fn first_line(text: &str) -> String {
    let mut text = text.trim_start();
    while let Some(rest) = text.strip_prefix("remote exception:") {
        text = rest.trim_start();
    }
    let line = text.lines().next().unwrap_or_default();
    let mut end = line.len().min(limits::SUMMARY_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    if line.is_empty() { "without a text".to_owned() } else { line[..end].to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_is_told_by_its_first_line_without_prefixes() {
        let raised =
            capnp::Error::failed("remote exception: remote exception: no disk\n  at main.go:7".into());
        let broken = Trouble::from(raised).during("Build.run");
        assert_eq!(broken.to_string(), "a bug: `Build.run` raised an exception: no disk");
    }

    #[test]
    fn each_reason_reads_as_a_sentence_about_its_call() {
        let told = |reason| Broken { call: "Build.run", reason }.to_string();
        insta::assert_snapshot!(told(Reason::LinkLost), @"the link broke before `Build.run` answered");
        insta::assert_snapshot!(told(Reason::Exception { summary: "no disk".into(), full: String::new() }), @"a bug: `Build.run` raised an exception: no disk");
        insta::assert_snapshot!(told(Reason::Late { within: limits::PREPARE_WITHIN }), @"`Build.run` did not answer within 30 s");
        insta::assert_snapshot!(told(Reason::Malformed("`outcome` is unset".into())), @"`Build.run` answered against the protocol: `outcome` is unset");
        insta::assert_snapshot!(told(Reason::TooLarge { bytes: 9_000_000 }), @"`Build.run` needs a message of 9000000 bytes, and 8388608 is the limit");
    }

    #[test]
    fn a_lost_link_is_not_an_exception() {
        let lost = capnp::Error::disconnected("Peer disconnected.".into());
        assert!(Trouble::from(lost).during("Build.run").is_link_lost());
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(first_line(&"ä".repeat(400)).len(), 500);
    }
}
