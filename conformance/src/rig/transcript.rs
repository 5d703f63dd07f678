//! The messages of a connection, decoded from its bytes beside the RPC library and told with symbolic names.

use std::collections::VecDeque;
use std::time::Duration;

use capnp::message::ReaderOptions;
use capnp_rpc::rpc_capnp::{call, exception, message, message_target, return_};

use super::carried::{self, Carried, LastCarried};
use super::methods::method_name;
use super::words::Conceals;

/// A frame that claims more segments or bytes than this ends the link: it is twice what may be sent.
const MOST_SEGMENTS: usize = 512;
const MOST_BYTES: usize = 16 << 20;
/// How many messages are kept of the beginning, and of the end.
const FIRST: usize = 10_000;
const LAST: usize = carried::MESSAGES;
/// How many bytes a message takes on the average, at most, where many are told.
const WORDS: usize = 300;

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The host: this suite.
    Host,
    /// The plugin.
    Plugin,
}

impl Sender {
    /// Who is spoken to.
    pub fn other(self) -> Self {
        if self == Self::Host { Self::Plugin } else { Self::Host }
    }

    /// Who speaks to whom.
    pub fn arrow(self) -> &'static str {
        if self == Self::Host { "host → plugin" } else { "plugin → host" }
    }
}

/// One message on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, since the rig began.
    pub at: Duration,
    /// Which connection, counted from 0 for each host.
    pub connection: usize,
    /// Who sent it.
    pub sender: Sender,
    /// Its size in bytes, frame header included.
    pub bytes: usize,
    /// What it was.
    pub message: Message,
}

/// What a message was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The request for the connection's bootstrap capability.
    Bootstrap {
        /// The id of the question.
        question: u32,
    },
    /// A call of a method.
    Call {
        /// The id of the question.
        question: u32,
        /// The id of the interface.
        interface: u64,
        /// The number of the method.
        method: u16,
        /// Both by name, such as `Host.attach`.
        name: String,
        /// What it is called on: `cap 3` or `answer 0`.
        target: String,
    },
    /// An answer.
    Return {
        /// The id of the question that it answers.
        answer: u32,
        /// `results`, or the exception's text, or the name of a rarer member.
        what: String,
        /// Whether it is forgotten at once: it says that it needs no `finish`.
        settled: bool,
    },
    /// The end of a connection, with its reason.
    Abort(String),
    /// Any other message, by name: `finish 3`, `release 2`, `resolve 1`.
    Other(String),
    /// Bytes that are no message.
    Garbage(String),
}

impl Message {
    /// The method that it calls, such as `Host.attach`.
    pub fn called(&self) -> Option<String> {
        match self {
            Self::Call { name, .. } => Some(name.clone()),
            _ => None,
        }
    }

    /// Whether it is a call of this method, such as `Host.attach`.
    pub fn calls(&self, wanted: &str) -> bool {
        matches!(self, Self::Call { name, .. } if name == wanted)
    }
}

impl Entry {
    /// In one line, with what it carries where that is kept.
    fn told(&self, carried: Option<&Carried>, conceals: &Conceals) -> String {
        let Self { at, connection, sender, message, .. } = self;
        let message = carried.and_then(|carried| message.with(carried, conceals));
        let message = message.unwrap_or_else(|| conceals.conceal(&self.message.to_string()));
        format!("{:>6} ms  link {connection}  {}  {message}", at.as_millis(), sender.arrow())
    }
}

impl Message {
    /// A call or an answer with what it carries.
    fn with(&self, carried: &Carried, conceals: &Conceals) -> Option<String> {
        match self {
            Self::Call { question, name, target, .. } => {
                Some(format!("call {question}  {name}{} on {target}", carried.words(conceals)?))
            }
            Self::Return { answer, what, .. } => {
                let words = carried.words(conceals);
                let words = words.unwrap_or_else(|| format!("  {}", conceals.conceal(what)));
                Some(format!("return {answer}  = {}{words}", method_name(carried.method())))
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bootstrap { question } => write!(f, "bootstrap {question}"),
            Self::Call { question, name, target, .. } => write!(f, "call {question}  {name} on {target}"),
            Self::Return { answer, what, .. } => write!(f, "return {answer}  {what}"),
            Self::Abort(reason) => write!(f, "abort  {reason}"),
            Self::Other(what) => f.write_str(what),
            Self::Garbage(why) => write!(f, "no message: {why}"),
        }
    }
}

/// The messages of all connections: the first of them, the last, and how many there were between.
#[derive(Default)]
pub(super) struct Entries {
    first: Vec<Entry>,
    last: VecDeque<Entry>,
    carried: LastCarried,
    dropped: usize,
    largest: usize,
}

impl Entries {
    pub(super) fn push(&mut self, entry: Entry, carried: Option<Carried>) {
        self.carried.push(carried);
        if entry.sender == Sender::Plugin {
            self.largest = self.largest.max(entry.bytes);
        }
        if self.first.len() < FIRST {
            return self.first.push(entry);
        }
        if self.last.len() == LAST {
            self.last.pop_front();
            self.dropped += 1;
        }
        self.last.push_back(entry);
    }

