//! How a host of the rig behaves.

use std::ffi::OsString;
use std::time::Duration;

/// How a host behaves, decided before the plugin is started.
#[derive(Clone, Debug)]
pub struct Manners {
    /// Where it listens.
    pub listens: Listens,
    /// The versions that it offers: the value of `PACKER_PLUGIN_PROTOCOL`.
    pub offer: String,
    /// The token; a fresh one if none is given.
    pub token: Option<String>,
    /// What it answers to every `attach` at once; by default it holds the session until `Host::answer`.
    pub answer: Option<Answer>,
    /// How long it keeps everything back that it would send, counted from each connection.
    pub silent_for: Duration,
    /// Whether the check itself speaks on the connections, below the RPC library: `Host::raw_link`.
    pub raw: bool,
}

impl Default for Manners {
    fn default() -> Self {
        let (listens, offer) = (Listens::default(), "1".to_owned());
        Self { listens, offer, token: None, answer: None, silent_for: Duration::ZERO, raw: false }
    }
}

/// Where a host listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Listens {
    /// On a Unix socket with an ordinary short path.
    #[default]
    Unix,
    /// On a Unix socket with this file name, in the rig's directory for sockets.
    UnixNamed(OsString),
    /// On a free port of 127.0.0.1.
    Tcp,
}

/// What a host answers to `attach`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The session is over.
    Leave,
    /// The plugin is not welcome, for this reason.
    Refused(String),
    /// An `End` whose union is `unset`.
    Unset,
    /// An `End` whose union has a member that nobody knows.
    Foreign,
    /// An exception with this text.
    Exception(String),
}
