//! `Host.attach`: the one call by which a plugin joins its host, and which stays unanswered for the session.
use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use capnp_rpc::{new_client, rpc_twoparty_capnp::Side};
use packwire_schema::attach_capnp::{end, hello, host};
use semver::Version;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    broken::{Broken, Reason, Trouble},
    component::{Capability, Component, OfferedCapability, RemoteCapability, check_unique},
    limits,
    link::{self, ByteLink, Link, LinkState},
    place::{Place, send},
    process::{Offer, Token},
    read,
    room::{Room, spawn_here},
};

const ATTACH: &str = "Host.attach";

/// What a plugin says of itself when it attaches.
#[derive(Debug, Clone)]
pub struct Hello<C: Capability> {
    /// The version chosen from what the host offered.
    pub protocol_version: u16,
    /// The plugin's name.
    pub name: String,
    /// The plugin's own version, semantic.
    pub version: String,
    /// What it is built with, free text.
    pub sdk: String,
    /// What it offers.
    pub components: Vec<Component<C>>,
    /// A JSON object with reverse-DNS keys; unknown ones are ignored.
    pub extensions: String,
}

/// How a session ends that the host ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The plugin is not needed any more: exit with 0.
    Leave,
    /// The plugin cannot be used, and why: print it, exit with 3.
    Refused(String),
}

impl End {
    pub(crate) fn read(reader: end::Reader<'_>) -> Result<Self, Trouble> {
        match reader.which().map_err(|member| read::unknown("end", member))? {
            end::Unset(()) => Err(read::unset("end")),
            end::Leave(()) => Ok(Self::Leave),
            end::Refused(why) => Ok(Self::Refused(read::text(why)?)),
        }
    }

    fn write(self, mut builder: end::Builder<'_>) {
        match self {
            Self::Leave => builder.set_leave(()),
            Self::Refused(why) => builder.set_refused(why),
        }
    }
}

impl Hello<RemoteCapability> {
    /// What came, checked (`attach.hello-complete`); the token is the caller's to check.
    pub(crate) fn read(reader: hello::Reader<'_>, link: &Rc<LinkState>) -> Result<Self, Trouble> {
        let components = reader.get_components()?;
        let count = usize::try_from(components.len()).unwrap_or(usize::MAX);
        if count == 0 || count > limits::COMPONENTS {
            let limit = limits::COMPONENTS;
            return Err(Trouble::malformed(format!(
                "it offers {count} components: 1 to {limit} can be used"
            )));
        }
        let hello = Self {
            protocol_version: reader.get_protocol_version(),
            name: read::text(reader.get_name())?,
            version: read::text(reader.get_version())?,
            sdk: read::text(reader.get_sdk())?,
            components: components
                .iter()
                .map(|reader| Component::read(reader, link))
                .collect::<Result<_, _>>()?,
            extensions: read::text(reader.get_extensions())?,
        };
        hello.check().map_err(Trouble::malformed)?;
        check_unique(&hello.components)?;
        Ok(hello)
    }

    /// What a plugin calls itself (`attach.hello-complete`).
    fn check(&self) -> Result<(), String> {
        for (what, text) in [("name", &self.name), ("version", &self.version)] {
            if text.is_empty() || text.len() > limits::NAME_BYTES {
                let (bytes, limit) = (text.len(), limits::NAME_BYTES);
                return Err(format!("its {what} has {bytes} bytes: 1 to {limit} can be used"));
            }
        }
        if self.name.contains(char::is_control) {
            return Err(format!("its name {:?} is more than one line", self.name));
        }
        if Version::parse(&self.version).is_err() {
            return Err(format!("its version {:?} is no semantic one, such as 1.0.0", self.version));
        }
        Ok(())
    }
}

impl Hello<OfferedCapability> {
    fn write(self, token: &Token, mut builder: hello::Builder<'_>, place: &Place) {
        let Self { protocol_version, name, version, sdk, components, extensions } = self;
        builder.set_token(token.reveal());
        builder.set_protocol_version(protocol_version);
        builder.set_name(name);
        builder.set_version(version);
        builder.set_sdk(sdk);
        builder.set_extensions(extensions);
        let mut list = builder.init_components(crate::value::len(&components));
        for (at, component) in (0..).zip(components) {
            component.write(list.reborrow().get(at), place);
        }
    }
}

