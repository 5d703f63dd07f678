//! The sending end: a window of unanswered writes is kept open, and every answer is awaited before the end.
use std::{
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use packwire_schema::stream_capnp::byte_stream as schema;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    broken::{Broken, Reason, Trouble},
    limits,
    link::LinkState,
    place::send,
    room::{Remote, spawn_here},
    value::Outcome,
};

const WRITE: &str = "ByteStream.write";

/// A stream of the peer's, to which we write.
///
/// Its end is said explicitly, by [`end`](Self::end) or [`abort`](Self::abort); a sender that is dropped before has
/// failed, so it aborts.
#[derive(Debug)]
pub struct StreamSender {
    remote: Remote<schema::Client>,
    window: Arc<Window>,
    open: bool,
}

/// What may be unanswered: both bounds are the protocol's.
#[derive(Debug)]
struct Window {
    bytes: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    failed: Mutex<Option<Broken>>,
}

impl StreamSender {
    pub(crate) fn adopt(link: &Rc<LinkState>, client: schema::Client) -> Self {
        let window = Window {
            bytes: Arc::new(Semaphore::new(limits::WINDOW_BYTES)),
            writes: Arc::new(Semaphore::new(limits::WINDOW_WRITES)),
            failed: Mutex::new(None),
        };
        Self { remote: Remote::adopt(link, client), window: Arc::new(window), open: true }
    }

    /// Sends bytes, in writes of at most 256 KiB; waits while the receiver is behind.
    ///
    /// An error may be that of an earlier write. After one, nothing more arrives.
    pub async fn write(&mut self, bytes: impl Into<Bytes>) -> Result<(), Broken> {
        let mut bytes = bytes.into();
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(limits::WRITE_BYTES));
            self.write_part(part).await?;
        }
        self.window.failure().map_or(Ok(()), Err)
    }

    async fn write_part(&self, part: Bytes) -> Result<(), Broken> {
        let size = u32::try_from(part.len()).unwrap_or(u32::MAX);
        let permits =
            (self.window.writes.clone().acquire_owned(), self.window.bytes.clone().acquire_many_owned(size));
        let (Ok(write), Ok(bytes)) = tokio::join!(permits.0, permits.1) else {
            return Err(Broken { call: WRITE, reason: Reason::LinkLost });
        };
        if let Some(failure) = self.window.failure() {
            return Err(failure);
        }
        let (remote, window) = (self.remote.clone(), self.window.clone());
        self.remote.room().tell(move || write_here(&remote, &part, window, (write, bytes)));
        Ok(())
    }

    /// Says that all was written, once every write was answered, and brings back the receiver's verdict.
    pub async fn end(mut self) -> Result<Outcome, Broken> {
        self.open = false;
        if let Some(failure) = self.settled().await {
            self.tell_abort();
            return Err(failure);
        }
        self.remote
            .call("ByteStream.end", None, |adopted| {
                let sent = send(adopted.client.end_request());
                async move { Outcome::read(sent?.await?.get()?.get_outcome()?) }
            })
            .await
    }

    /// Says that what came so far is to be discarded, and waits until it is.
    pub async fn abort(mut self) -> Result<(), Broken> {
        self.open = false;
        self.remote
            .acknowledged("ByteStream.abort", Some(limits::QUICK_WITHIN), |client| {
                send(client.abort_request())
            })
            .await
    }

    /// Waits until every write is answered.
    async fn settled(&self) -> Option<Broken> {
        let all = u32::try_from(limits::WINDOW_WRITES).unwrap_or(u32::MAX);
        let answered = self.window.writes.acquire_many(all).await;
        if answered.is_err() {
            return Some(Broken { call: WRITE, reason: Reason::LinkLost });
        }
        self.window.failure()
    }

    fn tell_abort(&self) {
        let remote = self.remote.clone();
        self.remote.room().tell(move || {
            let sent = remote.here().map(|adopted| send(adopted.client.abort_request()));
            if let Some(Ok(sent)) = sent {
                spawn_here(async move { drop(sent.await) });
            }
        });
    }
}

impl Drop for StreamSender {
    fn drop(&mut self) {
        if self.open {
            self.tell_abort();
        }
    }
}

impl Window {
    fn failure(&self) -> Option<Broken> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fail(&self, trouble: Trouble) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = failed.take().or_else(|| Some(trouble.during(WRITE)));
    }
}

/// Sends one write; its permits come back with its answer.
fn write_here(
    remote: &Remote<schema::Client>,
    part: &[u8],
    window: Arc<Window>,
    permits: (OwnedSemaphorePermit, OwnedSemaphorePermit),
) {
    let sent = match remote.here() {
        None => Err(Trouble::from(capnp::Error::disconnected("the link is gone".to_owned()))),
        Some(adopted) => {
            let mut request = adopted.client.write_request();
            request.get().set_bytes(part);
            send(request)
        }
    };
    match sent {
        Err(trouble) => window.fail(trouble),
        Ok(answer) => spawn_here(async move {
            if let Err(error) = answer.await {
                window.fail(error.into());
            }
            drop(permits);
        }),
    }
}