    /// What is kept, in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.first.iter().chain(&self.last)
    }

    /// The last of them in words, in order; where all are long, the older ones without what they carry.
    pub(super) fn told(&self, count: usize, conceals: &Conceals) -> Vec<String> {
        let mut room = count.saturating_mul(WORDS);
        let last = self.iter().rev().take(count).zip(self.carried.newest_first());
        let told = last.map(|(entry, carried)| {
            let line = entry.told(carried.filter(|_| room > 0), conceals);
            room = room.saturating_sub(line.len());
            line
        });
        let mut told: Vec<String> = told.collect();
        told.reverse();
        told
    }

    /// How many of the middle are not kept.
    pub(super) fn dropped(&self) -> usize {
        self.dropped
    }

    /// The size of the largest message that the plugin sent, kept or not.
    pub(super) fn largest_from_plugin(&self) -> usize {
        self.largest
    }
}

/// Cuts the bytes of one direction into messages.
#[derive(Default)]
pub struct Frames {
    waiting: Vec<u8>,
    lost: Option<String>,
}

impl Frames {
    /// Takes the next bytes and hands on each message that they complete, as it came; for bytes that are none, the
    /// length that they claim and why they are none.
    pub fn cut(&mut self, bytes: &[u8], mut each: impl FnMut(Result<&[u8], (usize, &str)>)) {
        if self.lost.is_some() {
            return;
        }
        self.waiting.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            let rest = &self.waiting[at..];
            match frame_length(rest) {
                Ok(Some(length)) if length <= rest.len() => {
                    each(Ok(&rest[..length]));
                    at += length;
                }
                Ok(_) => break,
                Err((claimed, why)) => {
                    each(Err((claimed, &why)));
                    self.lost = Some(why);
                    at = self.waiting.len();
                    break;
                }
            }
        }
        self.waiting.drain(..at);
        self.waiting.shrink_to(MOST_BYTES / 16);
    }

    /// Why no more can be decoded, if that is so.
    pub(super) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }
}

/// The length of the frame that begins these bytes, if enough of it is there to tell; an error is what it claims.
fn frame_length(bytes: &[u8]) -> Result<Option<usize>, (usize, String)> {
    let word = |at: usize| {
        let four = bytes.get(at..at + 4)?;
        four.try_into().ok().map(|four| u32::from_le_bytes(four) as usize)
    };
    let Some(segments) = word(0).map(|last| last.saturating_add(1)) else { return Ok(None) };
    if segments > MOST_SEGMENTS {
        return Err((bytes.len(), format!("a frame of {segments} segments, more than the suite takes")));
    }
    let mut total = (4 + 4 * segments).next_multiple_of(8);
    for segment in 0..segments {
        let Some(words) = word(4 + 4 * segment) else { return Ok(None) };
        total = total.saturating_add(words.saturating_mul(8));
    }
    if total > MOST_BYTES {
        return Err((total, format!("a frame of {total} bytes, more than the suite takes")));
    }
    Ok(Some(total))
}

/// What a message is, all of whose bytes these are.
pub(super) fn decode(frame: &[u8]) -> Message {
    read(frame).unwrap_or_else(|error| Message::Garbage(error.to_string()))
}

fn read(frame: &[u8]) -> capnp::Result<Message> {
    let reader = capnp::serialize::read_message(frame, ReaderOptions::new())?;
    let numbered = |word: &str, id: u32| Message::Other(format!("{word} {id}"));
    Ok(match reader.get_root::<message::Reader<'_>>()?.which() {
        Ok(message::Bootstrap(bootstrap)) => Message::Bootstrap { question: bootstrap?.get_question_id() },
        Ok(message::Call(call)) => read_call(call?)?,
        Ok(message::Return(answer)) => read_return(answer?)?,
        Ok(message::Abort(reason)) => Message::Abort(reason_of(reason?)),
        Ok(message::Finish(finish)) => numbered("finish", finish?.get_question_id()),
        Ok(message::Release(release)) => numbered("release", release?.get_id()),
        Ok(message::Resolve(resolve)) => numbered("resolve", resolve?.get_promise_id()),
        Ok(message::Disembargo(_)) => Message::Other("disembargo".to_owned()),
        Ok(message::Unimplemented(_)) => Message::Other("unimplemented".to_owned()),
        Ok(_) => Message::Other("a message of a higher level".to_owned()),
        Err(capnp::NotInSchema(number)) => numbered("unknown message", u32::from(number)),
    })
}

