//! How much of what a plugin sends is taken before it is answered: what nobody limits fills the suite's memory.
//!
//! The bounds lie far above those of SPEC.md, so that a plugin that breaks those is seen to break them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::task::Waker;

use super::transcript::{Message, Sender};

/// Nothing more is read while this many calls of the plugin, or bytes of them, are unanswered.
const CALLS: usize = 8192;
const BYTES: usize = 8 << 20;
/// A plugin that keeps this many answers and says of none that it has read it will never stop.
const UNFINISHED: usize = 16_384;

/// The calls of one connection's plugin.
#[derive(Default)]
pub(super) struct Inbox {
    open: RefCell<HashMap<u32, usize>>,
    bytes: Cell<usize>,
    unfinished: Cell<usize>,
    reader: RefCell<Option<Waker>>,
    cut: Cell<bool>,
}

impl Inbox {
    /// A message has passed.
    pub(super) fn note(&self, sender: Sender, bytes: usize, message: &Message) {
        match (sender, message) {
            (Sender::Plugin, Message::Call { question, .. }) => self.asked(*question, bytes),
            (Sender::Plugin, Message::Bootstrap { question }) => self.asked(*question, bytes),
            (Sender::Plugin, Message::Other(what)) if what.starts_with("finish") => {
                self.finished();
            }
            (Sender::Host, Message::Return { answer, settled, .. }) => {
                self.answered(*answer);
                if *settled {
                    self.finished();
                }
            }
            _ => {}
        }
    }

    fn asked(&self, question: u32, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes);
        self.unfinished.set(self.unfinished.get() + 1);
        if let Some(before) = self.open.borrow_mut().insert(question, bytes) {
            self.bytes.set(self.bytes.get().saturating_sub(before));
        }
    }

    fn finished(&self) {
        self.unfinished.set(self.unfinished.get().saturating_sub(1));
    }

    fn answered(&self, question: u32) {
        if let Some(bytes) = self.open.borrow_mut().remove(&question) {
            self.bytes.set(self.bytes.get().saturating_sub(bytes));
        }
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Whether more may be read; if not, the reader is woken when something is answered.
    pub(super) fn has_room(&self, reader: &Waker) -> bool {
        let has_room = self.open.borrow().len() < CALLS && self.bytes.get() < BYTES;
        if !has_room {
            self.reader.replace(Some(reader.clone()));
        }
        has_room
    }

    /// Why the link has to end, if it has to.
    pub(super) fn is_endless(&self) -> Option<String> {
        let unfinished = self.unfinished.get();
        let why = || format!("{unfinished} calls without a `finish`, more than the suite takes");
        (unfinished > UNFINISHED).then(why)
    }

    /// Nothing more is taken, for this reason.
    pub(super) fn cut(&self, why: String) -> io::Error {
        self.cut.set(true);
        io::Error::other(why)
    }

    /// Whether we have ended it.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(question: u32) -> Message {
        let (name, target) = (String::new(), String::new());
        Message::Call { question, interface: 0, method: 0, name, target }
    }

    fn answer(answer: u32) -> Message {
        Message::Return { answer, what: String::new(), settled: false }
    }

    #[test]
    fn what_is_unanswered_keeps_more_from_coming() {
        let (inbox, waker) = (Inbox::default(), Waker::noop());
        inbox.note(Sender::Plugin, BYTES - 1, &call(1));
        assert!(inbox.has_room(waker));
        inbox.note(Sender::Plugin, 1, &call(2));
        assert!(!inbox.has_room(waker));
        inbox.note(Sender::Host, 8, &answer(1));
        assert!(inbox.has_room(waker));
    }

    #[test]
    fn who_finishes_nothing_is_endless() {
        let inbox = Inbox::default();
        for question in 0..=u32::try_from(UNFINISHED).unwrap() {
            assert_eq!(inbox.is_endless(), None);
            inbox.note(Sender::Plugin, 8, &call(question));
            inbox.note(Sender::Host, 8, &answer(question));
        }
        assert!(inbox.is_endless().is_some());
        inbox.note(Sender::Plugin, 8, &Message::Other("finish 7".to_owned()));
        assert_eq!(inbox.is_endless(), None);
    }
}
