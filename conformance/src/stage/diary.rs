//! What was done with what was lent, in order.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

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
    began: usize,
    ended: Option<usize>,
}

impl Act {
    pub(crate) fn is_answered(&self) -> bool {
        self.ended.is_some()
    }
}

/// The record of one stage.
#[derive(Default)]
pub(crate) struct Diary {
    acts: RefCell<Vec<Act>>,
    news: Notify,
    moments: Cell<usize>,
}

impl Diary {
    /// A call has come; answers its number.
    pub(crate) fn begin(&self, lane: usize, name: &'static str, text: String, bytes: usize) -> usize {
        let act = Act { lane, name, text, bytes, began: self.moment(), ended: None };
        self.acts.borrow_mut().push(act);
        self.news.notify_waiters();
        self.acts.borrow().len() - 1
    }

    /// It is answered.
    pub(crate) fn end(&self, number: usize) {
        let moment = self.moment();
        if let Some(act) = self.acts.borrow_mut().get_mut(number) {
            act.ended = Some(moment);
        }
        self.news.notify_waiters();
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
        self.acts.borrow().iter().filter(|act| act.name == name).count()
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
            let now = self.acts.borrow().len();
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
        let acts = self.acts.borrow();
        let mut most = (0, 0, "nothing");
        for act in acts.iter() {
            let open = acts.iter().filter(|other| {
                other.lane == act.lane
                    && other.began <= act.began
                    && other.ended.is_none_or(|ended| ended > act.began)
            });
            let (calls, bytes) = open.fold((0, 0), |(calls, bytes), other| (calls + 1, bytes + other.bytes));
            if (calls, bytes) > (most.0, most.1) {
                most = (calls, most.1.max(bytes), act.name);
            }
            most.1 = most.1.max(bytes);
        }
        most
    }

    fn moment(&self) -> usize {
        self.moments.replace(self.moments.get() + 1)
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
}
