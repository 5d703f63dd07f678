//! What waits for builds that are under way: nothing, unless that is the fault.
use std::{cell::Cell, time::Duration};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::{sleep, timeout},
};

use crate::fault::Fault;

static ONE: Mutex<()> = Mutex::const_new(());

thread_local! {
    static UNDER_WAY: Cell<usize> = const { Cell::new(0) };
}

/// A build that is under way.
pub(super) struct Turn {
    _alone: Option<MutexGuard<'static, ()>>,
}

impl Turn {
    /// The turn of a build: now.
    pub(super) async fn take(fault: Option<Fault>) -> Self {
        let alone = if fault == Some(Fault::RunsSerialised) { Some(ONE.lock().await) } else { None };
        UNDER_WAY.set(UNDER_WAY.get() + 1);
        Self { _alone: alone }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        UNDER_WAY.set(UNDER_WAY.get() - 1);
    }
}

/// Lets builds end before anything else is answered, for as long as it takes to be seen.
pub(super) async fn wait_for_builds(fault: Option<Fault>) {
    if fault == Some(Fault::BlocksEventLoop) {
        drop(timeout(Duration::from_secs(6), all_builds_are_over()).await);
    }
}

/// Answers when no build is under way.
pub(crate) async fn all_builds_are_over() {
    while UNDER_WAY.get() > 0 {
        sleep(Duration::from_millis(10)).await;
    }
}
