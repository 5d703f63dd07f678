//! One connection on which the check itself speaks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex, Notify};

use super::frame::Frame;
use crate::rig::Frames;

/// What a plugin does not read in this time is not written.
const TAKEN: Duration = Duration::from_secs(5);
/// Who sends more messages, or bytes in them, is not listened to any more: no check asks for as much.
const MOST_FRAMES: usize = 10_000;
const MOST_BYTES: usize = 10 << 20;

/// A connection, with every message that has come on it.
pub(crate) struct Link {
    output: Mutex<Box<dyn AsyncWrite + Unpin>>,
    heard: Rc<Heard>,
}

#[derive(Default)]
struct Heard {
    frames: RefCell<Vec<Rc<Frame>>>,
    bytes: Cell<usize>,
    over: Cell<bool>,
    news: Notify,
}

impl Link {
    /// A connection of two directions, and the task that listens to it until it is over.
    pub(crate) fn over(
        input: impl AsyncRead + Unpin,
        output: impl AsyncWrite + Unpin + 'static,
    ) -> (Self, impl Future<Output = ()>) {
        let heard = Rc::<Heard>::default();
        (Self { output: Mutex::new(Box::new(output)), heard: heard.clone() }, listen(input, heard))
    }

    /// Writes any bytes. A plugin that has closed the connection does not get them, which is no check's business here.
    pub(crate) async fn write(&self, bytes: &[u8]) {
        let mut output = self.output.lock().await;
        let written = async {
            output.write_all(bytes).await?;
            output.flush().await
        };
        drop(tokio::time::timeout(TAKEN, written).await);
    }

    /// Writes one byte at a time, with a pause after each.
    pub(crate) async fn drip(&self, bytes: &[u8], pause: Duration) {
        for byte in bytes {
            self.write(std::slice::from_ref(byte)).await;
            tokio::time::sleep(pause).await;
        }
    }

    /// Waits for a message in which something is found; nothing, if the connection is over first.
    pub(crate) async fn hears<T>(&self, within: Duration, find: impl Fn(&Frame) -> Option<T>) -> Option<T> {
        let search = async {
            let mut seen = 0;
            loop {
                let news = self.heard.news.notified();
                let all = self.heard.frames.borrow().get(seen..).map(<[_]>::to_vec).unwrap_or_default();
                seen += all.len();
                if let Some(found) = all.iter().find_map(|frame| find(frame)) {
                    return Some(found);
                }
                if self.heard.over.get() {
                    return None;
                }
                news.await;
            }
        };
        tokio::time::timeout(within, search).await.ok().flatten()
    }
}

impl Heard {
    fn take(&self, bytes: &[u8]) {
        let kept = self.bytes.get() + bytes.len();
        if kept > MOST_BYTES || self.frames.borrow().len() >= MOST_FRAMES {
            self.over.set(true);
            return;
        }
        if let Ok(frame) = Frame::read(bytes) {
            self.bytes.set(kept);
            self.frames.borrow_mut().push(Rc::new(frame));
        }
    }
}

async fn listen(mut input: impl AsyncRead + Unpin, heard: Rc<Heard>) {
    let (mut frames, mut buffer) = (Frames::default(), vec![0; 16 << 10]);
    while let Ok(count @ 1..) = input.read(&mut buffer).await {
        frames.cut(&buffer[..count], |cut| cut.into_iter().for_each(|frame| heard.take(frame)));
        heard.news.notify_waiters();
        if heard.over.get() {
            return;
        }
    }
    heard.over.set(true);
    heard.news.notify_waiters();
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;
    use crate::raw::write;

    /// What is heard of these bytes, which come all at once.
    async fn found(bytes: Vec<u8>, question: u32) -> (Option<bool>, usize) {
        let (link, listening) = Link::over(Cursor::new(bytes), futures::io::sink());
        listening.await;
        let answer =
            link.hears(Duration::from_secs(5), |frame| frame.answers(question).then_some(true)).await;
        (answer, link.heard.frames.borrow().len())
    }

    #[tokio::test]
    async fn what_comes_is_found_and_a_connection_that_is_over_is_not_waited_for() {
        let bytes = [write::hosted(6, 0), write::hosted(7, 0)].concat();
        assert_eq!(found(bytes.clone(), 7).await, (Some(true), 2));
        assert_eq!(found(bytes, 8).await, (None, 2));
    }

    #[tokio::test]
    async fn a_message_that_claims_a_gibibyte_is_no_message_and_takes_no_memory() {
        let claims = [[0, 0, 0, 0], (1_u32 << 27).to_le_bytes()].concat();
        assert_eq!(found([write::hosted(7, 0), claims, write::hosted(8, 0)].concat(), 8).await, (None, 1));
    }

    #[tokio::test]
    async fn who_answers_without_an_end_is_not_listened_to_any_more() {
        let bytes = write::hosted(7, 0).repeat(MOST_FRAMES + 10);
        assert_eq!(found(bytes, 8).await, (None, MOST_FRAMES));
        let large = write::call(1, write::Target::Export(0), 2, 3, |mut payload| {
            payload.reborrow().get_content().set_as::<capnp::data::Owned>(&vec![1; 1 << 20][..])
        });
        assert_eq!(found(large.repeat(40), 8).await, (None, 9));
    }
}
