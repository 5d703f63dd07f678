//! What the last messages carry, kept cheaply: most are put into words only if somebody is shown them.

use std::collections::{HashMap, VecDeque};

use capnp::message::ReaderOptions;
use capnp_rpc::rpc_capnp::{message, return_};

use super::methods::{Half, MethodId};
use super::transcript::{Message, Sender};
use super::words::{Conceals, payload_in_words};

/// Of how many messages it is kept what they carry.
pub(super) const MESSAGES: usize = 2000;
/// How many bytes that may take.
const ROOM: usize = 2 << 20;
/// What is larger is put into words at once.
const LARGE: usize = 64 << 10;
/// More open calls than this are not remembered.
const CALLS: usize = 20_000;

/// What one message carries.
pub(super) struct Carried {
    method: MethodId,
    form: Form,
}

enum Form {
    /// As it came.
    Frame(Box<[u8]>),
    Words(Option<String>),
}

impl Carried {
    /// What a message carries that calls a method, or answers its call.
    pub(super) fn by(frame: &[u8], method: MethodId, conceals: &Conceals) -> Self {
        let form = match frame.len() {
            ..=LARGE => Form::Frame(frame.into()),
            _ => Form::Words(in_words(frame, method, conceals)),
        };
        Self { method, form }
    }

    /// The method whose call, or whose answer, it is.
    pub(super) fn method(&self) -> MethodId {
        self.method
    }

    /// In words, such as `(text = "Building…")`; nothing for exceptions, and for methods that nobody knows.
    pub(super) fn words(&self, conceals: &Conceals) -> Option<String> {
        match &self.form {
            Form::Frame(frame) => in_words(frame, self.method, conceals),
            Form::Words(words) => words.clone(),
        }
    }

    fn size(&self) -> usize {
        match &self.form {
            Form::Frame(frame) => frame.len(),
            Form::Words(words) => words.as_ref().map_or(0, String::len),
        }
    }
}

fn in_words(frame: &[u8], method: MethodId, conceals: &Conceals) -> Option<String> {
    let read = || {
        let reader = capnp::serialize::read_message(frame, ReaderOptions::new())?;
        match reader.get_root::<message::Reader<'_>>()?.which()? {
            message::Call(call) => payload_in_words(method, Half::Params, call?.get_params()?, conceals),
            message::Return(answer) => match answer?.which()? {
                return_::Results(results) => payload_in_words(method, Half::Results, results?, conceals),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    };
    read().unwrap_or_else(|error: capnp::Error| {
        Some(format!("(what cannot be read: {})", conceals.conceal(&error.to_string())))
    })
}

/// What the last messages carry, oldest first.
#[derive(Default)]
pub(super) struct LastCarried {
    all: VecDeque<Option<Carried>>,
    bytes: usize,
}

impl LastCarried {
    pub(super) fn push(&mut self, carried: Option<Carried>) {
        self.bytes += size(carried.as_ref());
        self.all.push_back(carried);
        while self.all.len() > MESSAGES || self.bytes > ROOM {
            let Some(oldest) = self.all.pop_front() else { return };
            self.bytes -= size(oldest.as_ref());
        }
    }

    /// Newest first, without an end: of what is not kept there is nothing.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = Option<&Carried>> {
        self.all.iter().rev().map(Option::as_ref).chain(std::iter::repeat(None))
    }
}

fn size(carried: Option<&Carried>) -> usize {
    carried.map_or(0, Carried::size)
}

/// The methods of the calls that are not answered.
#[derive(Default)]
pub(super) struct OpenCalls(HashMap<(usize, Sender, u32), MethodId>);

