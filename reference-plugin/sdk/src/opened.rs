//! The communicators that a session opened: whoever leaves closes them, also when the host could not any more.
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use packwire_wire::Communicator;

/// The communicators that may still be open.
#[derive(Clone, Default)]
pub(crate) struct Opened(Arc<Mutex<Vec<Weak<dyn Close>>>>);

impl Opened {
    pub(crate) fn remember<C: Communicator>(&self, communicator: &Arc<C>) {
        let weak: Weak<C> = Arc::downgrade(communicator);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| one.strong_count() > 0);
        all.push(weak);
    }

    /// Closes what is left, one after another.
    pub(crate) async fn close(&self) {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for one in all.iter().filter_map(Weak::upgrade) {
            one.close_now().await;
        }
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened")
    }
}

/// A communicator of whatever type.
trait Close: Send + Sync {
    fn close_now(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl<C: Communicator> Close for C {
    fn close_now(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.close())
    }
}
