//! A stream that a transcript listens to, and whose writing can be held back.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures::io::{AsyncRead, AsyncWrite};

use super::carried::{Carried, OpenCalls};
use super::inbox::Inbox;
use super::transcript::{Entries, Entry, Frames, Message, Sender, decode};
use super::words::Conceals;

/// What all taps of one host write into.
#[derive(Default)]
pub(super) struct Transcript {
    pub(super) entries: RefCell<Entries>,
    /// The bytes that the plugin sent, up to a bound.
    pub(super) received: RefCell<Vec<u8>>,
    pub(super) news: tokio::sync::Notify,
    /// What nobody is shown.
    pub(super) conceals: Conceals,
    calls: RefCell<OpenCalls>,
}

impl Transcript {
    /// That of a host with this token.
    pub(super) fn with_token(token: &str) -> Self {
        Self { conceals: Conceals::token(token), ..Self::default() }
    }

    fn carried(
        &self,
        connection: usize,
        sender: Sender,
        (frame, message): (&[u8], &Message),
    ) -> Option<Carried> {
        let method = self.calls.borrow_mut().method(connection, sender, message)?;
        Some(Carried::by(frame, method, &self.conceals))
    }
}

/// More bytes than this are decoded, not kept.
pub(super) const KEPT: usize = 4 << 20;

/// One direction of one connection.
pub(super) struct Ear {
    transcript: Rc<Transcript>,
    connection: usize,
    sender: Sender,
    began: Instant,
    frames: Frames,
    inbox: Rc<Inbox>,
}

impl Ear {
    pub(super) fn new(
        transcript: Rc<Transcript>,
        (connection, inbox): (usize, Rc<Inbox>),
        sender: Sender,
        began: Instant,
    ) -> Self {
        Self { transcript, connection, sender, began, frames: Frames::default(), inbox }
    }

    /// An error is the reason why nothing more of the plugin's can be taken.
    fn hear(&mut self, heard: &[u8]) -> io::Result<()> {
        if self.sender == Sender::Plugin {
            let mut received = self.transcript.received.borrow_mut();
            let room = KEPT.saturating_sub(received.len());
            received.extend_from_slice(&heard[..heard.len().min(room)]);
        }
        let Self { transcript, connection, sender, began, frames, inbox } = self;
        let (at, connection, sender) = (began.elapsed(), *connection, *sender);
        frames.cut(heard, |cut| {
            let (bytes, message, carried) = match cut {
                Ok(frame) => {
                    let message = decode(frame);
                    let carried = transcript.carried(connection, sender, (frame, &message));
                    (frame.len(), message, carried)
                }
                Err((claimed, why)) => (claimed, Message::Garbage(why.to_owned()), None),
            };
            inbox.note(sender, bytes, &message);
            let entry = Entry { at, connection, sender, bytes, message };
            transcript.entries.borrow_mut().push(entry, carried);
            transcript.news.notify_waiters();
        });
        let lost = self.frames.lost().filter(|_| self.sender == Sender::Plugin).map(str::to_owned);
        lost.or_else(|| self.inbox.is_endless()).map_or(Ok(()), |why| Err(self.inbox.cut(why)))
    }
}

/// Lets writers pass, or keeps them waiting.
#[derive(Default)]
pub(super) struct Gate {
    shut: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Gate {
    pub(super) fn set(&self, shut: bool) {
        self.shut.set(shut);
        if !shut {
            self.waiting.take().into_iter().for_each(Waker::wake);
        }
    }
}

/// The reading half of a tapped connection.
pub(super) struct Reading<S>(pub(super) S, pub(super) Ear);

/// The writing half of a tapped connection.
pub(super) struct Writing<S>(pub(super) S, pub(super) Ear, pub(super) Rc<Gate>);

impl<S: AsyncRead + Unpin> AsyncRead for Reading<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.1.inbox.has_room(cx.waker()) {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.0).poll_read(cx, into);
        if let Poll::Ready(Ok(count)) = &polled {
            self.1.hear(&into[..*count])?;
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Writing<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        if self.2.shut.get() {
            self.2.waiting.borrow_mut().push(cx.waker().clone());
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.0).poll_write(cx, from);
        if let Poll::Ready(Ok(count)) = &polled {
            self.1.hear(&from[..*count])?;
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
