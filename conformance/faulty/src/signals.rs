//! The signals that a plugin minds: SIGTERM ends it, SIGINT is the host's business.
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{fault::Fault, manner::Manner};

/// The handlers; they stand from the moment this exists.
pub(crate) struct Signals {
    terminate: Signal,
    _interrupt: Option<Signal>,
}

impl Signals {
    /// Installs them. SIGPIPE is ignored by Rust's runtime already.
    ///
    /// # Errors
    /// The kernel refuses a handler.
    pub(crate) fn install(manner: Manner) -> io::Result<Self> {
        let interrupt = match manner.fault() {
            Some(Fault::DiesOnSigint) => None,
            _ => Some(signal(SignalKind::interrupt())?),
        };
        Ok(Self { terminate: signal(SignalKind::terminate())?, _interrupt: interrupt })
    }

    /// Answers when SIGTERM has come.
    pub(crate) async fn terminated(&mut self, manner: Manner) {
        self.terminate.recv().await;
        if manner.commits(Fault::IgnoresSigterm) {
            std::future::pending::<()>().await;
        }
    }
}
