//! A well-behaved host that can be told to be slow, to refuse, to go away, or to leave its connections to the check.

use std::cell::{Cell, RefCell};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, new_client, twoparty};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use futures::io::{AsyncRead as Read, AsyncWrite as Write};
use packwire_schema::attach_capnp::{end, hello, host};
use tokio::sync::{Notify, watch};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

use super::Launch;
use super::inbox::Inbox;
use super::listener::{Halves, Listener};
use super::manners::{Answer, Listens, Manners};
use super::record::Record;
use super::tap::{self, Ear, Gate, Reading, Transcript, Writing};
use super::transcript::{Entry, Message, Sender};
use crate::raw;
use crate::talk::foreign;

/// A host that listens, and the connections that came.
pub struct Host {
    state: Rc<State>,
    address: OsString,
    token: String,
    offer: String,
}

struct State {
    record: Rc<Record>,
    manners: Manners,
    answers: watch::Sender<Option<Answer>>,
    attached: RefCell<Vec<Rc<Hello>>>,
    came: Notify,
    transcript: Rc<Transcript>,
    connections: RefCell<Vec<Connection>>,
    raw: RefCell<Vec<Rc<raw::Link>>>,
    accepting: Cell<bool>,
    socket: Option<PathBuf>,
}

/// A connection that came; its descriptor is a second one, so that it can be shut below the RPC library.
struct Connection {
    at: Duration,
    gate: Rc<Gate>,
    descriptor: std::os::fd::OwnedFd,
    open: Rc<Cell<bool>>,
}

impl Connection {
    fn shut(&self, how: rustix::net::Shutdown) {
        // A connection that the plugin has closed already cannot be shut again.
        let _ = rustix::net::shutdown(&self.descriptor, how);
    }

    fn end(&self) {
        self.shut(rustix::net::Shutdown::Both);
    }
}

/// The parameter of an `attach` that arrived, as it came; its capabilities live as long as this does.
pub struct Hello {
    /// When it arrived, since the rig began.
    pub at: Duration,
    /// On which connection, counted from 0.
    pub connection: usize,
    params: host::AttachParams,
}

impl Hello {
    /// The raw reader.
    pub fn read(&self) -> capnp::Result<hello::Reader<'_>> {
        self.params.get()?.get_hello()
    }
}

impl Host {
    pub(super) fn listen(
        manners: Manners,
        sockets: PathBuf,
        number: usize,
        record: Rc<Record>,
    ) -> io::Result<Self> {
        let token = manners.token.clone().map_or_else(fresh_token, Ok)?;
        let offer = manners.offer.clone();
        let (listener, address) = Listener::bind(&manners.listens, &sockets, number)?;
        let socket = match manners.listens {
            Listens::Tcp => None,
            _ => Some(PathBuf::from(OsStr::from_bytes(&address.as_bytes()["unix:".len()..]))),
        };
        let state = Rc::new(State {
            answers: watch::Sender::new(manners.answer.clone()),
            manners,
            attached: RefCell::default(),
            came: Notify::new(),
            transcript: Rc::new(Transcript::with_token(&token)),
            connections: RefCell::default(),
            raw: RefCell::default(),
            accepting: Cell::new(true),
            socket,
            record: record.clone(),
        });
        record.spawn(accept(listener, state.clone()));
        Ok(Self { state, address, token, offer })
    }

    /// The value of `PACKER_PLUGIN_ADDRESS`.
    pub fn address(&self) -> &OsStr {
        &self.address
    }

    /// The value of `PACKER_PLUGIN_TOKEN`.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A start of the plugin with the three variables of this host.
    pub fn launch(&self) -> Launch {
        Launch::bare()
            .with("PACKER_PLUGIN_ADDRESS", &self.address)
            .with("PACKER_PLUGIN_TOKEN", &self.token)
            .with("PACKER_PLUGIN_PROTOCOL", &self.offer)
    }

    /// The first hello, as soon as it is there; `within` is stretched by `--slow`.
    pub async fn attached(&self, within: Duration) -> Option<Rc<Hello>> {
        let first = async {
            loop {
                let news = self.state.came.notified();
                if let Some(hello) = self.state.attached.borrow().first() {
                    return hello.clone();
                }
                news.await;
            }
        };
        tokio::time::timeout(self.state.record.stretch(within), first).await.ok()
    }

    /// The first connection of a host whose manners are raw; `within` is stretched by `--slow`.
    pub(crate) async fn raw_link(&self, within: Duration) -> Option<Rc<raw::Link>> {
        let first = async {
            loop {
                let news = self.state.came.notified();
                if let Some(link) = self.state.raw.borrow().first() {
                    return link.clone();
                }
                news.await;
            }
        };
        tokio::time::timeout(self.state.record.stretch(within), first).await.ok()
    }

