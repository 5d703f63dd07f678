//! The time that a cancelled run has to clean up.

use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What the work yields; `None` when it was cancelled and was silent for `grace` after that.
///
/// The call itself is not abandoned: it goes on on the wire, and the plugin is ended with its session.
pub(crate) async fn within_grace<T>(
    work: impl Future<Output = T>,
    cancelled: &CancellationToken,
    grace: Duration,
    heard: &Notify,
) -> Option<T> {
    let out_of_time = async {
        cancelled.cancelled().await;
        // Each line that it says begins the time anew.
        while tokio::time::timeout(grace, heard.notified()).await.is_ok() {}
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = out_of_time => None,
    }
}

/// Resolves a second after the cancellation: from then on nobody waits for somebody who takes no output.
pub(crate) async fn stalled(cancelled: &CancellationToken) {
    cancelled.cancelled().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_grace_begins_with_the_cancellation() {
        let cancelled = CancellationToken::new();
        let slow = async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            cancelled.cancel();
            std::future::pending::<()>().await;
        };
        let silent = Notify::new();
        assert_eq!(within_grace(slow, &cancelled, Duration::from_secs(60), &silent).await, None);
        assert_eq!(within_grace(async { 7 }, &cancelled, Duration::ZERO, &silent).await, Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_still_says_something_has_more_time() {
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        let heard = Notify::new();
        let slow = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(59)).await;
                heard.notify_waiters();
            }
        };
        assert_eq!(within_grace(slow, &cancelled, Duration::from_secs(60), &heard).await, Some(()));
    }
}
