//! The receiving end: a bounded queue between the room and the consumer; a receiver that is full answers late.
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use capnp_rpc::new_client;
use packwire_schema::stream_capnp::byte_stream as schema;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    limits,
    link::OpenStream,
    place::{Place, Seed, answered, offered, revoked},
    room::spawn_here,
    value::{Diagnostic, Outcome},
};

offered! {
    /// A stream of ours, to which the peer writes. What it writes comes out of the [`StreamReceiver`].
    OfferedStream: schema::Client
}

/// Makes a stream: one end to offer to a peer, once, and one to read what it writes.
pub fn pipe() -> (OfferedStream, StreamReceiver) {
    let (offer, receiver) = unoffered();
    let offer = Mutex::new(Some(offer));
    let offered = Seed::new(move |place| {
        // A stream has one writer: the second place gets one that is ended already.
        let taken = offer.lock().unwrap_or_else(PoisonError::into_inner).take();
        Some(taken.unwrap_or_else(|| unoffered().0).serve(place))
    });
    (OfferedStream(offered), receiver)
}

/// What the room holds of a stream that is not offered yet.
pub(crate) struct Inlet {
    shared: Arc<Shared>,
    verdict: watch::Receiver<Option<Outcome>>,
}

pub(crate) fn unoffered() -> (Inlet, StreamReceiver) {
    let shared = Arc::new(Shared::default());
    let (set, verdict) = watch::channel(None);
    let receiver = StreamReceiver { shared: shared.clone(), verdict: Some(Verdict(set)) };
    (Inlet { shared, verdict }, receiver)
}

impl Inlet {
    /// Aborts the stream when the peer's work here is to stop, unless its consumer is done before.
    pub(crate) fn abort_on(&self, stopping: CancellationToken) {
        let (shared, mut verdict) = (self.shared.clone(), self.verdict.clone());
        spawn_here(async move {
            tokio::select! {
                () = stopping.cancelled() => shared.abort("the work here is to stop"),
                _ = verdict.wait_for(Option::is_some) => {}
            }
        });
    }

    pub(crate) fn serve(self, place: &Place) -> schema::Client {
        let open = place.link.open_stream();
        if open.is_none() {
            self.shared
                .update(|queue| queue.ending = Some(Ending::Abort("too many streams are open on this link")));
        }
        self.shared.update(|queue| queue.gone = Some(place.revoked.clone()));
        let refused = open.is_none();
        let unanswered = Rc::new(Cell::new((0, 0)));
        new_client(ServedStream {
            place: place.clone(),
            inlet: self,
            refused,
            open: RefCell::new(open),
            unanswered,
        })
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.shared.abort("it was released before its end");
    }
}

/// The reading end of a stream of ours.
///
/// It gives its verdict with [`finish`](Self::finish); dropped without one, the stream has failed.
#[derive(Debug)]
pub struct StreamReceiver {
    shared: Arc<Shared>,
    verdict: Option<Verdict>,
}

/// The stream ended without an `end`: what came so far is to be discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream was aborted: {0}")]
pub struct Aborted(
    /// Why, in words.
    pub &'static str,
);

impl StreamReceiver {
    /// The next bytes; `None` after the last ones.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Aborted> {
        loop {
            let changed = self.shared.changed.notified();
            let gone = match self.shared.take() {
                Taken::Bytes(bytes) => return Ok(Some(bytes)),
                Taken::End => return Ok(None),
                Taken::Abort(why) => return Err(Aborted(why)),
                Taken::Nothing(gone) => gone,
            };
            match gone {
                None => changed.await,
                Some(gone) => tokio::select! {
                    () = changed => {}
                    () = gone.cancelled() => self.shared.abort("its link or the call that lent it has ended"),
                },
            }
        }
    }

    /// All bytes, up to a limit above which the rest is read and dropped.
    pub async fn collect(&mut self, limit: usize) -> Result<Vec<u8>, Aborted> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            let room = limit - all.len();
            all.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        Ok(all)
    }

    /// The verdict that the sender gets as the answer to its `end`. What it still writes is dropped.
    pub fn finish(mut self, outcome: Outcome) {
        if let Some(verdict) = self.verdict.take() {
            verdict.give(outcome);
        }
    }

    /// Takes the verdict out, for whoever runs the consumer and gives its outcome.
    pub(crate) fn take_verdict(&mut self) -> Option<Verdict> {
        self.verdict.take()
    }
}

impl Drop for StreamReceiver {
    fn drop(&mut self) {
        self.shared.update(|queue| {
            queue.closed = true;
            queue.chunks.clear();
            queue.bytes = 0;
        });
        if let Some(verdict) = self.verdict.take() {
            verdict.give(Outcome::failed("the receiver of the stream gave up"));
        }
    }
}

/// The right to say how a stream ended.
#[derive(Debug)]
pub(crate) struct Verdict(watch::Sender<Option<Outcome>>);

impl Verdict {
    pub(crate) fn give(self, outcome: Outcome) {
        drop(self.0.send_replace(Some(outcome)));
    }
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// The queue got longer, or its end came: for the consumer.
    changed: Notify,
    /// The queue got shorter: for the writes that wait for their answers.
    drained: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    ending: Option<Ending>,
    closed: bool,
    gone: Option<CancellationToken>,
}

impl Queue {
    fn has_room(&self) -> bool {
        self.bytes <= limits::READ_AHEAD_BYTES || self.closed || self.ending.is_some()
    }
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    End,
    Abort(&'static str),
}

enum Taken {
    Bytes(Bytes),
    End,
    Abort(&'static str),
    Nothing(Option<CancellationToken>),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut Queue)) {
        change(&mut self.lock());
        self.changed.notify_one();
        self.drained.notify_waiters();
    }

