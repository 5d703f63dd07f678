//! A message of the plugin, read below the RPC library.

use capnp::capability::Client;
use capnp::message::{Reader, ReaderOptions};
use capnp::private::layout::CapTable;
use capnp::serialize::OwnedSegments;
use capnp::traits::Imbue;
use capnp::{Error, any_pointer};
use capnp_rpc::rpc_capnp::{call, cap_descriptor, message, payload, return_};
use packwire_schema::attach_capnp::host;

/// One message.
pub(crate) struct Frame(Reader<OwnedSegments>);

impl Frame {
    /// Reads one message, all of whose bytes these are.
    pub(crate) fn read(bytes: &[u8]) -> capnp::Result<Self> {
        capnp::serialize::read_message(bytes, ReaderOptions::new()).map(Self)
    }

    /// The question that asks for the bootstrap capability, if it is one.
    pub(crate) fn bootstrap(&self) -> Option<u32> {
        match self.which()? {
            message::Bootstrap(asked) => asked.ok().map(|asked| asked.get_question_id()),
            _ => None,
        }
    }

    /// The call of `Host.attach`, if it is one.
    pub(crate) fn attach(&self) -> Option<call::Reader<'_>> {
        use capnp::traits::HasTypeId;
        match self.which()? {
            message::Call(Ok(call)) if call.get_interface_id() == host::Client::TYPE_ID => Some(call),
            _ => None,
        }
    }

    /// The answer to a question, if it is one.
    pub(crate) fn answer(&self, question: u32) -> Option<return_::Reader<'_>> {
        match self.which()? {
            message::Return(Ok(answer)) if answer.get_answer_id() == question => Some(answer),
            _ => None,
        }
    }

    /// Whether it answers a question, be it by saying that calls are unknown.
    pub(crate) fn answers(&self, question: u32) -> bool {
        let refuses = |refused: message::Reader<'_>| match refused.which() {
            Ok(message::Call(Ok(call))) => call.get_question_id() == question,
            _ => false,
        };
        match self.which() {
            Some(message::Unimplemented(Ok(refused))) => refuses(refused),
            _ => self.answer(question).is_some(),
        }
    }

    /// Whether it says that a message is unknown.
    pub(crate) fn is_unimplemented(&self) -> bool {
        matches!(self.which(), Some(message::Unimplemented(_)))
    }

    /// Whether it releases a capability of ours: by name, or with the answer to the call that brought it.
    pub(crate) fn releases(&self, export: u32, question: u32) -> bool {
        match self.which() {
            Some(message::Release(Ok(release))) => release.get_id() == export,
            _ => self.answer(question).is_some_and(|answer| answer.get_release_param_caps()),
        }
    }

    fn which(&self) -> Option<message::WhichReader<'_>> {
        self.0.get_root::<message::Reader<'_>>().ok()?.which().ok()
    }
}

/// The capabilities of a payload: stand-ins that can be told apart, and the ids that the plugin gave them.
pub(crate) struct Exports {
    table: CapTable,
    ids: Vec<(usize, u32)>,
}

impl Exports {
    /// Those of a payload.
    pub(crate) fn of(payload: payload::Reader<'_>) -> capnp::Result<Self> {
        let (mut table, mut ids) = (Vec::new(), Vec::new());
        for descriptor in payload.get_cap_table()? {
            let stand_in = capnp_rpc::new_broken_cap(Error::failed("a stand-in".to_owned())).hook;
            if let cap_descriptor::SenderHosted(id) | cap_descriptor::SenderPromise(id) =
                descriptor.which()?
            {
                ids.push((stand_in.get_ptr(), id));
            }
            table.push(Some(stand_in));
        }
        Ok(Self { table, ids })
    }

    /// The content of the payload, with the stand-ins in the places of the capabilities.
    pub(crate) fn read<'a>(&'a self, payload: payload::Reader<'a>) -> any_pointer::Reader<'a> {
        let mut content = payload.get_content();
        content.imbue(&self.table);
        content
    }

    /// The id of one of them.
    pub(crate) fn id(&self, capability: &Client) -> Option<u32> {
        let place = capability.hook.get_ptr();
        self.ids.iter().find(|(known, _)| *known == place).map(|(_, id)| *id)
    }

    /// The id of the first.
    pub(crate) fn first(&self) -> Option<u32> {
        self.ids.first().map(|(_, id)| *id)
    }
}
