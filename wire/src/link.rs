//! One two-party connection over any two byte streams, and what the room remembers of it.
use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use capnp_rpc::{RpcSystem, rpc_twoparty_capnp::Side, twoparty::VatNetwork};
use futures::{AsyncRead, io::BufReader, io::BufWriter};
use tokio_util::{
    compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt},
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::{
    limits,
    room::{Room, spawn_here},
};

const BUFFER_BYTES: usize = 64 << 10;
/// How long a peer that was refused may take to read so.
const REFUSAL_WITHIN: Duration = Duration::from_secs(1);
/// How long a peer may take to read that its link is ended.
const FAREWELL_WITHIN: Duration = Duration::from_millis(200);

/// How often the connection goes on before its end, for what was answered to be written.
const LAST_ROUNDS: usize = 16;

/// Any two-way byte stream: a Unix socket, a TCP socket, or a pipe in memory.
pub trait ByteLink: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static> ByteLink for T {}

/// Two ends of a connection in memory, for tests without a process.
pub fn memory() -> (tokio::io::DuplexStream, tokio::io::DuplexStream) {
    tokio::io::duplex(BUFFER_BYTES)
}

/// Our hold on a connection. Dropping it ends the connection.
#[derive(Debug)]
pub struct Link {
    ended: CancellationToken,
    stopping: CancellationToken,
    calls: TaskTracker,
    dropped: tokio_util::sync::DropGuard,
}

impl Link {
    /// Resolves when the connection has ended, for whatever reason. Calls open on it have failed by then.
    pub fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Cancels all work that the peer has under way here; the connection stays. A lost connection does so, too.
    pub fn stop_work(&self) {
        self.stopping.cancel();
    }

    /// Waits until every call that the peer has open here is answered, so that closing the connection takes no
    /// answer away.
    pub async fn answered(&self) {
        self.calls.close();
        self.calls.wait().await;
        self.calls.reopen();
    }

    /// A connection that never was.
    pub(crate) fn lost() -> Self {
        let [ended, stopping, severed] = std::array::from_fn(|_| CancellationToken::new());
        ended.cancel();
        stopping.cancel();
        Self { ended, stopping, calls: TaskTracker::new(), dropped: severed.drop_guard() }
    }

    /// Ends the connection.
    pub fn sever(self) {
        drop(self.dropped);
    }
}

/// What the room remembers of a link: where its authors run, and what its peer has open.
pub(crate) struct LinkState {
    room: Room,
    end: End,
    /// Cancelled when the connection has ended.
    pub(crate) ended: CancellationToken,
    /// Cancelled when the peer's work here is to stop: at the latest when the connection has ended.
    pub(crate) stopping: CancellationToken,
    severed: CancellationToken,
    /// The calls that the peer has open.
    calls: TaskTracker,
    bytes: Cell<usize>,
    streams: Cell<usize>,
}

#[cfg(test)]
impl LinkState {
    /// A link without a connection, for what is read without one.
    pub(crate) fn unconnected(room: Room) -> Rc<Self> {
        let [ended, stopping, severed] = std::array::from_fn(|_| CancellationToken::new());
        let (calls, bytes, streams) = (TaskTracker::new(), Cell::default(), Cell::default());
        Rc::new(Self { room, end: End::Host, ended, stopping, severed, calls, bytes, streams })
    }
}

impl LinkState {
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Whether ours is the host's end of it.
    pub(crate) fn is_a_hosts(&self) -> bool {
        matches!(self.end, End::Host)
    }

    /// Counts a call that the peer has open, until the guard is dropped; a peer over its bounds loses its link.
    pub(crate) fn enter(self: &Rc<Self>, bytes: usize) -> Result<Entered, capnp::Error> {
        self.bytes.set(self.bytes.get() + bytes);
        let entered = Entered { _call: self.calls.token(), link: self.clone(), bytes };
        if self.calls.len() > limits::LINK_CALLS || self.bytes.get() > limits::LINK_BYTES {
            return Err(self.overrun("too many calls or bytes are unanswered on this link"));
        }
        Ok(entered)
    }

    /// Counts a stream that the peer has open, until the guard is dropped; `None` above the bound.
    pub(crate) fn open_stream(self: &Rc<Self>) -> Option<OpenStream> {
        if self.streams.get() == limits::OPEN_STREAMS {
            return None;
        }
        self.streams.set(self.streams.get() + 1);
        Some(OpenStream(self.clone()))
    }

    /// Ends the link of a peer that was refused, unless it does so itself: its answer is on the way.
    pub(crate) fn end_soon(&self) {
        let severed = self.severed.clone();
        spawn_here(async move {
            tokio::time::sleep(REFUSAL_WITHIN).await;
            severed.cancel();
        });
    }

