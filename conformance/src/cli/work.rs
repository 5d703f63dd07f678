//! What takes its time, and ends at once when the user, or the terminal, says so.

use std::fmt::Display;
use std::future::Future;

use super::Failure;
use crate::interrupt;
use crate::suite::{self, SuiteError};

/// Does the work to its end, or until a signal ends all of it: what was started, and what was made.
pub(super) fn unless_interrupted<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ours)?;
    let ended = runtime.block_on(async {
        let interrupted = interrupt::interrupted().map_err(ours)?;
        tokio::select! {
            done = work => done,
            by = interrupted => Err(Failure::Interrupted(by)),
        }
    });
    if let Err(Failure::Interrupted(_)) = ended {
        suite::end_everything();
    }
    // Who writes to a pipe that nobody reads is not waited for.
    runtime.shutdown_background();
    ended
}

/// Writes where a reader may be slow, so that a signal is heard meanwhile.
pub(super) async fn patiently<T: Send + 'static>(
    write: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(write).await.map_err(ours)?
}

fn ours(error: impl Display) -> Failure {
    SuiteError::Ours(error.to_string()).into()
}