impl OpenCalls {
    /// The method that a message calls, or whose call it answers.
    pub(super) fn method(
        &mut self,
        connection: usize,
        sender: Sender,
        message: &Message,
    ) -> Option<MethodId> {
        match message {
            Message::Call { question, interface, method, .. } => {
                if self.0.len() < CALLS {
                    self.0.insert((connection, sender, *question), (*interface, *method));
                }
                Some((*interface, *method))
            }
            Message::Return { answer, .. } => self.0.remove(&(connection, sender.other(), *answer)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use capnp::traits::{HasTypeId, ImbueMut};
    use packwire_schema::attach_capnp::host;
    use packwire_schema::ui_capnp::ui;
    use proptest::prelude::*;

    use super::*;
    use crate::stage::SECRET;

    const TOKEN: &str = "00112233445566778899aabbccddeeff";
    const ATTACH: MethodId = (<host::Client as HasTypeId>::TYPE_ID, 0);
    const MESSAGE: MethodId = (<ui::Client as HasTypeId>::TYPE_ID, 1);

    /// A call whose parameters are filled in.
    fn call(fill: impl FnOnce(capnp_rpc::rpc_capnp::payload::Builder<'_>)) -> Vec<u8> {
        let mut built = capnp::message::Builder::new_default();
        fill(built.init_root::<message::Builder<'_>>().init_call().init_params());
        capnp::serialize::write_message_to_words(&built)
    }

    fn words(frame: &[u8], method: MethodId) -> String {
        in_words(frame, method, &Conceals::token(TOKEN)).unwrap_or_default()
    }

    fn said(text: &str) -> Vec<u8> {
        call(|payload| payload.get_content().init_as::<ui::message_params::Builder<'_>>().set_text(text))
    }

    fn attach() -> Vec<u8> {
        let (mut table, mut built) = (Vec::new(), capnp::message::Builder::new_default());
        let mut payload = built.init_root::<message::Builder<'_>>().init_call().init_params();
        payload.reborrow().init_cap_table(1).get(0).set_sender_hosted(7);
        let mut content = payload.get_content();
        content.imbue_mut(&mut table);
        let mut hello = content.init_as::<host::attach_params::Builder<'_>>().init_hello();
        hello.set_token(TOKEN);
        hello.set_name("bell");
        let mut first = hello.init_components(10).get(0);
        first.set_name("bell");
        let hook = capnp_rpc::new_broken_cap(capnp::Error::failed(String::new())).hook;
        first.set_hook(capnp::capability::FromClientHook::new(hook));
        capnp::serialize::write_message_to_words(&built)
    }

    #[test]
    fn structs_unions_lists_and_capabilities_are_named() {
        let nameless = "(needsCommunicator = true, unset = ())";
        assert_eq!(
            words(&attach(), ATTACH),
            format!(
                "(hello = (token = [the token], protocolVersion = 0, name = \"bell\", components = [\
                 (name = \"bell\", needsCommunicator = true, hook = cap 7), {}, and 2 more]))",
                [nameless; 7].join(", ")
            )
        );
    }

    #[test]
    fn texts_are_cut_escaped_and_without_what_must_not_be_seen() {
        let hidden = format!("a\n\u{1b}[1m {SECRET} {TOKEN}{}", "é".repeat(300));
        let told = words(&said(&hidden), MESSAGE);
        assert!(told.starts_with("(text = \"a\\n\\u{1b}[1m [the secret] [the token]ééé"), "{told}");
        assert!(told.ends_with("é…\")") && told.chars().count() < 240, "{told}");
    }

    #[test]
    fn other_tokens_are_not_shown_either() {
        let mut frame = attach();
        let at = frame.windows(4).position(|window| window == b"0011").unwrap();
        frame[at] = b'9';
        assert!(words(&frame, ATTACH).starts_with("(hello = (token = [32 bytes, not shown], "));
    }

    #[test]
    fn a_long_message_is_cut_once() {
        let list = call(|payload| {
            let machine = payload.get_content().init_as::<ui::machine_params::Builder<'_>>();
            let mut args = machine.init_args(20);
            (0..20).for_each(|at| args.set(at, "x".repeat(150)));
        });
        let told = words(&list, (MESSAGE.0, 3));
        assert!(told.starts_with("(category = \"\", args = [\"xxx") && told.ends_with("xxx\"…])"), "{told}");
        assert!(told.len() < 1200, "{told}");
    }

    #[test]
    fn what_is_missing_is_null_and_methods_that_nobody_knows_have_no_words() {
        assert_eq!(words(&call(|_| ()), MESSAGE), "(text = \"\")");
        assert_eq!(words(&call(|_| ()), (MESSAGE.0, 4)), "(query = \"\", secret = false)");
        let destroy = (<packwire_schema::artifact_capnp::artifact::Client as HasTypeId>::TYPE_ID, 2);
        assert_eq!(words(&call(|_| ()), destroy), "(ui = null, cancellation = null)");
        assert_eq!(words(&said("hello"), (1, 2)), "");
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let mut last = LastCarried::default();
        let frame = said(&"x".repeat(LARGE / 2));
        (0..MESSAGES).for_each(|_| last.push(Some(Carried::by(&frame, MESSAGE, &Conceals::default()))));
        assert!(last.bytes <= ROOM && last.all.len() == ROOM / frame.len());
        let large = said(&"x".repeat(2 * LARGE));
        assert!(Carried::by(&large, MESSAGE, &Conceals::default()).size() < 250);
        (0..2 * MESSAGES).for_each(|_| last.push(None));
        assert_eq!((last.bytes, last.all.len()), (0, MESSAGES));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_talk_without_end(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..24),
            number in 0u16..8,
        ) {
            let mut changed = attach();
            for (index, byte) in &changes {
                let at = index.index(changed.len());
                changed[at] = *byte;
            }
            for frame in [&bytes, &changed] {
                for method in [ATTACH, (MESSAGE.0, number), crate::rig::methods::any_method(number)] {
                    prop_assert!(words(frame, method).len() < 8000);
                }
            }
        }
    }
}