    /// Whether the check itself speaks on its connections.
    pub(super) fn is_raw(&self) -> bool {
        self.state.manners.raw
    }

    /// Every hello so far, up to a bound.
    pub fn hellos(&self) -> Vec<Rc<Hello>> {
        self.state.attached.borrow().clone()
    }

    /// When each connection came, since the rig began.
    pub fn connections(&self) -> Vec<Duration> {
        self.state.connections.borrow().iter().map(|connection| connection.at).collect()
    }

    /// How many connections are still open from the plugin's side.
    pub fn open_connections(&self) -> usize {
        self.state.connections.borrow().iter().filter(|connection| connection.open.get()).count()
    }

    /// Answers every `attach`, those that wait and those to come.
    pub fn answer(&self, answer: Answer) {
        self.state.answers.send_replace(Some(answer));
    }

    /// Stops, or starts again, to send anything at all.
    pub fn hold_back(&self, held: bool) {
        self.state.connections.borrow().iter().for_each(|connection| connection.gate.set(held));
    }

    /// Ends the bytes from the host and keeps reading.
    pub fn half_close(&self) {
        self.shut(rustix::net::Shutdown::Write);
    }

    /// Breaks every connection.
    pub fn disconnect(&self) {
        self.shut(rustix::net::Shutdown::Both);
    }

    /// Takes the socket away, so that nobody listens at the address any longer.
    pub fn stop_listening(&self) {
        self.state.accepting.set(false);
        self.state.came.notify_waiters();
        if let Some(path) = &self.state.socket {
            drop(std::fs::remove_file(path));
        }
    }

    /// All messages so far, of all connections, oldest first; of very many those of the middle are missing.
    pub fn transcript(&self) -> Vec<Entry> {
        self.state.transcript.entries.borrow().iter().cloned().collect()
    }

    /// The messages that came since there were so many, in words, and how many there are by now.
    pub(crate) fn messages_since(&self, known: usize) -> (Vec<String>, usize) {
        let Transcript { entries, conceals, .. } = &*self.state.transcript;
        let entries = entries.borrow();
        let all = entries.iter().count() + entries.dropped();
        (entries.told(all.saturating_sub(known), conceals), all)
    }

    /// The last messages in words, for a report, and a word on those that are not kept.
    pub(super) fn last_messages(&self, count: usize) -> Vec<String> {
        let Transcript { entries, conceals, .. } = &*self.state.transcript;
        let entries = entries.borrow();
        let gone = Some(entries.dropped()).filter(|dropped| *dropped > 0);
        let gone = gone.map(|dropped| format!("({dropped} earlier messages are not kept)"));
        gone.into_iter().chain(entries.told(count, conceals)).collect()
    }

    /// The size in bytes of the largest message that the plugin sent.
    pub fn largest_from_plugin(&self) -> usize {
        self.state.transcript.entries.borrow().largest_from_plugin()
    }

    /// The messages that the plugin sent so far.
    pub fn from_plugin(&self) -> Vec<Entry> {
        self.transcript().into_iter().filter(|entry| entry.sender == Sender::Plugin).collect()
    }

    /// The first bytes that the plugin sent, on all connections, and whether there were more.
    pub fn bytes_from_plugin(&self) -> (Vec<u8>, bool) {
        let bytes = self.state.transcript.received.borrow().clone();
        let more = bytes.len() == tap::KEPT;
        (bytes, more)
    }

    /// Waits until the transcript holds such a message; `within` is stretched by `--slow`.
    pub async fn hears(&self, within: Duration, wanted: impl Fn(&Message) -> bool) -> bool {
        let transcript = &self.state.transcript;
        let heard = async {
            loop {
                let news = transcript.news.notified();
                if transcript.entries.borrow().iter().any(|entry| wanted(&entry.message)) {
                    return;
                }
                news.await;
            }
        };
        tokio::time::timeout(self.state.record.stretch(within), heard).await.is_ok()
    }

    fn shut(&self, how: rustix::net::Shutdown) {
        self.state.connections.borrow().iter().for_each(|connection| connection.shut(how));
    }
}

/// The words of the largest hello that is taken.
const LARGEST_HELLO: u64 = 1 << 20;
/// More hellos than this are answered, not kept.
const HELLOS: usize = 8;

/// What one connection's plugin sees.
struct Bootstrap {
    state: Rc<State>,
    connection: usize,
    attached: Cell<bool>,
}

