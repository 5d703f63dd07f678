//! How the plugin's life ends, and the exit code and the words that go with it.
use std::process::ExitCode;

use crate::{fault::Fault, launch::Unusable, log, manner::Manner, version::Refusal};

/// Why the plugin ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ending {
    /// The host answered attach with `leave`.
    #[error("the host has no more work")]
    Left,
    /// The host answered attach with `refused`, for this reason.
    #[error("the host refused: {0}")]
    Refused(String),
    /// The call of attach failed, but the connection did not.
    #[error("the host did not take the attach: {0}")]
    Rejected(String),
    /// Host and plugin speak no common version.
    #[error("{0}")]
    NoCommonVersion(#[from] Refusal),
    /// Nobody has started it as a plugin.
    #[error(
        "this is the Packwire plugin green: it is of use only when a host, such as `packwire`, starts it"
    )]
    Standalone,
    /// Variables are unusable.
    #[error("cannot attach with what the host said")]
    Unusable(Vec<Unusable>),
    /// It does not want to start where it is.
    #[error("cannot start: {0}")]
    Picky(String),
    /// Nothing listens at the address.
    #[error("cannot reach the host: {0}")]
    Unreachable(#[from] std::io::Error),
    /// The connection broke.
    #[error("the connection to the host broke")]
    Disconnected,
    /// SIGTERM came.
    #[error("terminated")]
    Terminated,
}

impl Ending {
    /// Says why on stderr, and yields the exit code.
    pub(crate) fn report(&self, manner: Manner) -> ExitCode {
        match (self, manner.fault()) {
            (Self::NoCommonVersion(_), Some(Fault::SilentRefusal)) => {}
            (Self::NoCommonVersion(refusal), _) => log::bare(&refusal.to_string()),
            (Self::Unusable(unusable), _) => {
                unusable.iter().for_each(|each| log::line(manner, &each.to_string()))
            }
            _ => log::line(manner, &self.to_string()),
        }
        ExitCode::from(self.code(manner))
    }

    fn code(&self, manner: Manner) -> u8 {
        match (self, manner.fault()) {
            (Self::Standalone, Some(Fault::Exit0Standalone)) => 0,
            (Self::Refused(_), Some(Fault::Exits0WhenRefused)) => 0,
            (Self::Left, Some(Fault::Exit1OnLeave)) => 1,
            (Self::Disconnected, Some(Fault::Exit0OnDisconnect)) => 0,
            (Self::Left, _) => 0,
            (Self::Standalone | Self::Unusable(_) | Self::Picky(_), _) => 2,
            (Self::Refused(_) | Self::NoCommonVersion(_), _) => 3,
            (Self::Unreachable(_) | Self::Rejected(_) | Self::Disconnected | Self::Terminated, _) => 4,
        }
    }
}