    fn abort(&self, why: &'static str) {
        self.update(|queue| queue.ending = queue.ending.or(Some(Ending::Abort(why))));
    }

    fn take(&self) -> Taken {
        let mut queue = self.lock();
        if let Some(Ending::Abort(why)) = queue.ending {
            return Taken::Abort(why);
        }
        let Some(bytes) = queue.chunks.pop_front() else {
            return match queue.ending {
                Some(_) => Taken::End,
                None => Taken::Nothing(queue.gone.clone()),
            };
        };
        queue.bytes -= bytes.len();
        drop(queue);
        self.drained.notify_waiters();
        Taken::Bytes(bytes)
    }

    /// Waits until the consumer has made room, so that the write may be answered.
    async fn has_room(&self) {
        loop {
            let drained = self.drained.notified();
            let mut drained = std::pin::pin!(drained);
            // Registered before the look at the queue: what happens in between is not missed.
            let _ready = drained.as_mut().enable();
            if self.lock().has_room() {
                return;
            }
            drained.await;
        }
    }
}

struct ServedStream {
    place: Place,
    inlet: Inlet,
    refused: bool,
    open: RefCell<Option<OpenStream>>,
    unanswered: Rc<Cell<(usize, usize)>>,
}

/// A write that has no answer yet.
struct Unanswered {
    count: Rc<Cell<(usize, usize)>>,
    bytes: usize,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let (writes, bytes) = self.count.get();
        self.count.set((writes - 1, bytes - self.bytes));
    }
}

impl ServedStream {
    /// Takes bytes into the queue, in the order in which the calls came.
    fn accept(&self, params: &schema::WriteParams) -> Result<(), capnp::Error> {
        if self.place.revoked.is_cancelled() {
            return Err(revoked());
        }
        let bytes = params.get()?.get_bytes()?;
        if bytes.len() > limits::WRITE_BYTES {
            let bound = limits::WRITE_BYTES;
            self.inlet.shared.abort("one of its writes was too large");
            return Err(capnp::Error::failed(format!(
                "a write of {} bytes; the limit is {bound}",
                bytes.len()
            )));
        }
        let mut queue = self.inlet.shared.lock();
        match queue.ending {
            Some(Ending::End) => {
                return Err(capnp::Error::failed("a write after the end of the stream".to_owned()));
            }
            // The verdict tells; a sender may have writes under way.
            Some(Ending::Abort(_)) => return Ok(()),
            None => {}
        }
        if !queue.closed && !bytes.is_empty() {
            queue.bytes += bytes.len();
            queue.chunks.push_back(Bytes::copy_from_slice(bytes));
        }
        drop(queue);
        self.inlet.shared.changed.notify_one();
        Ok(())
    }

    /// Counts a write until it is answered; a sender over its window loses its link.
    fn count(&self, bytes: usize) -> Result<Unanswered, capnp::Error> {
        let (writes, total) = self.unanswered.get();
        let (writes, total) = (writes + 1, total + bytes);
        self.unanswered.set((writes, total));
        let unanswered = Unanswered { count: self.unanswered.clone(), bytes };
        if writes > limits::WINDOW_WRITES || total > limits::WINDOW_BYTES {
            return Err(self.place.link.overrun("too much is unanswered on a stream"));
        }
        Ok(unanswered)
    }

    fn close(&self) {
        drop(self.open.borrow_mut().take());
    }
}

impl schema::Server for ServedStream {
    fn write(
        self: Rc<Self>,
        params: schema::WriteParams,
        _: schema::WriteResults,
    ) -> impl Future<Output = Result<(), capnp::Error>> + 'static {
        let size = params.get().and_then(|params| params.get_bytes()).map_or(0, |bytes| bytes.len());
        let entered = self.place.link.enter(size);
        let counted = self.count(size);
        let accepted = self.accept(&params);
        drop(params);
        async move {
            let (_entered, _unanswered) = (entered?, counted?);
            accepted?;
            self.inlet.shared.has_room().await;
            Ok(())
        }
    }

    async fn end(
        self: Rc<Self>,
        _: schema::EndParams,
        mut results: schema::EndResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        self.close();
        if self.refused {
            Outcome::Failed(vec![Diagnostic::error(format!(
                "more than {} streams are open on this link",
                limits::OPEN_STREAMS
            ))])
            .write(results.get().init_outcome());
            return answered(results);
        }
        if matches!(self.inlet.shared.lock().ending, Some(Ending::End)) {
            return Err(capnp::Error::failed("a second end of the stream".to_owned()));
        }
        self.inlet.shared.update(|queue| queue.ending = queue.ending.or(Some(Ending::End)));
        let mut verdict = self.inlet.verdict.clone();
        let outcome = tokio::select! {
            verdict = verdict.wait_for(Option::is_some) => verdict.ok().and_then(|verdict| verdict.clone()),
            () = self.place.revoked.cancelled() => return Err(revoked()),
        };
        outcome
            .unwrap_or_else(|| Outcome::failed("the receiver of the stream gave up"))
            .write(results.get().init_outcome());
        answered(results)
    }

    async fn abort(
        self: Rc<Self>,
        _: schema::AbortParams,
        _: schema::AbortResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        self.close();
        self.inlet.shared.abort("the sender said so");
        if self.refused {
            return Ok(());
        }
        // Answered when the receiver has cleaned up, so that nothing is left when the sender goes on.
        let mut verdict = self.inlet.verdict.clone();
        tokio::select! {
            verdict = verdict.wait_for(Option::is_some) => drop(verdict),
            () = self.place.revoked.cancelled() => {}
        }
        Ok(())
    }
}