/// What a host's door knows: who may attach, and who has.
pub(crate) struct Reception {
    token: Token,
    offer: Offer,
    taken: AtomicBool,
    arrivals: mpsc::UnboundedSender<Arrival>,
}

/// Somebody with a valid token called `attach`.
pub(crate) struct Arrival {
    /// Which connection it was, in the order of [`Reception::welcome`].
    pub(crate) connection: usize,
    /// What it said, or why that cannot be used.
    pub(crate) hello: Result<(Hello<RemoteCapability>, oneshot::Sender<End>), String>,
}

impl Reception {
    pub(crate) fn new(token: Token, offer: Offer) -> (Arc<Self>, mpsc::UnboundedReceiver<Arrival>) {
        let (arrivals, arrived) = mpsc::unbounded_channel();
        (Arc::new(Self { token, offer, taken: AtomicBool::new(false), arrivals }), arrived)
    }

    /// Serves `Host` on a connection; `None` when the RPC thread is gone.
    pub(crate) async fn welcome(
        self: &Arc<Self>,
        room: &Room,
        stream: impl ByteLink,
        connection: usize,
    ) -> Option<Link> {
        let trusted = Arc::new(AtomicBool::new(false));
        let (reception, trust) = (self.clone(), trusted.clone());
        let bootstrap = move |link: &Rc<LinkState>| {
            let served = ServedHost { reception, trust, connection, link: Rc::downgrade(link) };
            Some(new_client::<host::Client, _>(served).client)
        };
        let (link, ()) = link::join(room, stream, link::End::Host, trusted, bootstrap, |_, _| ()).await?;
        Some(link)
    }

    /// Decides on one `attach`.
    fn admit(
        &self,
        reader: hello::Reader<'_>,
        link: &Rc<LinkState>,
        trust: &AtomicBool,
    ) -> Result<Result<Hello<RemoteCapability>, String>, capnp::Error> {
        let token = reader.get_token()?;
        if !token.to_str().is_ok_and(|token| self.token.is(token)) {
            return Ok(Err("the token is not the one of this launch".to_owned()));
        }
        trust.store(true, Ordering::Relaxed);
        if self.taken.swap(true, Ordering::Relaxed) {
            return Err(capnp::Error::failed(
                "attach was called before: the first session stands".to_owned(),
            ));
        }
        let version = reader.get_protocol_version();
        if !self.offer.versions().contains(&version) {
            return Ok(Err(format!(
                "it chose protocol version {version}, and the host offers {}",
                self.offer
            )));
        }
        Ok(Hello::read(reader, link).map_err(Trouble::told))
    }
}

struct ServedHost {
    reception: Arc<Reception>,
    trust: Arc<AtomicBool>,
    connection: usize,
    /// Weak, because the link holds this as its bootstrap.
    link: std::rc::Weak<LinkState>,
}

impl host::Server for ServedHost {
    async fn attach(
        self: Rc<Self>,
        params: host::AttachParams,
        mut results: host::AttachResults,
    ) -> Result<(), capnp::Error> {
        let Some(link) = self.link.upgrade() else {
            return Err(capnp::Error::disconnected("the link is gone".to_owned()));
        };
        let admitted = self.reception.admit(params.get()?.get_hello()?, &link, &self.trust)?;
        drop(params);
        let trusted = self.trust.load(Ordering::Relaxed);
        let ended = match admitted {
            Ok(hello) => {
                let (end, ended) = oneshot::channel();
                self.tell(Ok((hello, end)));
                // A host that goes away without a word leaves the link to break.
                match ended.await {
                    Ok(end) => end,
                    Err(_) => return std::future::pending().await,
                }
            }
            Err(why) => {
                if trusted {
                    self.tell(Err(why.clone()));
                } else {
                    link.end_soon();
                }
                End::Refused(why)
            }
        };
        ended.write(results.get().init_end());
        Ok(())
    }
}

