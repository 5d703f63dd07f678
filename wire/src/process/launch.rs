//! Launch → Launched → Attached: a plugin's process, from what is to be started to what can be called.
use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Address, Door, Ended, Invitation, Knock, LogSink, Logs, NoCommonVersion, Offer, Program, Session, Token,
};
use crate::{
    attach::{Arrival, Guest, Hello, Reception},
    component::RemoteCapability,
    limits,
    link::Link,
    room::Room,
};

/// How long the last lines of a process that has ended may take to arrive.
const LAST_LINES_WITHIN: Duration = Duration::from_millis(500);
/// What Packer's own plugins say to whoever does not speak their protocol.
const FOREIGN_GREETING: &str = "Please do not execute plugins directly";

/// A plugin to be started.
#[derive(Clone)]
pub struct Launch {
    /// The program; the three variables are added to its environment.
    pub program: Program,
    /// Where the plugin dials.
    pub transport: Transport,
    /// The protocol versions to offer.
    pub offer: Offer,
    /// How long it may take until it has attached.
    pub within: Duration,
    /// Where its log goes.
    pub log: Arc<dyn LogSink>,
}

/// Where a plugin dials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Transport {
    /// A Unix socket in a private directory.
    #[default]
    Unix,
    /// A port of 127.0.0.1 in this range. There the plugin cannot know who listens.
    Tcp(RangeInclusive<u16>),
}

/// A plugin's process that has not attached yet. Dropping it ends the process.
pub struct Launched {
    session: Session,
    logs: Logs,
    door: Door,
    reception: Arc<Reception>,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    within: Duration,
    room: Room,
}

/// A plugin that can be called. Dropping it ends the process; [`Attached::leave`] is the good way.
#[derive(Debug)]
pub struct Attached {
    guest: Guest,
    session: Session,
    logs: Logs,
}

/// How a plugin's process ended, with its last words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// How it ended.
    pub ended: Ended,
    /// The last lines of its log.
    pub last_lines: Vec<String>,
}

/// Why a plugin could not be used. Whoever tells of it names the plugin first.
#[derive(Debug, thiserror::Error)]
pub enum NotAttached {
    /// The system would not start it, or gave no place to listen.
    #[error("it could not be started")]
    Start(#[source] std::io::Error),
    /// It ended without having attached.
    #[error("it {} before it attached", .0.ended)]
    Exited(Departure),
    /// It speaks none of the versions of this host.
    #[error("{}", older(.0))]
    Incompatible(NoCommonVersion),
    /// It is a plugin of Packer's own protocol.
    #[error("this is a plugin of Packer's own protocol, which is not Packwire's")]
    Foreign,
    /// It did not attach in time.
    #[error("it did not attach within {} s", .within.as_secs_f32())]
    Late {
        /// The time that it had.
        within: Duration,
        /// The last lines of its log.
        last_lines: Vec<String>,
    },
    /// It attached against the protocol; this is what it was told.
    #[error("it attached against the protocol: {reason}")]
    Refused {
        /// What is wrong.
        reason: String,
        /// The last lines of its log.
        last_lines: Vec<String>,
    },
}

/// Says which side is older, and what to do.
fn older(none: &NoCommonVersion) -> String {
    let (older, newer) = if none.plugin_is_older() { ("plugin", "host") } else { ("host", "plugin") };
    format!(
        "no protocol version in common: the plugin speaks {}, the host {}; the {older} is older: upgrade it, \
         or use an older {newer}",
        none.plugin, none.host
    )
}

impl Launch {
    /// A launch over a Unix socket, with the usual versions and deadline.
    pub fn new(program: Program, offer: Offer, log: Arc<dyn LogSink>) -> Self {
        Self { program, transport: Transport::default(), offer, within: limits::ATTACH_WITHIN, log }
    }

    /// Starts the process, in a session of its own. Needs a tokio runtime around it.
    pub fn start(self, room: &Room) -> Result<Launched, NotAttached> {
        self.try_start(room).map_err(NotAttached::Start)
    }

    fn try_start(self, room: &Room) -> std::io::Result<Launched> {
        let Self { mut program, transport, offer, within, log } = self;
        let door = match transport {
            Transport::Unix => Door::unix()?,
            Transport::Tcp(ports) => Door::tcp(ports)?,
        };
        let invitation = Invitation { address: door.address().clone(), token: Token::fresh()?, offer };
        program.environment.extend(invitation.variables());
        let mut session = Session::start(&program).map_err(|error| {
            let reason = format!("{}: {error}", program.executable.display());
            std::io::Error::new(error.kind(), reason)
        })?;
        let output =
            session.take_output().ok_or_else(|| std::io::Error::other("the plugin's output is taken"))?;
        let logs = Logs::follow(output, log)?;
        let (reception, arrivals) = Reception::new(invitation.token, invitation.offer);
        Ok(Launched { session, logs, door, reception, arrivals, within, room: room.clone() })
    }
}

/// What comes first at a door.
enum Event {
    Arrived(Arrival),
    Knocked(std::io::Result<Knock>),
    Exited,
}

impl Launched {
    /// The id of the process, and of its session.
    pub fn id(&self) -> u32 {
        self.session.id()
    }

    /// Where the plugin was told to dial.
    pub fn address(&self) -> &Address {
        self.door.address()
    }

