//! Who has which key in this host, who waits for it, and who would wait for ever.
//!
//! A run waits for the runs that it has called, and who asks for a key waits for those who have it. A request that
//! closes a circle of such waits is refused at once: whoever has the key, or somebody it waits for, waits for the one
//! who asks. That the caller waits is assumed, also where it goes on meanwhile: a request that might have been met is
//! refused then, but none waits for ever. A run has one lease at a time, so no two can have what the other needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Why a run gets no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("this run has a lease already: it gives that back before it asks for another")]
    Second,
    #[error("who has this lease waits for the one who asks for it: it would never be given back")]
    Circle,
}

/// All runs of this host and their leases.
#[derive(Debug, Default)]
pub(super) struct Queue {
    table: Mutex<Table>,
    changes: watch::Sender<()>,
}

/// A run that may ask; it is known until this and all its turns are dropped.
#[derive(Debug)]
pub(crate) struct Caller(Arc<Seat>);

#[derive(Debug)]
struct Seat {
    run: u64,
    queue: Arc<Queue>,
}

/// The right to a key, as far as this host is concerned.
#[derive(Debug)]
pub(super) struct Turn {
    seat: Arc<Seat>,
}

impl Queue {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller {
    pub(super) fn new(queue: Arc<Queue>, parent: Option<&Self>) -> Self {
        let run = queue.table().enter(parent.map(|parent| parent.0.run));
        Self(Arc::new(Seat { run, queue }))
    }

    /// Waits for the key.
    pub(super) async fn turn(&self, key: &str, shared: bool) -> Result<Turn, Refused> {
        let Seat { run, queue } = &*self.0;
        let mut changes = queue.changes.subscribe();
        queue.table().ask(*run, key, shared)?;
        // From here on dropping it takes the request back.
        let turn = Turn { seat: self.0.clone() };
        while !queue.table().try_grant(*run)? {
            // The sender lives as long as the queue.
            drop(changes.changed().await);
        }
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.seat.queue.table().give_back(self.seat.run);
        self.seat.queue.changes.send_replace(());
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.queue.table().leave(self.run);
        self.queue.changes.send_replace(());
    }
}

/// Who is there, who called whom, and what each has or wants.
#[derive(Debug, Default)]
struct Table {
    next: u64,
    parents: BTreeMap<u64, Option<u64>>,
    wishes: BTreeMap<u64, Wish>,
}

#[derive(Debug)]
struct Wish {
    key: String,
    shared: bool,
    granted: bool,
}

impl Table {
    fn enter(&mut self, parent: Option<u64>) -> u64 {
        self.next += 1;
        self.parents.insert(self.next, parent);
        self.next
    }

    fn leave(&mut self, run: u64) {
        self.parents.remove(&run);
    }

    fn ask(&mut self, run: u64, key: &str, shared: bool) -> Result<(), Refused> {
        if self.wishes.contains_key(&run) {
            return Err(Refused::Second);
        }
        self.wishes.insert(run, Wish { key: key.to_owned(), shared, granted: false });
        Ok(())
    }

    /// Grants what the run asked for where nobody is in its way; refuses what would never be granted.
    fn try_grant(&mut self, run: u64) -> Result<bool, Refused> {
        let in_the_way = self.in_the_way(run);
        if self.waits_for(&in_the_way).contains(&run) {
            return Err(Refused::Circle);
        }
        if in_the_way.is_empty()
            && let Some(wish) = self.wishes.get_mut(&run)
        {
            wish.granted = true;
        }
        Ok(in_the_way.is_empty())
    }

    fn give_back(&mut self, run: u64) {
        self.wishes.remove(&run);
    }

    /// Those who have what this run asks for, in a way that keeps it out.
    fn in_the_way(&self, run: u64) -> Vec<u64> {
        let Some(wish) = self.wishes.get(&run).filter(|wish| !wish.granted) else { return Vec::new() };
        let others = self.wishes.iter().filter(|(other, theirs)| {
            **other != run && theirs.granted && theirs.key == wish.key && !(theirs.shared && wish.shared)
        });
        others.map(|(other, _)| *other).collect()
    }

