//! An attach, and a session after it, in which every message of the host is written by hand.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use packwire_schema::attach_capnp::host;

use super::Link;
use super::frame::{Exports, Frame};
use super::write::{self, Target};
use crate::check::Stop;
use crate::components::offered;
use crate::rig::{End, Host, Manners, Plugin, Rig, Trial};
use crate::talk::Preparer;
use crate::talk::prepare::PREPARE;

/// How long a plugin may take to end after its session is lost.
const ENDS: Duration = Duration::from_secs(5);
/// The id under which the host offers itself.
const HOST: u32 = 0;
/// An interface that nobody has.
const UNKNOWN: u64 = 0x1234_5678_9abc_def0;

/// A plugin that has dialled and asked for the bootstrap capability.
pub(crate) struct Meeting<'a> {
    pub(crate) plugin: Rc<Plugin>,
    pub(crate) link: Rc<Link>,
    /// The question that waits for the bootstrap capability.
    pub(crate) bootstrap: u32,
    rig: &'a Rig,
    host: Rc<Host>,
}

/// A plugin that has attached.
pub(crate) struct Session<'a> {
    pub(crate) plugin: Rc<Plugin>,
    pub(crate) host: Rc<Host>,
    pub(crate) link: Rc<Link>,
    /// Its components that prepare.
    pub(crate) parts: Vec<Part>,
    /// The id of the first capability that it has sent.
    pub(crate) first: u32,
    rig: &'a Rig,
    /// The question that `attach` is.
    attach: u32,
    asked: Cell<u32>,
}

/// A component that prepares, and the id of its capability.
pub(crate) struct Part {
    pub(crate) preparer: Preparer,
    pub(crate) export: u32,
}

/// How a session fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fares {
    /// It answers calls.
    On,
    /// It is over, and the plugin has ended.
    Ended(End),
    /// Neither an answer nor an end came.
    Silent,
}

impl std::fmt::Display for Fares {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::On => f.write_str("it answered the next call"),
            Self::Ended(end) => write!(f, "it {end}"),
            Self::Silent => f.write_str("it neither answered nor ended"),
        }
    }
}

impl<'a> Meeting<'a> {
    /// Starts a plugin and waits until it has asked for the bootstrap capability.
    pub(crate) async fn begin(rig: &'a Rig) -> Result<Self, Stop> {
        let Trial { host, plugin } = rig.meet(Manners { raw: true, ..Manners::default() })?;
        let patience = rig.patience();
        let asked = async {
            let link = host.raw_link(patience).await?;
            let bootstrap = link.hears(rig.stretch(patience), Frame::bootstrap).await?;
            Some((link, bootstrap))
        };
        let asked = tokio::select! {
            asked = asked => asked,
            _ = plugin.exit(patience) => None,
        };
        match asked {
            Some((link, bootstrap)) => Ok(Self { plugin, link, bootstrap, rig, host }),
            None => lacks_attach(&plugin),
        }
    }

    /// Waits for the attach; the host has to have answered the bootstrap request.
    pub(crate) async fn attached(&self) -> Option<capnp::Result<Session<'a>>> {
        let patience = self.rig.stretch(self.rig.patience());
        self.link.hears(patience, |frame| frame.attach().map(|call| self.session(call))).await
    }

    fn session(&self, call: capnp_rpc::rpc_capnp::call::Reader<'_>) -> capnp::Result<Session<'a>> {
        let payload = call.get_params()?;
        let exports = Exports::of(payload)?;
        let params: host::attach_params::Reader<'_> = exports.read(payload).get_as()?;
        let part = |preparer: Preparer| {
            let export = exports.id(&preparer.untyped().0)?;
            Some(Part { preparer, export })
        };
        let offered = offered(params.get_hello()?)?;
        let parts = offered.iter().filter_map(Preparer::of).filter_map(part).collect();
        let first = exports.first().ok_or_else(|| capnp::Error::failed("no capabilities".to_owned()))?;
        let (plugin, host, link) = (self.plugin.clone(), self.host.clone(), self.link.clone());
        let (rig, attach, asked) = (self.rig, call.get_question_id(), Cell::default());
        Ok(Session { plugin, host, link, parts, first, rig, attach, asked })
    }
}

impl<'a> Session<'a> {
    /// Starts a plugin and lets it attach as every host does.
    pub(crate) async fn begin(rig: &'a Rig) -> Result<Self, Stop> {
        let meeting = Meeting::begin(rig).await?;
        meeting.link.write(&write::hosted(meeting.bootstrap, HOST)).await;
        match meeting.attached().await {
            Some(session) => meeting.plugin.read("hello", session),
            None => lacks_attach(&meeting.plugin),
        }
    }

    /// The id of a question that was not asked yet.
    pub(crate) fn question(&self) -> u32 {
        self.asked.replace(self.asked.get() + 1)
    }

    /// A call that every plugin answers: `prepare` where there is one, and otherwise a method that it refuses.
    pub(crate) fn call(&self, question: u32) -> Vec<u8> {
        match self.parts.first() {
            Some(part) => self.prepare(question, part, "{}"),
            None => write::call(question, Target::Export(self.first), UNKNOWN, 0, |_| Ok(())),
        }
    }

    /// A call of `prepare`.
    pub(crate) fn prepare(&self, question: u32, part: &Part, config: &str) -> Vec<u8> {
        let interface = part.preparer.untyped().1;
        write::call(question, Target::Export(part.export), interface, 0, |payload| {
            write::prepare(payload, config, &self.rig.places().work)
        })
    }

    /// The same, which lends a capability that its parameters do not mention.
    pub(crate) fn prepare_lending(&self, question: u32, part: &Part, export: u32) -> Vec<u8> {
        let interface = part.preparer.untyped().1;
        write::call(question, Target::Export(part.export), interface, 0, |mut payload| {
            write::prepare(payload.reborrow(), "{}", &self.rig.places().work)?;
            payload.init_cap_table(1).get(0).set_sender_hosted(export);
            Ok(())
        })
    }

    /// Whether a question is answered, in the time that `prepare` may take.
    pub(crate) async fn answered(&self, question: u32) -> bool {
        let answer = |frame: &Frame| frame.answers(question).then_some(());
        self.link.hears(self.rig.stretch(PREPARE), answer).await.is_some()
    }

    /// Whether it answers a call now, or how it ended.
    pub(crate) async fn fares(&self) -> Fares {
        let question = self.question();
        self.link.write(&self.call(question)).await;
        self.fared(question).await
    }

    /// Whether it answers a question that was asked already, or how it ended; the answer is finished with.
    pub(crate) async fn fared(&self, question: u32) -> Fares {
        if self.answered(question).await {
            self.link.write(&write::finish(question)).await;
            return Fares::On;
        }
        self.plugin.exit(ENDS).await.map_or(Fares::Silent, Fares::Ended)
    }

    /// Ends the session in order.
    pub(crate) async fn leave(&self) {
        self.link.write(&write::leave(self.attach)).await;
    }
}

fn lacks_attach<T>(plugin: &Plugin) -> Result<T, Stop> {
    let end = plugin.ended().map_or_else(|| "no attach came".to_owned(), |end| format!("it {end}"));
    plugin.lacks("the plugin attaches, so that the rule can be tried", end)
}