fn read_call(call: call::Reader<'_>) -> capnp::Result<Message> {
    let (interface, method) = (call.get_interface_id(), call.get_method_id());
    let target = match call.get_target()?.which() {
        Ok(message_target::ImportedCap(id)) => format!("cap {id}"),
        Ok(message_target::PromisedAnswer(promised)) => format!("answer {}", promised?.get_question_id()),
        Err(_) => "an unknown target".to_owned(),
    };
    let name = method_name((interface, method));
    Ok(Message::Call { question: call.get_question_id(), interface, method, name, target })
}

fn read_return(answer: return_::Reader<'_>) -> capnp::Result<Message> {
    let what = match answer.which() {
        Ok(return_::Results(_)) => "results".to_owned(),
        Ok(return_::Exception(thrown)) => format!("exception: {}", reason_of(thrown?)),
        Ok(return_::Canceled(())) => "cancelled".to_owned(),
        Ok(_) => "elsewhere".to_owned(),
        Err(capnp::NotInSchema(number)) => format!("unknown member {number}"),
    };
    Ok(Message::Return { answer: answer.get_answer_id(), what, settled: answer.get_no_finish_needed() })
}

fn reason_of(thrown: exception::Reader<'_>) -> String {
    let reason = thrown.get_reason().map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned());
    reason.unwrap_or_default().lines().next().unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Frames {
        fn take(&mut self, bytes: &[u8]) -> Vec<(usize, Message)> {
            let mut found = Vec::new();
            self.cut(bytes, |cut| {
                found.push(match cut {
                    Ok(frame) => (frame.len(), decode(frame)),
                    Err((claimed, why)) => (claimed, Message::Garbage(why.to_owned())),
                });
            });
            found
        }
    }

    fn bootstrap(question: u32) -> Vec<u8> {
        let mut built = capnp::message::Builder::new_default();
        built.init_root::<message::Builder<'_>>().init_bootstrap().set_question_id(question);
        capnp::serialize::write_message_to_words(&built)
    }

    #[test]
    fn messages_are_found_however_their_bytes_arrive() {
        let bytes = [bootstrap(7), bootstrap(8)].concat();
        let mut whole = Frames::default();
        let mut single = Frames::default();
        let told: Vec<_> = bytes.iter().flat_map(|byte| single.take(&[*byte])).collect();
        assert_eq!(told, whole.take(&bytes));
        assert_eq!(told[1].1, Message::Bootstrap { question: 8 });
    }

    #[test]
    fn of_many_messages_the_first_and_the_last_are_kept() {
        let mut entries = Entries::default();
        let entry = |bytes| Entry {
            at: Duration::ZERO,
            connection: 0,
            sender: Sender::Plugin,
            bytes,
            message: Message::Bootstrap { question: 0 },
        };
        (0..FIRST + LAST + 5).for_each(|bytes| entries.push(entry(bytes), None));
        let kept: Vec<usize> = entries.iter().map(|entry| entry.bytes).collect();
        assert_eq!((kept.len(), entries.dropped()), (FIRST + LAST, 5));
        assert_eq!(kept[FIRST - 1..=FIRST], [FIRST - 1, FIRST + 5]);
        assert_eq!(entries.largest_from_plugin(), FIRST + LAST + 4);
    }

    #[test]
    fn a_frame_that_claims_too_much_ends_the_decoding() {
        let mut frames = Frames::default();
        let told = frames.take(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        assert!(
            matches!(&told[..], [(34_359_738_368, Message::Garbage(why))] if why.contains("bytes")),
            "{told:?}"
        );
        assert_eq!(frames.take(&bootstrap(1)), []);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..80) {
            let mut changed = bootstrap(1);
            let at = at.min(changed.len());
            changed.splice(at..at, bytes.iter().copied().take(8));
            drop((Frames::default().take(&bytes), Frames::default().take(&changed)));
        }
    }
}
