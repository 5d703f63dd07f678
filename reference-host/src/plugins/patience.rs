//! How long the host waits for plugins to clean up, and how its user learns of that and ends it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::grace::{Graces, over};
use crate::ui::{Paint, Terminal};

/// What every process of a run is waited for with.
#[derive(Clone, Debug)]
pub struct Patience {
    /// How long.
    pub graces: Graces,
    /// Where long waits are told.
    pub terminal: Arc<Terminal>,
    /// Cancelled by the user's first interrupt; the second ends everything.
    pub interrupted: CancellationToken,
}

impl Patience {
    /// Says what is waited for. An interrupt that only cancels a run is not said to end the waiting.
    pub(super) fn tell(&self, plugin: &str, grace: Duration, is_ended_by_interrupt: bool) {
        let mut line = format!("Waiting up to {} for {plugin} to clean up", told(grace));
        if is_ended_by_interrupt {
            line += "; Ctrl-C ends it now";
        }
        self.terminal.print("", &line, Paint::Plain);
    }

    /// The same for a run: what ends the waiting for one that is cancelled is the second interrupt.
    pub(super) fn tell_of_run(&self, plugin: &str, grace: Duration) {
        self.tell(plugin, grace, self.interrupted.is_cancelled());
    }

    /// Resolves when a process whose link is lost has had `grace`, or at the user's next interrupt.
    pub(super) async fn with_lost(&self, plugin: &str, grace: Duration) {
        tokio::select! {
            () = over(grace, || self.tell(plugin, grace, true)) => {}
            () = self.next_interrupt() => {}
        }
    }

    /// The first, if it is still to come: the second is not for one process.
    async fn next_interrupt(&self) {
        if self.interrupted.is_cancelled() {
            std::future::pending().await
        } else {
            self.interrupted.cancelled().await;
        }
    }
}

fn told(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 60 && seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::ui::testing::terminal;

    const TEN_MINUTES: Duration = Duration::from_secs(600);

    #[tokio::test(start_paused = true)]
    async fn a_lost_plugin_has_its_time_and_the_user_is_told() {
        let (terminal, recorder) = terminal(false);
        let patience =
            Patience { graces: Graces::default(), terminal, interrupted: CancellationToken::new() };
        let begun = Instant::now();
        patience.with_lost("packer-builder-x", TEN_MINUTES).await;
        assert_eq!(begun.elapsed(), TEN_MINUTES);
        let said = "Waiting up to 10 min for packer-builder-x to clean up; Ctrl-C ends it now\n";
        assert_eq!(recorder.text(), said);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_interrupt_ends_the_waiting() {
        let (terminal, _) = terminal(false);
        let interrupted = CancellationToken::new();
        let patience = Patience { graces: Graces::default(), terminal, interrupted: interrupted.clone() };
        let begun = Instant::now();
        let interrupt = async {
            tokio::time::sleep(Duration::from_secs(7)).await;
            interrupted.cancel();
        };
        tokio::join!(patience.with_lost("x", TEN_MINUTES), interrupt);
        assert_eq!(begun.elapsed().as_secs(), 7);
        // From here on the next one is the second, which ends everything.
        patience.with_lost("x", TEN_MINUTES).await;
        assert_eq!(begun.elapsed().as_secs(), 607);
    }

    #[test]
    fn times_are_told_as_people_say_them() {
        assert_eq!(
            [600, 60, 61, 5].map(|seconds| told(Duration::from_secs(seconds))),
            ["10 min", "1 min", "61 s", "5 s"]
        );
    }
}
