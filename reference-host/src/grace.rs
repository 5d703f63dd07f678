//! The time that a plugin has to clean up, and the runs that it is counted for: the table of grace of SPEC.md.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use packwire_wire::limits;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::catalog::Kind;

/// How long it may be silent before the user is told what is waited for.
const TELL_AFTER: Duration = Duration::from_secs(3);

/// The table of grace: what a plugin may take to clean up before its host ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Graces {
    /// With no run open.
    pub idle: Duration,
    /// With a run of a builder or a post-processor open.
    pub maker: Duration,
    /// With a run of any other component open.
    pub other: Duration,
}

impl Default for Graces {
    fn default() -> Self {
        Self { idle: limits::LEAVE_WITHIN, maker: limits::CLEAN_UP_BUILDER, other: limits::CLEAN_UP }
    }
}

impl Graces {
    /// That of a run of a component of this kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Builder | Kind::PostProcessor => self.maker,
            Kind::Provisioner | Kind::DataSource | Kind::Hook | Kind::Command | Kind::Communicator => {
                self.other
            }
        }
    }
}

/// The runs of one process that are open, each with its grace.
#[derive(Debug, Default)]
pub(crate) struct OpenRuns(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    graces: BTreeMap<u64, Duration>,
    next: u64,
}

/// One of them, until it is dropped: answered, or given up.
#[derive(Debug)]
pub(crate) struct OpenRun<'a> {
    runs: &'a OpenRuns,
    number: u64,
    is_lost: bool,
}

impl OpenRuns {
    /// One more.
    pub(crate) fn open(&self, grace: Duration) -> OpenRun<'_> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = open.next;
        open.next += 1;
        open.graces.insert(number, grace);
        OpenRun { runs: self, number, is_lost: false }
    }

    /// The grace of the process: the longest of its open runs counts.
    pub(crate) fn grace(&self, idle: Duration) -> Duration {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.graces.values().copied().fold(idle, Duration::max)
    }
}

impl OpenRun<'_> {
    /// It broke off with its link. It stays open for its process, which may still be cleaning up.
    pub(crate) fn lose(mut self) {
        self.is_lost = true;
    }
}

impl Drop for OpenRun<'_> {
    fn drop(&mut self) {
        if !self.is_lost {
            let mut open = self.runs.0.lock().unwrap_or_else(PoisonError::into_inner);
            open.graces.remove(&self.number);
        }
    }
}

/// What the work yields; `None` when it was cancelled and was silent for `grace` after that. `tell` is called once
/// when it is silent for so long that a user wonders.
///
/// The call itself is not abandoned: it goes on on the wire, and the plugin is ended with its session.
pub(crate) async fn within_grace<T>(
    work: impl Future<Output = T>,
    cancelled: &CancellationToken,
    grace: Duration,
    heard: &Notify,
    tell: impl FnOnce(),
) -> Option<T> {
    let out_of_time = async {
        cancelled.cancelled().await;
        silence(grace, heard, tell).await;
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = out_of_time => None,
    }
}

/// Resolves when nothing was heard for `grace`; each line begins the time anew.
async fn silence(grace: Duration, heard: &Notify, tell: impl FnOnce()) {
    let is_heard = async |time: Duration| tokio::time::timeout(time, heard.notified()).await.is_ok();
    let mut tell = Some(tell).filter(|_| is_long(grace));
    loop {
        if let Some(tell) = tell.take() {
            while is_heard(TELL_AFTER).await {}
            tell();
            if !is_heard(grace - TELL_AFTER).await {
                return;
            }
        } else if !is_heard(grace).await {
            return;
        }
    }
}

/// Whether a wait of this time has to be told.
fn is_long(time: Duration) -> bool {
    time > 2 * TELL_AFTER
}

/// Resolves when `grace` is over; `tell` is called as [`within_grace`] does it.
pub(crate) async fn over(grace: Duration, tell: impl FnOnce()) {
    // Nobody is heard on a link that is lost.
    silence(grace, &Notify::new(), tell).await;
}

/// Resolves soon after the cancellation: from then on nobody waits for somebody who takes no output. A second after
/// it every call is answered (`host.cancel-frees-output`).
pub(crate) async fn stalled(cancelled: &CancellationToken) {
    cancelled.cancelled().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    // host.cancel-grace
    #[tokio::test(start_paused = true)]
    async fn the_grace_begins_with_the_cancellation() {
        let cancelled = CancellationToken::new();
        let slow = async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            cancelled.cancel();
            std::future::pending::<()>().await;
        };
        let silent = Notify::new();
        let (grace, begun) = (Duration::from_secs(60), Instant::now());
        assert_eq!(within_grace(slow, &cancelled, grace, &silent, || {}).await, None);
        assert_eq!(begun.elapsed().as_secs(), 3660);
        assert_eq!(within_grace(async { 7 }, &cancelled, Duration::ZERO, &silent, || {}).await, Some(7));
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
        let ended = within_grace(slow, &cancelled, Duration::from_secs(60), &heard, || {}).await;
        assert_eq!(ended, Some(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_told_once_and_a_short_one_never() {
        let told = Cell::new(0);
        let tell = || told.set(told.get() + 1);
        over(Duration::from_secs(5), tell).await;
        assert_eq!(told.get(), 0);
        let begun = Instant::now();
        over(Duration::from_secs(60), tell).await;
        assert_eq!((told.get(), begun.elapsed().as_secs()), (1, 60));
    }

    // host.cancel-frees-output
    #[tokio::test(start_paused = true)]
    async fn output_that_nobody_takes_is_given_up_within_a_second_of_the_cancellation() {
        let cancelled = CancellationToken::new();
        let waited = tokio::time::timeout(Duration::from_secs(3600), stalled(&cancelled)).await;
        assert!(waited.is_err(), "who is not cancelled waits");
        cancelled.cancel();
        let begun = Instant::now();
        stalled(&cancelled).await;
        assert!(begun.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn the_longest_of_the_open_runs_counts() {
        let graces = Graces::default();
        let runs = OpenRuns::default();
        let seconds = || runs.grace(graces.idle).as_secs();
        assert_eq!(seconds(), 5);
        let provisioner = runs.open(graces.of(Kind::Provisioner));
        assert_eq!(seconds(), 60);
        let builder = runs.open(graces.of(Kind::Builder));
        assert_eq!(seconds(), 600);
        drop(builder);
        assert_eq!(seconds(), 60);
        provisioner.lose();
        assert_eq!(seconds(), 60, "it may be cleaning up");
    }

    // host.cancel-grace
    #[test]
    fn each_kind_has_the_time_of_the_table() {
        let of = |kind| Graces::default().of(kind).as_secs();
        assert_eq!([Kind::Builder, Kind::PostProcessor].map(of), [600, 600]);
        let others =
            [Kind::Provisioner, Kind::DataSource, Kind::Hook, Kind::Command, Kind::Communicator].map(of);
        assert_eq!(others, [60; 5]);
    }
}