    /// Ends the link of a peer that keeps none of the bounds.
    pub(crate) fn overrun(&self, what: &str) -> capnp::Error {
        self.severed.cancel();
        capnp::Error::overloaded(format!("{what}: the link is ended"))
    }
}

/// A call that the peer has open.
pub(crate) struct Entered {
    _call: TaskTrackerToken,
    link: Rc<LinkState>,
    bytes: usize,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.link.bytes.set(self.link.bytes.get() - self.bytes);
    }
}

/// A stream that the peer has open.
pub(crate) struct OpenStream(Rc<LinkState>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
    }
}

/// Which end of the connection we are.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// The one that was dialled.
    Host,
    /// The one that dials.
    Plugin,
}

/// Makes a link of `stream`, and on the RPC thread whatever `start` makes of it; `None` when that thread is gone.
///
/// `trusted` lifts the bound on the bytes that may arrive before the peer has shown its token.
pub(crate) async fn join<T: Send + 'static>(
    room: &Room,
    stream: impl ByteLink,
    end: End,
    trusted: Arc<AtomicBool>,
    bootstrap: impl FnOnce(&Rc<LinkState>) -> Option<capnp::capability::Client> + Send + 'static,
    start: impl FnOnce(&Rc<LinkState>, &mut RpcSystem<Side>) -> T + Send + 'static,
) -> Option<(Link, T)> {
    let [ended, stopping, severed] = std::array::from_fn(|_| CancellationToken::new());
    let dropped = severed.clone().drop_guard();
    let calls = TaskTracker::new();
    let link = Link { ended: ended.clone(), stopping: stopping.clone(), calls: calls.clone(), dropped };
    let inner = room.clone();
    let started = room.ask(move || {
        let link = Rc::new(LinkState {
            room: inner,
            end,
            ended,
            stopping,
            severed,
            calls,
            bytes: Cell::new(0),
            streams: Cell::new(0),
        });
        let mut system = system(stream, end, trusted, bootstrap(&link));
        let started = start(&link, &mut system);
        spawn_here(drive(system, link));
        async move { started }
    });
    Some((link, started.await?))
}

/// Polls a connection until its peer, its owner or a fault ends it.
async fn drive(system: RpcSystem<Side>, link: Rc<LinkState>) {
    let disconnector = system.get_disconnector();
    let severed = link.severed.clone();
    let mut system = std::pin::pin!(system);
    let over = tokio::select! {
        _ = &mut system => true,
        () = severed.cancelled() => is_over(system.as_mut()).await,
    };
    // A garbled message and a clean end are the same to those who wait: the link is gone.
    if !over {
        // Tells the peer, whose library then fails what it has open; bounded, because the peer may not read any more.
        let farewell = async { tokio::join!(disconnector, system) };
        drop(tokio::time::timeout(FAREWELL_WITHIN, farewell).await);
    }
    link.ended.cancel();
    link.stopping.cancel();
}

/// Lets a connection go on for a moment: an answer that was given just now is not written yet. True if it ends in it.
async fn is_over(mut system: Pin<&mut RpcSystem<Side>>) -> bool {
    for _ in 0..LAST_ROUNDS {
        tokio::select! {
            biased;
            _ = &mut system => return true,
            () = tokio::task::yield_now() => {}
        }
    }
    false
}

fn system(
    stream: impl ByteLink,
    end: End,
    trusted: Arc<AtomicBool>,
    bootstrap: Option<capnp::capability::Client>,
) -> RpcSystem<Side> {
    let (reading, writing) = tokio::io::split(stream);
    let reading = Guarded { inner: reading.compat(), seen: 0, trusted };
    let mut network = VatNetwork::new(
        BufReader::with_capacity(BUFFER_BYTES, reading),
        BufWriter::with_capacity(BUFFER_BYTES, writing.compat_write()),
        match end {
            End::Host => Side::Server,
            End::Plugin => Side::Client,
        },
        capnp::message::ReaderOptions::default(),
    );
    network.set_window_size(limits::WINDOW_BYTES);
    RpcSystem::new(Box::new(network), bootstrap)
}

/// Refuses to read more than a hello from a peer that has not shown its token.
struct Guarded<R> {
    inner: R,
    seen: u64,
    trusted: Arc<AtomicBool>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Guarded<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = std::task::ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if !self.trusted.load(Ordering::Relaxed) {
            self.seen += read as u64;
            if self.seen > limits::HELLO_BYTES {
                return Poll::Ready(Err(io::Error::other(
                    "more bytes than a hello may have, and no valid token",
                )));
            }
        }
        Poll::Ready(Ok(read))
    }
}
