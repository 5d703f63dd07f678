//! The connection to the host, and the RPC system on it.
use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use capnp::message::ReaderOptions;
use capnp_rpc::{RpcSystem, rpc_twoparty_capnp::Side, twoparty::VatNetwork};
use futures::io::{BufReader, BufWriter};
use packwire_schema::attach_capnp::host;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, UnixStream},
    sync::Notify,
    task::JoinHandle,
    time::{Interval, interval, sleep},
};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

use crate::{
    address::Address,
    below::Below,
    fault::Fault,
    hurt::{self, Hurt},
    manner::Manner,
};

/// One connection. Dropped, it is closed.
pub(crate) struct Link {
    host: host::Client,
    heard: Rc<Notify>,
    rpc: JoinHandle<Result<(), capnp::Error>>,
    _second: Option<Connection>,
}

impl Link {
    /// Dials the host.
    ///
    /// # Errors
    /// Nothing listens there: `launch.refused-address`.
    pub(crate) async fn dial(address: &Address, manner: Manner) -> io::Result<Self> {
        let connection = match (address, manner.fault()) {
            (_, Some(Fault::RetriesForever)) => keep_dialling(address).await?,
            (Address::Tcp(_), Some(Fault::BindsAllInterfaces)) => wait_to_be_dialled().await?,
            _ => connect(address).await?,
        };
        let second = match manner.fault() {
            Some(Fault::SecondConnection) => connect(address).await.ok(),
            _ => None,
        };
        let overhears = manner.commits(Fault::IgnoresHalfClose);
        if manner.commits(Fault::SocketInherited) {
            // A copy of the descriptor that every child inherits.
            std::mem::forget(rustix::io::dup(connection.as_fd())?);
        }
        if manner.hurts(Hurt::Answers) {
            hurt::answer_for_ever(connection.as_fd().try_clone_to_owned()?);
        }
        let until = if overhears { Some(FullClose::of(&connection)?) } else { None };
        let heard = Rc::<Notify>::default();
        let (host, rpc) = speak(connection, until, heard.clone(), manner);
        Ok(Self { host, heard, rpc, _second: second })
    }

    /// The capability that the host offers to whoever dials; it may still be on its way.
    pub(crate) fn host(&self) -> host::Client {
        self.host.clone()
    }

    /// Has no more use of it.
    pub(crate) fn release_host(&mut self) {
        self.host = capnp_rpc::new_future_client(std::future::pending());
    }

    /// Returns when something has come from the host, or its end: the answer to the bootstrap request, if nothing else
    /// was asked. The RPC library does not tell when that capability is there.
    pub(crate) async fn heard(&self) {
        self.heard.notified().await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.rpc.abort();
    }
}

/// What both kinds of sockets have in common.
trait Stream: AsyncRead + AsyncWrite + AsFd + Unpin {}
impl<T: AsyncRead + AsyncWrite + AsFd + Unpin> Stream for T {}
type Connection = Box<dyn Stream>;

async fn connect(address: &Address) -> io::Result<Connection> {
    match address {
        Address::Unix(path) => unix(path).await,
        Address::Tcp(socket) => tcp(TcpStream::connect(socket).await?),
    }
}

async fn unix(path: &Path) -> io::Result<Connection> {
    Ok(Box::new(UnixStream::connect(path).await?))
}

fn tcp(stream: TcpStream) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

async fn keep_dialling(address: &Address) -> io::Result<Connection> {
    let born = Instant::now();
    loop {
        match connect(address).await {
            Err(_) if born.elapsed() < Duration::from_secs(50) => sleep(Duration::from_millis(100)).await,
            outcome => return outcome,
        }
    }
}

async fn wait_to_be_dialled() -> io::Result<Connection> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    let (stream, _peer) = tokio::time::timeout(Duration::from_secs(50), listener.accept()).await??;
    tcp(stream)
}

/// Starts the RPC system on the connection.
#[expect(clippy::disallowed_methods, reason = "this plugin's only thread is its RPC thread")]
fn speak(
    connection: Connection,
    until: Option<FullClose>,
    heard: Rc<Notify>,
    manner: Manner,
) -> (host::Client, JoinHandle<Result<(), capnp::Error>>) {
    let (input, output) = tokio::io::split(connection);
    let network = VatNetwork::new(
        BufReader::new(
            Input { input, until, heard, below: Below::new(manner.fault()), ended: false }.compat(),
        ),
        BufWriter::new(output.compat_write()),
        Side::Client,
        limits(manner),
    );
    let mut system = RpcSystem::new(Box::new(network), None);
    let host = system.bootstrap(Side::Server);
    (host, tokio::task::spawn_local(system))
}

/// How much of a message is read: what the RPC library says, unless that is the fault.
fn limits(manner: Manner) -> ReaderOptions {
    let mut limits = ReaderOptions::new();
    if manner.commits(Fault::ExpandsBomb) {
        limits.traversal_limit_in_words(Some(1 << 25));
    }
    limits
}

/// What comes from the host. Its end is the end of the connection, except where a fault waits until it is fully closed.
struct Input<R> {
    input: R,
    heard: Rc<Notify>,
    below: Below,
    until: Option<FullClose>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> AsyncRead for Input<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        if !self.ended {
            ready!(Pin::new(&mut self.input).poll_read(cx, into))?;
            self.ended = into.filled().len() == before;
            self.below.hear(&into.filled()[before..])?;
            self.heard.notify_one();
        }
        let Self { until, ended, .. } = &mut *self;
        match until {
            Some(close) if *ended => close.poll(cx).map(Ok),
            Some(_) | None => Poll::Ready(Ok(())),
        }
    }
}

/// Waits until a connection is closed both ways, for most of a minute.
struct FullClose {
    socket: OwnedFd,
    ticks: Interval,
    born: Instant,
}

impl FullClose {
    fn of(connection: &Connection) -> io::Result<Self> {
        let socket = connection.as_fd().try_clone_to_owned()?;
        Ok(Self { socket, ticks: interval(Duration::from_millis(20)), born: Instant::now() })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.is_closed() && self.born.elapsed() < Duration::from_secs(50) {
            ready!(self.ticks.poll_tick(cx));
        }
        Poll::Ready(())
    }

    fn is_closed(&self) -> bool {
        let mut sockets = [PollFd::new(&self.socket, PollFlags::empty())];
        let polled = poll(&mut sockets, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        polled.is_err() || sockets[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
    }
}