    /// All that these wait for, directly or not, and these themselves.
    fn waits_for(&self, runs: &[u64]) -> BTreeSet<u64> {
        let (mut found, mut next) = (BTreeSet::new(), runs.to_vec());
        while let Some(run) = next.pop() {
            if found.insert(run) {
                let called = self.parents.iter().filter(|(_, parent)| **parent == Some(run));
                next.extend(called.map(|(child, _)| *child));
                next.extend(self.in_the_way(run));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn queue() -> Arc<Queue> {
        Arc::default()
    }

    // host.cache-exclusive
    #[tokio::test]
    async fn one_writes_or_many_read() {
        let queue = queue();
        let (first, second, third) = (
            Caller::new(queue.clone(), None),
            Caller::new(queue.clone(), None),
            Caller::new(queue.clone(), None),
        );
        let reading = (first.turn("k", true).await.unwrap(), second.turn("k", true).await.unwrap());
        let mut writing = Box::pin(third.turn("k", false));
        assert!(now(&mut writing).await.is_none());
        drop(reading.0);
        assert!(now(&mut writing).await.is_none());
        drop(reading.1);
        let _writing = writing.await.unwrap();
        let _another_key = first.turn("other", false).await.unwrap();
    }

    // host.cache-second-lease
    #[tokio::test]
    async fn a_run_has_one_lease_at_a_time() {
        let run = Caller::new(queue(), None);
        let turn = run.turn("a", true).await.unwrap();
        assert_eq!(run.turn("b", true).await.unwrap_err(), Refused::Second);
        drop(turn);
        run.turn("b", true).await.unwrap();
    }

    // host.cache-circle
    #[tokio::test]
    async fn who_is_called_does_not_wait_for_its_caller() {
        let queue = queue();
        let builder = Caller::new(queue.clone(), None);
        let provisioner = Caller::new(queue.clone(), Some(&builder));
        let deeper = Caller::new(queue.clone(), Some(&provisioner));
        let held = builder.turn("k", false).await.unwrap();
        assert_eq!(provisioner.turn("k", true).await.unwrap_err(), Refused::Circle);
        assert_eq!(deeper.turn("k", false).await.unwrap_err(), Refused::Circle);
        drop(held);
        let _readers = (builder.turn("k", true).await.unwrap(), deeper.turn("k", true).await.unwrap());
    }

    /// A has 1 and waits for its provisioner, which waits for 2; B has 2 and waits for its own, which asks for 1.
    // host.cache-circle
    #[tokio::test]
    async fn a_circle_over_two_builds_is_refused_to_who_would_close_it() {
        let queue = queue();
        let (a, b) = (Caller::new(queue.clone(), None), Caller::new(queue.clone(), None));
        let (of_a, of_b) = (Caller::new(queue.clone(), Some(&a)), Caller::new(queue.clone(), Some(&b)));
        let (_one, two) = (a.turn("1", false).await.unwrap(), b.turn("2", false).await.unwrap());
        let mut waiting = Box::pin(of_a.turn("2", false));
        assert!(now(&mut waiting).await.is_none());
        assert_eq!(of_b.turn("1", false).await.unwrap_err(), Refused::Circle);
        drop(two);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn a_circle_that_closes_while_one_waits_ends_the_wait() {
        let queue = queue();
        let (stranger, builder) = (Caller::new(queue.clone(), None), Caller::new(queue.clone(), None));
        let provisioner = Caller::new(queue.clone(), Some(&builder));
        let held = stranger.turn("k", false).await.unwrap();
        let (mut first, mut second) =
            (Box::pin(builder.turn("k", false)), Box::pin(provisioner.turn("k", false)));
        assert!(now(&mut first).await.is_none());
        assert!(now(&mut second).await.is_none());
        drop(held);
        let _first = first.await.unwrap();
        assert_eq!(second.await.unwrap_err(), Refused::Circle);
    }

    /// What the future yields without waiting.
    async fn now<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
        tokio::select! {
            biased;
            done = future => Some(done),
            () = std::future::ready(()) => None,
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Enter(usize),
        Ask(usize, u8, bool),
        GiveBack(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..8_usize).prop_map(Step::Enter),
            (0..8_usize, 0..3_u8, any::<bool>()).prop_map(|(run, key, shared)| Step::Ask(run, key, shared)),
            (0..8_usize).prop_map(Step::GiveBack),
        ];
        prop::collection::vec(step, 0..60)
    }

    /// All who wait ask again, as they do after every change.
    fn settle(table: &mut Table) {
        for run in table.wishes.keys().copied().collect::<Vec<_>>() {
            if table.wishes[&run].granted {
                continue;
            }
            if table.try_grant(run).is_err() {
                table.give_back(run);
            }
        }
    }

    proptest! {
        #[test]
        fn nobody_waits_for_ever_and_no_writer_has_company(steps in steps()) {
            let mut table = Table::default();
            let mut runs = vec![table.enter(None)];
            for step in steps {
                match step {
                    Step::Enter(parent) => {
                        let parent = runs[parent % runs.len()];
                        runs.push(table.enter((parent % 2 == 0).then_some(parent)));
                    }
                    Step::Ask(run, key, shared) => {
                        let _refused = table.ask(runs[run % runs.len()], &key.to_string(), shared);
                    }
                    Step::GiveBack(run) => table.give_back(runs[run % runs.len()]),
                }
                settle(&mut table);
                for (run, wish) in &table.wishes {
                    let ways = table.in_the_way(*run);
                    prop_assert!(!table.waits_for(&ways).contains(run), "{run} waits for itself");
                    let others = table.wishes.iter().filter(|(other, theirs)| {
                        *other != run && theirs.granted && theirs.key == wish.key
                    });
                    for (_, theirs) in others {
                        prop_assert!(!wish.granted || (wish.shared && theirs.shared));
                    }
                    prop_assert!(wish.granted || !ways.is_empty(), "{run} waits for nobody");
                }
            }
        }
    }
}
