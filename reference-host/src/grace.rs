//! The time that a cancelled run has to clean up.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// What the work yields; `None` when it was cancelled and took longer than `grace` after that.
///
/// The call itself is not abandoned: it goes on on the wire, and the plugin is ended with its session.
pub(crate) async fn within_grace<T>(
    work: impl Future<Output = T>,
    cancelled: &CancellationToken,
    grace: Duration,
) -> Option<T> {
    let out_of_time = async {
        cancelled.cancelled().await;
        tokio::time::sleep(grace).await;
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
        assert_eq!(within_grace(slow, &cancelled, Duration::from_secs(60)).await, None);
        assert_eq!(within_grace(async { 7 }, &cancelled, Duration::ZERO).await, Some(7));
    }
}