impl host::Server for Bootstrap {
    async fn attach(
        self: capnp::capability::Rc<Self>,
        params: host::AttachParams,
        mut results: host::AttachResults,
    ) -> capnp::Result<()> {
        let Self { state, connection, attached } = &*self;
        let at = state.record.began.elapsed();
        let size = params.get().and_then(|params| params.get_hello()?.total_size());
        if size.is_ok_and(|size| size.word_count > LARGEST_HELLO) {
            return Err(capnp::Error::failed("a hello has at most 8 MiB".to_owned()));
        }
        if state.attached.borrow().len() < HELLOS {
            state.attached.borrow_mut().push(Rc::new(Hello { at, connection: *connection, params }));
        }
        state.came.notify_waiters();
        if attached.replace(true) {
            return Err(capnp::Error::failed("already attached".to_owned()));
        }
        let mut answers = state.answers.subscribe();
        let answer = answers.wait_for(Option::is_some).await.map(|answer| answer.clone());
        match answer.ok().flatten() {
            Some(Answer::Leave) => results.get().init_end().set_leave(()),
            Some(Answer::Refused(reason)) => results.get().init_end().set_refused(&reason[..]),
            Some(Answer::Unset) => results.get().init_end().set_unset(()),
            Some(Answer::Foreign) => results.get().set_end(foreign::<end::Owned>()?.get_root()?)?,
            Some(Answer::Exception(text)) => return Err(capnp::Error::failed(text)),
            None => return Err(capnp::Error::disconnected("the host is gone".to_owned())),
        }
        Ok(())
    }
}

/// Takes every connection that comes: a host would stop after the first, but a check has to see the second.
async fn accept(listener: Listener, state: Rc<State>) {
    while state.accepting.get() {
        tokio::select! {
            Ok(halves) = listener.next() => serve(halves, &state),
            () = state.came.notified() => {}
        }
    }
}

fn serve((read, write, descriptor): Halves, state: &Rc<State>) {
    let record = &state.record;
    let (gate, open, inbox) = (Rc::<Gate>::default(), Rc::new(Cell::new(true)), Rc::<Inbox>::default());
    let number = state.connections.borrow().len();
    let ear = |sender| Ear::new(state.transcript.clone(), (number, inbox.clone()), sender, record.began);
    let read = Reading(read.compat(), ear(Sender::Plugin));
    let write = Writing(write.compat_write(), ear(Sender::Host), gate.clone());
    let served =
        if state.manners.raw { overhear(read, write, state) } else { obey(read, write, number, state) };
    let ended = open.clone();
    hold_at_first(&gate, state);
    let at = record.began.elapsed();
    state.connections.borrow_mut().push(Connection { at, gate, descriptor, open });
    let state = state.clone();
    record.spawn(async move {
        served.await;
        if inbox.is_cut() {
            // Who sends what nobody takes any longer has to hear of it.
            state.connections.borrow().get(number).into_iter().for_each(Connection::end);
        }
        ended.set(false);
    });
}

/// Leaves the connection to the check, which writes what it likes.
fn overhear(
    read: impl Read + Unpin + 'static,
    write: impl Write + Unpin + 'static,
    state: &Rc<State>,
) -> LocalBoxFuture<'static, ()> {
    let (link, listening) = raw::Link::over(read, write);
    state.raw.borrow_mut().push(Rc::new(link));
    state.came.notify_waiters();
    listening.boxed_local()
}

/// Leaves the connection to the RPC library, which offers a well-behaved host.
fn obey(
    read: impl Read + Unpin + 'static,
    write: impl Write + Unpin + 'static,
    connection: usize,
    state: &Rc<State>,
) -> LocalBoxFuture<'static, ()> {
    let network = twoparty::VatNetwork::new(read, write, Side::Server, capnp::message::ReaderOptions::new());
    let bootstrap: host::Client =
        new_client(Bootstrap { state: state.clone(), connection, attached: Cell::new(false) });
    let system = RpcSystem::new(Box::new(network), Some(bootstrap.client));
    // How it ended is in the transcript and in what the plugin does next.
    system.map(drop).boxed_local()
}

fn hold_at_first(gate: &Rc<Gate>, state: &Rc<State>) {
    let silent_for = state.manners.silent_for;
    if silent_for.is_zero() {
        return;
    }
    gate.set(true);
    let gate = gate.clone();
    state.record.spawn(async move {
        tokio::time::sleep(silent_for).await;
        gate.set(false);
    });
}

/// 256 random bits as hexadecimal digits.
fn fresh_token() -> io::Result<String> {
    let mut bytes = [0; 32];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
