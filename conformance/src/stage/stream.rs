//! Byte streams: those that others write into, and writing into theirs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use packwire_schema::stream_capnp::byte_stream;
use packwire_schema::work_capnp::diagnostic::Severity;
use packwire_schema::work_capnp::outcome;

use super::outcome::{Outcome, read_outcome};
use super::received::Received;
use super::{Stage, open};
use crate::talk::foreign;

/// The largest write that the suite makes.
const CHUNK: usize = 64 << 10;

/// A stream of ours, and what became of it.
#[derive(Default)]
pub(crate) struct Sink {
    pub(crate) bytes: RefCell<Received>,
    pub(crate) ends: Cell<usize>,
    pub(crate) aborts: Cell<usize>,
    /// Whether something came after the end.
    pub(crate) late: Cell<bool>,
    pub(crate) largest: Cell<usize>,
    /// Called with all that came, unless it was too much, when it has ended; the answer is a problem.
    whole: RefCell<Option<Whole>>,
}

type Whole = Box<dyn FnOnce(&Received) -> Option<String>>;

struct Lent {
    stage: Rc<Stage>,
    lane: usize,
    sink: Rc<Sink>,
}

impl Sink {
    /// A stream that does something with what came, as soon as all is there.
    pub(super) fn ending_in(whole: impl FnOnce(&Received) -> Option<String> + 'static) -> Rc<Self> {
        Rc::new(Self { whole: RefCell::new(Some(Box::new(whole))), ..Self::default() })
    }
}

impl Stage {
    /// Lends a stream to be written into.
    pub(crate) fn lend_stream(self: &Rc<Self>, sink: &Rc<Sink>) -> byte_stream::Client {
        let lane = self.lane();
        self.diary.end(self.diary.begin(lane, "ByteStream.lent", String::new(), 0));
        capnp_rpc::new_client(Lent { stage: self.clone(), lane, sink: sink.clone() })
    }
}

impl byte_stream::Server for Lent {
    async fn write(
        self: Rc<Self>,
        params: byte_stream::WriteParams,
        _: byte_stream::WriteResults,
    ) -> capnp::Result<()> {
        let Self { stage, lane, sink } = &*self;
        let bytes = params.get()?.get_bytes()?;
        sink.late.set(sink.late.get() || sink.ends.get() > 0);
        sink.largest.set(sink.largest.get().max(bytes.len()));
        sink.bytes.borrow_mut().take(bytes);
        stage.received.borrow_mut().take(bytes);
        let seen = stage.writes_seen.replace(stage.writes_seen.get() + 1);
        if stage.write_fails_at.get() == Some(seen) {
            return Err(capnp::Error::failed("the suite fails this write".to_owned()));
        }
        stage.act_with_bytes(*lane, "ByteStream.write", String::new(), bytes.len(), &stage.writes).await
    }

    async fn end(
        self: Rc<Self>,
        _: byte_stream::EndParams,
        mut results: byte_stream::EndResults,
    ) -> capnp::Result<()> {
        let Self { stage, lane, sink } = &*self;
        sink.ends.set(sink.ends.get() + 1);
        let whole = sink.whole.take();
        let problem = whole.and_then(|whole| whole(&sink.bytes.borrow()));
        stage.act(*lane, "ByteStream.end", String::new(), &stage.writes).await?;
        if stage.foreign_transfers.get() {
            return results.get().set_outcome(foreign::<outcome::Owned>()?.get_root()?);
        }
        let mut outcome = results.get().init_outcome();
        match problem {
            None => outcome.set_done(()),
            Some(problem) => {
                let mut diagnostic = outcome.init_failed(1).get(0);
                diagnostic.set_severity(Severity::Error);
                diagnostic.set_summary(&problem);
            }
        }
        Ok(())
    }

    async fn abort(
        self: Rc<Self>,
        _: byte_stream::AbortParams,
        _: byte_stream::AbortResults,
    ) -> capnp::Result<()> {
        let Self { stage, lane, sink } = &*self;
        sink.aborts.set(sink.aborts.get() + 1);
        stage.act(*lane, "ByteStream.abort", String::new(), &open()).await
    }
}

/// Writes all bytes into a stream, waiting for each answer, and ends it.
pub(crate) async fn pour(stream: &byte_stream::Client, bytes: &[u8]) -> capnp::Result<Outcome> {
    for chunk in bytes.chunks(CHUNK) {
        write(stream, chunk).await?;
    }
    end(stream).await
}

/// Writes all pieces and ends the stream without waiting for any answer before; what the end answers.
pub(crate) async fn pour_at_once(stream: &byte_stream::Client, pieces: &[Vec<u8>]) -> capnp::Result<Outcome> {
    let sent = pieces.iter().map(|piece| {
        let mut request = stream.write_request();
        request.get().set_bytes(piece);
        request.send().promise
    });
    let sent: Vec<_> = sent.collect();
    let ended = end(stream);
    futures::future::try_join_all(sent).await?;
    ended.await
}

/// One write.
pub(crate) async fn write(stream: &byte_stream::Client, bytes: &[u8]) -> capnp::Result<()> {
    let mut request = stream.write_request();
    request.get().set_bytes(bytes);
    request.send().promise.await.map(drop)
}

/// The end.
pub(crate) async fn end(stream: &byte_stream::Client) -> capnp::Result<Outcome> {
    read_outcome(stream.end_request().send().promise.await?.get()?.get_outcome()?)
}
