//! What a process prints: its beginning and its end are kept, however much there is.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::record::Record;

/// How much is kept of the beginning, and of the end.
const FIRST: usize = 1 << 20;
const LAST: usize = 128 << 10;
/// How much is read at once.
const PIECE: usize = 64 << 10;
/// The rest between two pieces of what is not kept: who prints without end has no claim on a whole processor.
const PACE: Duration = Duration::from_millis(1);

/// What a process wrote to one of its streams.
#[derive(Default)]
pub(super) struct Captured {
    kept: RefCell<Kept>,
    over: Cell<bool>,
    end: tokio::sync::Notify,
}

impl Captured {
    pub(super) fn of(fd: OwnedFd, record: &Record) -> std::io::Result<Rc<Self>> {
        let mut pipe = Receiver::from_owned_fd(fd)?;
        let captured = Rc::new(Self::default());
        let this = captured.clone();
        record.spawn(async move {
            let mut buffer = vec![0; PIECE];
            while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
                this.kept.borrow_mut().take(&buffer[..count]);
                if this.kept.borrow().dropped > 0 {
                    tokio::time::sleep(PACE).await;
                }
            }
            this.over.set(true);
            this.end.notify_waiters();
        });
        Ok(captured)
    }

    /// Waits until nobody can write into it any longer.
    pub(super) async fn closed(&self) {
        while !self.over.get() {
            self.end.notified().await;
        }
    }

    /// What is kept; a line stands in for what is not.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.kept.borrow().told()
    }

    /// How many bytes came.
    pub(super) fn total(&self) -> usize {
        let kept = self.kept.borrow();
        kept.first.len() + kept.dropped + kept.last.len()
    }
}

/// The beginning and the end of what came.
#[derive(Default)]
struct Kept {
    first: Vec<u8>,
    last: VecDeque<u8>,
    dropped: usize,
}

impl Kept {
    fn take(&mut self, bytes: &[u8]) {
        let (first, last) = bytes.split_at(bytes.len().min(FIRST - self.first.len()));
        self.first.extend_from_slice(first);
        self.last.extend(last);
        let over = self.last.len().saturating_sub(LAST);
        self.last.drain(..over);
        self.dropped += over;
    }

    fn told(&self) -> Vec<u8> {
        let last: Vec<u8> = self.last.iter().copied().collect();
        if self.dropped == 0 {
            return [&self.first[..], &last].concat();
        }
        // Whole lines: a letter that was cut in two would look like another encoding.
        let first =
            self.first.iter().rposition(|byte| *byte == b'\n').map_or(&[][..], |at| &self.first[..=at]);
        let last = last.iter().position(|byte| *byte == b'\n').map_or(&[][..], |at| &last[at + 1..]);
        let gone = self.first.len() + self.dropped + self.last.len() - first.len() - last.len();
        [first, format!("[{gone} bytes are not kept]\n").as_bytes(), last].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_much_the_beginning_and_the_end_are_kept_in_whole_lines() {
        let mut kept = Kept::default();
        let line = "größer, länger, weiter\n";
        let lines = 3 * (FIRST + LAST) / line.len();
        (0..lines).for_each(|_| kept.take(line.as_bytes()));
        let told = String::from_utf8(kept.told()).unwrap();
        let others: Vec<&str> = told.lines().filter(|told| *told != line.trim_end()).collect();
        let [gap] = others[..] else { panic!("{others:?}") };
        let kept = told.len() - gap.len() - 1;
        assert_eq!(gap, format!("[{} bytes are not kept]", lines * line.len() - kept));
        assert!(told.starts_with(line) && told.ends_with(line));
    }

    #[test]
    fn of_little_all_is_kept() {
        let mut kept = Kept::default();
        kept.take(b"no line");
        assert_eq!(kept.told(), b"no line");
    }
}
