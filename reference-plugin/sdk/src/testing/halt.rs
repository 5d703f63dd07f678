//! Places at which a host under test leaves a component without an answer.
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// A place at which a host answers nothing, made by [`Host::halt_at`](super::Host::halt_at). Dropped, the host goes on.
#[derive(Debug)]
pub struct Halt {
    reached: watch::Receiver<bool>,
    _goes_on: watch::Sender<()>,
}

impl Halt {
    /// Waits until a component is there.
    pub async fn reached(&mut self) {
        // It fails where the host is gone, and then nobody comes.
        drop(self.reached.wait_for(|reached| *reached).await);
    }
}

/// The halts of one host. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Halts(Arc<Mutex<Vec<Point>>>);

/// The host's end of a [`Halt`].
#[derive(Clone, Debug)]
struct Point {
    beginning: String,
    reached: watch::Sender<bool>,
    goes_on: watch::Receiver<()>,
}

impl Halts {
    pub(super) fn add(&self, beginning: &str) -> Halt {
        let (reached, is_reached) = watch::channel(false);
        let (lets_go, goes_on) = watch::channel(());
        let point = Point { beginning: beginning.to_owned(), reached, goes_on };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(point);
        Halt { reached: is_reached, _goes_on: lets_go }
    }

    /// Waits for as long as the host is halted at what it has told.
    pub(super) async fn pass(&self, told: &str) {
        let points = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for mut point in points.into_iter().filter(|point| told.starts_with(&point.beginning)) {
            let _before = point.reached.send_replace(true);
            // Nothing is ever sent: it ends when the other end is dropped.
            while point.goes_on.changed().await.is_ok() {}
        }
    }
}
