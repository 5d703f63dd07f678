//! The communicators that a session opened: whoever leaves closes them, also when the host could not any more.
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use packwire_wire::Communicator;

/// The communicators that may still be open. They are held: a host that is gone has released them all, and closed none.
#[derive(Clone, Default)]
pub(crate) struct Opened(Arc<Mutex<Vec<Arc<dyn Close>>>>);

impl Opened {
    /// Keeps a communicator in mind, and closes those that nobody else holds any more, who could have closed them.
    pub(crate) async fn remember(&self, communicator: Arc<impl Communicator>) {
        let released = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let is_released = |one: &mut Arc<dyn Close>| Arc::strong_count(one) == 1;
            let released: Vec<_> = all.extract_if(.., is_released).collect();
            all.push(communicator);
            released
        };
        close(released).await;
    }

    /// Closes what is left, one after another.
    pub(crate) async fn close(&self) {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        close(all).await;
    }
}

async fn close(communicators: Vec<Arc<dyn Close>>) {
    for one in communicators {
        one.close_now().await;
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