    /// Waits until the plugin has attached. On any failure its process is ended, in order (`host.escalates`);
    /// where nobody waits for that any more, at once.
    pub async fn attach(mut self) -> Result<Attached, NotAttached> {
        let within = self.within;
        let mut links = Vec::new();
        let received = tokio::time::timeout(within, self.receive(&mut links)).await;
        let Ok(received) = received else {
            drop(links);
            let Departure { last_lines, .. } = self.depart(Duration::ZERO).await;
            return Err(NotAttached::Late { within, last_lines });
        };
        match received {
            Ok(Arrival { connection, hello: Ok((hello, end)) }) => {
                Ok(self.admit(Guest::new(hello, end, links.swap_remove(connection))))
            }
            Ok(Arrival { hello: Err(reason), .. }) => {
                // It has been told, on a link that stays: it prints that and leaves.
                let Departure { last_lines, .. } = self.depart(limits::LEAVE_WITHIN).await;
                Err(NotAttached::Refused { reason, last_lines })
            }
            Err(Unreceived::Exited) => Err(departed(self.depart(Duration::ZERO).await)),
            Err(Unreceived::Io(error)) => Err(NotAttached::Start(error)),
        }
    }

    /// Serves everyone who dials until somebody with the token attaches; others change nothing.
    async fn receive(&mut self, links: &mut Vec<Link>) -> Result<Arrival, Unreceived> {
        let mut exited = std::pin::pin!(self.session.exited());
        loop {
            let event = tokio::select! {
                biased;
                Some(arrival) = self.arrivals.recv() => Event::Arrived(arrival),
                _ = &mut exited => Event::Exited,
                knock = self.door.accept() => Event::Knocked(knock),
            };
            match event {
                Event::Arrived(arrival) => return Ok(arrival),
                Event::Exited => return Err(Unreceived::Exited),
                Event::Knocked(knock) => links.push(self.welcome(knock?, links.len()).await?),
            }
        }
    }

    async fn welcome(&self, Knock { socket, seat }: Knock, connection: usize) -> std::io::Result<Link> {
        let link = self.reception.welcome(&self.room, socket, connection).await;
        let link = link.ok_or_else(|| std::io::Error::other("the RPC thread has ended"))?;
        let ended = link.ended();
        drop(tokio::spawn(async move {
            ended.cancelled().await;
            drop(seat);
        }));
        Ok(link)
    }

    /// The token is used up: door and directory go, so that nothing is left if the host dies.
    fn admit(self, guest: Guest) -> Attached {
        let Self { session, logs, door, .. } = self;
        // What cannot be removed is a directory in TMPDIR, no reason to refuse a plugin.
        drop(door.close());
        Attached { guest, session, logs }
    }

    /// Ends a process that is of no use, which may have left already.
    async fn depart(self, grace: Duration) -> Departure {
        depart(self.session, self.logs, grace).await
    }
}

enum Unreceived {
    Io(std::io::Error),
    Exited,
}

impl From<std::io::Error> for Unreceived {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// What the last words of a process that never attached say about why.
fn departed(departure: Departure) -> NotAttached {
    let refusal = departure.last_lines.iter().rev().find_map(|line| NoCommonVersion::parse(line));
    match refusal {
        Some(none) => NotAttached::Incompatible(none),
        None if departure.last_lines.iter().any(|line| line.contains(FOREIGN_GREETING)) => {
            NotAttached::Foreign
        }
        None => NotAttached::Exited(departure),
    }
}

impl Attached {
    /// What the plugin said of itself, with its components.
    pub fn hello(&self) -> &Hello<RemoteCapability> {
        self.guest.hello()
    }

    /// The id of the process, and of its session.
    pub fn id(&self) -> u32 {
        self.session.id()
    }

    /// Cancelled when the link has broken, or the plugin has left.
    pub fn gone(&self) -> CancellationToken {
        self.guest.gone()
    }

    /// Its session, its processes and what they print, for who ends them in a way of their own, as tests do.
    pub fn into_parts(self) -> (Guest, Session, Logs) {
        let Self { guest, session, logs } = self;
        (guest, session, logs)
    }

    /// Tells the plugin to leave, gives it `grace` to do so, and ends what is left of it (`exit.leave`).
    ///
    /// The link stays until the plugin closes it.
    pub async fn leave(self, grace: Duration) -> Departure {
        let Self { guest, session, logs } = self;
        let _link = guest.dismiss();
        depart(session, logs, grace).await
    }

    /// Says how a plugin ended whose link has broken, and ends what is left of it when `patience` resolves: a plugin
    /// that has lost its link cleans up what its runs have made (`exit.disconnect-running`).
    pub async fn post_mortem(self, patience: impl Future<Output = ()>) -> Departure {
        let Self { guest, session, logs } = self;
        drop(guest);
        depart_after(session, logs, patience).await
    }
}

async fn depart(session: Session, logs: Logs, grace: Duration) -> Departure {
    depart_after(session, logs, tokio::time::sleep(grace)).await
}

async fn depart_after(session: Session, mut logs: Logs, patience: impl Future<Output = ()>) -> Departure {
    let ended = session.end_after(patience).await;
    logs.finish(LAST_LINES_WITHIN).await;
    Departure { ended, last_lines: logs.last_lines() }
}
