//! What was done with what was lent, in order.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

/// More calls than this, of one method on one object and in all, are counted, not kept.
const ACTS_OF_ONE: usize = 4_000;
const ACTS: usize = 40_000;
/// More bytes of texts than this are not kept.
const TEXT: usize = 4 << 20;

/// One call of a lent object.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    /// Which object: calls on one have the same number.
    pub(crate) lane: usize,
    /// Such as `Ui.say`.
    pub(crate) name: &'static str,
    /// The text that it carried.
    pub(crate) text: String,
    /// How many bytes it carried, for writes.
    pub(crate) bytes: usize,
    answered: bool,
}

impl Act {
    pub(crate) fn is_answered(&self) -> bool {
        self.answered
    }
}

/// The record of one stage.
#[derive(Default)]
pub(crate) struct Diary {
    acts: RefCell<Vec<Act>>,
    counts: RefCell<HashMap<(usize, &'static str), usize>>,
    open: RefCell<HashMap<usize, (usize, usize)>>,
    peak: Cell<(usize, usize, &'static str)>,
    room: Cell<usize>,
    lost: Cell<usize>,
    news: Notify,
    moments: Cell<usize>,
}

/// A call that has come and is not answered.
pub(crate) struct Begun {
    /// Its place among those that are kept.
    number: Option<usize>,
    lane: usize,
    bytes: usize,
}

impl Diary {
    /// A call has come.
    pub(crate) fn begin(&self, lane: usize, name: &'static str, text: String, bytes: usize) -> Begun {
        self.moment();
        self.opened(lane, name, bytes);
        let fits = self.counted(lane, name) && self.has_room(text.len());
        if !fits {
            self.lost.set(self.lost.get() + 1);
        }
        let number = fits.then(|| {
            let mut acts = self.acts.borrow_mut();
            acts.push(Act { lane, name, text, bytes, answered: false });
            acts.len() - 1
        });
        self.news.notify_waiters();
        Begun { number, lane, bytes }
    }

    /// It is answered.
    pub(crate) fn end(&self, Begun { number, lane, bytes }: Begun) {
        self.moment();
        self.closed(lane, bytes);
        if let Some(number) = number
            && let Some(act) = self.acts.borrow_mut().get_mut(number)
        {
            act.answered = true;
        }
        self.news.notify_waiters();
    }

    /// How many calls came that are not kept, because there were so many.
    pub(crate) fn lost(&self) -> usize {
        self.lost.get()
    }

    /// Counts a call; answers whether it may be kept.
    fn counted(&self, lane: usize, name: &'static str) -> bool {
        let mut counts = self.counts.borrow_mut();
        let full = counts.len() >= ACTS;
        // Who makes new objects without end is counted as one.
        let count = counts.entry(if full { (0, "the rest") } else { (lane, name) }).or_default();
        *count += 1;
        *count <= ACTS_OF_ONE && self.acts.borrow().len() < ACTS
    }

    fn has_room(&self, text: usize) -> bool {
        let room = self.room.get() + text;
        let fits = room <= TEXT;
        if fits {
            self.room.set(room);
        }
        fits
    }

    fn closed(&self, lane: usize, bytes: usize) {
        let mut open = self.open.borrow_mut();
        let Some((calls, unanswered)) = open.get_mut(&lane) else { return };
        (*calls, *unanswered) = (calls.saturating_sub(1), unanswered.saturating_sub(bytes));
        if *calls == 0 {
            open.remove(&lane);
        }
    }

    fn opened(&self, lane: usize, name: &'static str, bytes: usize) {
        let mut open = self.open.borrow_mut();
        let (calls, unanswered) = open.entry(lane).or_default();
        (*calls, *unanswered) = (*calls + 1, *unanswered + bytes);
        let (most, most_bytes, of) = self.peak.get();
        let of = if *calls > most { name } else { of };
        self.peak.set((most.max(*calls), most_bytes.max(*unanswered), of));
    }

    /// Everything so far.
    pub(crate) fn acts(&self) -> Vec<Act> {
        self.acts.borrow().clone()
    }

    /// The texts of the calls of one method, in order.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.acts.borrow().iter().filter(|act| act.name == name).map(|act| act.text.clone()).collect()
    }

    /// How many calls of one method came.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.counts.borrow().iter().filter(|((_, called), _)| *called == name).map(|(_, count)| count).sum()
    }