impl ServedHost {
    fn tell(&self, hello: Result<(Hello<RemoteCapability>, oneshot::Sender<End>), String>) {
        drop(self.reception.arrivals.send(Arrival { connection: self.connection, hello }));
    }
}

/// A host's side of a session: a plugin that has attached. Dropping it breaks the link.
#[derive(Debug)]
pub struct Guest {
    hello: Hello<RemoteCapability>,
    end: oneshot::Sender<End>,
    link: Link,
}

/// Waits on a connection of one's own making, without a process, until a plugin attaches with this token.
///
/// # Errors
/// What the plugin was told when it was refused, or that the connection ended first.
pub async fn receive(
    room: &Room,
    stream: impl ByteLink,
    token: Token,
    offer: Offer,
) -> Result<Guest, String> {
    let (reception, mut arrivals) = Reception::new(token, offer);
    let Some(link) = reception.welcome(room, stream, 0).await else {
        return Err("the RPC thread has ended".to_owned());
    };
    let ended = link.ended();
    tokio::select! {
        arrival = arrivals.recv() => {
            let Some(Arrival { hello, .. }) = arrival else { return Err("nobody can attach".to_owned()) };
            hello.map(|(hello, end)| Guest::new(hello, end, link))
        }
        () = ended.cancelled() => Err("the connection ended before anybody attached".to_owned()),
    }
}

impl Guest {
    pub(crate) fn new(hello: Hello<RemoteCapability>, end: oneshot::Sender<End>, link: Link) -> Self {
        Self { hello, end, link }
    }

    /// What the plugin said of itself, with its components.
    pub fn hello(&self) -> &Hello<RemoteCapability> {
        &self.hello
    }

    /// Cancelled when the link has broken, or the plugin has left.
    pub fn gone(&self) -> CancellationToken {
        self.link.ended()
    }

    /// Tells the plugin to leave. The link that is brought back stays until the plugin closes it, or it is dropped.
    pub fn dismiss(self) -> Link {
        // Its link may be gone already, and with it the one who would hear this.
        drop(self.end.send(End::Leave));
        self.link
    }
}

/// A plugin's side of a session: it lasts until `attach` is answered or the link breaks.
#[derive(Debug)]
pub struct Attachment {
    link: Link,
    answer: oneshot::Receiver<Result<End, Broken>>,
}

/// Attaches over a connection to a host, offering the components of `hello`.
pub async fn attach(
    room: &Room,
    stream: impl ByteLink,
    token: Token,
    hello: Hello<OfferedCapability>,
) -> Attachment {
    let (answer, answered) = oneshot::channel();
    let start = move |link: &Rc<LinkState>, system: &mut capnp_rpc::RpcSystem<Side>| {
        let host: host::Client = system.bootstrap(Side::Server);
        spawn_here(call_attach(host, token, hello, Place::lasting(link), answer));
    };
    let trusted = Arc::new(AtomicBool::new(true));
    match link::join(room, stream, link::End::Plugin, trusted, |_| None, start).await {
        Some((link, ())) => Attachment { link, answer: answered },
        None => Attachment { link: Link::lost(), answer: answered },
    }
}

async fn call_attach(
    host: host::Client,
    token: Token,
    hello: Hello<OfferedCapability>,
    place: Place,
    answer: oneshot::Sender<Result<End, Broken>>,
) {
    let calling = async {
        let mut request = host.attach_request();
        hello.write(&token, request.get().init_hello(), &place);
        let ended = send(request)?.await?;
        End::read(ended.get()?.get_end()?)
    };
    let ended = calling.await.map_err(|trouble: Trouble| trouble.during(ATTACH));
    drop(answer.send(ended));
}

impl Attachment {
    /// Waits for the end of the session.
    pub async fn ended(&mut self) -> Result<End, Broken> {
        let lost = Broken { call: ATTACH, reason: Reason::LinkLost };
        (&mut self.answer).await.unwrap_or(Err(lost))
    }

    /// The connection.
    pub fn link(&self) -> &Link {
        &self.link
    }
}
