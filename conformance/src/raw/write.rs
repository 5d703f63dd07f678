//! The messages of a host, made below the RPC library.

use std::path::Path;

use capnp::traits::ImbueMut;
use capnp_rpc::rpc_capnp::{message, payload};
use packwire_schema::attach_capnp::host;
use packwire_schema::builder_capnp::image_builder;

use crate::talk::prepare::fill;

/// What a call is made on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// A capability that the plugin has sent, by the id that it gave it.
    Export(u32),
    /// The answer to a question that the host has asked, whether it is there or not.
    Answer(u32),
}

/// Any message.
pub(crate) fn message(fill: impl FnOnce(message::Builder<'_>)) -> Vec<u8> {
    let mut built = capnp::message::Builder::new_default();
    fill(built.init_root());
    capnp::serialize::write_message_to_words(&built)
}

/// A message of a kind that nobody knows.
pub(crate) fn unknown(kind: u16) -> Vec<u8> {
    let mut bytes = message(|message| message.init_bootstrap().set_question_id(0));
    // The kind stands first in the struct, which follows the head of the frame and the pointer to the struct.
    bytes[16..18].copy_from_slice(&kind.to_le_bytes());
    bytes
}

/// The answer to a question whose content is a capability of the host.
pub(crate) fn hosted(question: u32, export: u32) -> Vec<u8> {
    capability(question, |mut table| table.reborrow().get(0).set_sender_hosted(export))
}

/// The same, where the capability is a promise yet.
pub(crate) fn promised(question: u32, export: u32) -> Vec<u8> {
    capability(question, |mut table| table.reborrow().get(0).set_sender_promise(export))
}

/// What a promise has become: a capability of the host.
pub(crate) fn resolved(promise: u32, export: u32) -> Vec<u8> {
    message(|message| {
        let mut resolve = message.init_resolve();
        resolve.set_promise_id(promise);
        resolve.init_cap().set_sender_hosted(export);
    })
}

/// The answer to `attach` with which a session ends in order.
pub(crate) fn leave(question: u32) -> Vec<u8> {
    message(|message| {
        let mut answer = message.init_return();
        answer.set_answer_id(question);
        let results: host::attach_results::Builder<'_> = answer.init_results().get_content().init_as();
        results.init_end().set_leave(());
    })
}

/// An answer without anything in it, to whatever question.
pub(crate) fn empty_answer(question: u32) -> Vec<u8> {
    message(|message| {
        let mut answer = message.init_return();
        answer.set_answer_id(question);
        answer.init_results();
    })
}

/// A call; what fills its parameters may fail as Cap'n Proto does, and leaves them empty then.
pub(crate) fn call(
    question: u32,
    target: Target,
    interface: u64,
    method: u16,
    params: impl FnOnce(payload::Builder<'_>) -> capnp::Result<()>,
) -> Vec<u8> {
    message(|message| {
        let mut call = message.init_call();
        call.set_question_id(question);
        call.set_interface_id(interface);
        call.set_method_id(method);
        match target {
            Target::Export(id) => call.reborrow().init_target().set_imported_cap(id),
            Target::Answer(id) => call.reborrow().init_target().init_promised_answer().set_question_id(id),
        }
        if params(call.reborrow().init_params()).is_err() {
            call.init_params();
        }
    })
}

/// The parameters of `prepare`, which all kinds share.
pub(crate) fn prepare(payload: payload::Builder<'_>, config: &str, directory: &Path) -> capnp::Result<()> {
    let mut params: image_builder::prepare_params::Builder<'_> = payload.get_content().init_as();
    params.set_config(config);
    fill(params.init_context(), directory, "");
    Ok(())
}

/// The plugin may forget an answer.
pub(crate) fn finish(question: u32) -> Vec<u8> {
    message(|message| message.init_finish().set_question_id(question))
}

/// The plugin may forget a capability that it has sent.
pub(crate) fn release(export: u32, count: u32) -> Vec<u8> {
    message(|message| {
        let mut release = message.init_release();
        release.set_id(export);
        release.set_reference_count(count);
    })
}

fn capability(
    question: u32,
    describe: impl FnOnce(capnp::struct_list::Builder<'_, capnp_rpc::rpc_capnp::cap_descriptor::Owned>),
) -> Vec<u8> {
    message(|message| {
        let mut answer = message.init_return();
        answer.set_answer_id(question);
        let (mut payload, mut table) = (answer.init_results(), Vec::new());
        let mut content = payload.reborrow().get_content();
        content.imbue_mut(&mut table);
        // What stands in for it is known by its place in the table alone.
        content.set_as_capability(capnp_rpc::new_broken_cap(capnp::Error::failed(String::new())).hook);
        describe(payload.init_cap_table(1));
    })
}