    /// How many calls whose name begins so are not answered.
    pub(crate) fn unanswered(&self, beginning: &str) -> usize {
        let open = |act: &&Act| act.name.starts_with(beginning) && !act.is_answered();
        self.acts.borrow().iter().filter(open).count()
    }

    /// The texts of what was `made` and not `closed`. An object has one lane, and its text may change.
    pub(crate) fn unclosed(&self, made: &str, closed: &str) -> Vec<String> {
        let acts = self.acts.borrow();
        let on = |lane: usize, name: &str| acts.iter().rfind(|act| act.lane == lane && act.name == name);
        let open = acts.iter().filter(|act| act.name == made && on(act.lane, closed).is_none());
        open.map(|act| on(act.lane, "LedgerEntry.update").unwrap_or(act).text.clone()).collect()
    }

    /// Waits until the record is as wanted.
    pub(crate) async fn until(&self, within: Duration, wanted: impl Fn(&[Act]) -> bool) -> bool {
        let come = async {
            loop {
                let news = self.news.notified();
                if wanted(&self.acts.borrow()) {
                    return;
                }
                news.await;
            }
        };
        tokio::time::timeout(within, come).await.is_ok()
    }

    /// Waits until nothing has come for a while; answers false if something always came.
    pub(crate) async fn quiet(&self, pause: Duration, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut before = usize::MAX;
        while Instant::now() < deadline {
            let now = self.moments.get();
            if now == before {
                return true;
            }
            before = now;
            tokio::time::sleep(pause).await;
        }
        false
    }

    /// The most calls, and the most bytes, that were unanswered on one object at one time; and on which method.
    pub(crate) fn peak(&self) -> (usize, usize, &'static str) {
        let (calls, bytes, name) = self.peak.get();
        (calls, bytes, if calls == 0 { "nothing" } else { name })
    }

    fn moment(&self) {
        self.moments.set(self.moments.get() + 1);
    }
}

/// How calls of one sort are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Now,
    After(Duration),
    /// Not until this changes.
    Held,
    /// With an exception.
    Fails,
}

/// What calls of one sort pass before they are answered.
pub(crate) struct Gate(watch::Sender<Reply>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(Reply::Now))
    }
}

impl Gate {
    pub(crate) fn set(&self, reply: Reply) {
        self.0.send_replace(reply);
    }

    /// Waits for as long as the gate says.
    pub(crate) async fn pass(&self) -> capnp::Result<()> {
        let mut replies = self.0.subscribe();
        let reply = replies.wait_for(|reply| *reply != Reply::Held).await.map(|reply| *reply);
        match reply {
            Ok(Reply::After(time)) => tokio::time::sleep(time).await,
            Ok(Reply::Fails) => return Err(capnp::Error::failed("the suite fails this call".to_owned())),
            Ok(Reply::Now | Reply::Held) | Err(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_that_of_one_object() {
        let diary = Diary::default();
        let first = diary.begin(0, "Ui.say", String::new(), 0);
        diary.begin(1, "Ui.say", String::new(), 0);
        diary.end(first);
        diary.begin(0, "Ui.say", String::new(), 0);
        assert_eq!(diary.peak().0, 1);
        diary.begin(0, "ByteStream.write", String::new(), 7);
        assert_eq!(diary.peak(), (2, 7, "ByteStream.write"));
        assert_eq!(diary.unanswered("Ui."), 2);
    }

    #[test]
    fn what_comes_without_end_is_counted_and_not_kept() {
        let diary = Diary::default();
        for _ in 0..ACTS_OF_ONE + 7 {
            diary.end(diary.begin(0, "Ui.say", "line".to_owned(), 0));
        }
        diary.end(diary.begin(1, "Ui.say", "x".repeat(TEXT), 0));
        diary.end(diary.begin(2, "ByteStream.end", String::new(), 0));
        assert_eq!((diary.acts().len(), diary.lost()), (ACTS_OF_ONE + 1, 8));
        assert_eq!((diary.count("Ui.say"), diary.count("ByteStream.end")), (ACTS_OF_ONE + 8, 1));
        assert_eq!(diary.unanswered(""), 0);
    }
}
