//! The RPC thread: the one place where capabilities live.
//!
//! Cap'n Proto's capabilities are `Rc`s, and calls on them are answered by whoever polls that thread. So they have a
//! thread of their own, on which no author's code ever runs: a plugin that blocks still answers. Everything above
//! holds [`Remote`]s, which are `Send`, and work is handed over as jobs.
use std::{
    any::Any,
    cell::RefCell,
    collections::HashMap,
    io,
    marker::PhantomData,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc, oneshot},
    task::LocalSet,
};
use tokio_util::task::TaskTracker;

use crate::{
    broken::{Broken, Reason, Trouble},
    limits,
    link::LinkState,
};

type Job = Box<dyn FnOnce() + Send>;

/// A handle to the RPC thread. It ends when the last handle, and with it the last capability, is gone.
#[derive(Clone, Debug)]
pub struct Room {
    jobs: mpsc::UnboundedSender<Job>,
    authors: Handle,
    work: TaskTracker,
}

impl Room {
    /// Starts an RPC thread. Authors' code, the implementations of this crate's traits, runs on `authors`.
    pub fn open(authors: Handle) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (jobs, mut inbox) = mpsc::unbounded_channel::<Job>();
        let serve = async move {
            while let Some(job) = inbox.recv().await {
                job();
            }
        };
        std::thread::Builder::new()
            .name("packwire-rpc".to_owned())
            .spawn(move || LocalSet::new().block_on(&runtime, serve))?;
        Ok(Self { jobs, authors, work: TaskTracker::new() })
    }

    /// Waits until no author's code runs any more that a peer called.
    pub async fn idle(&self) {
        self.work.close();
        self.work.wait().await;
        self.work.reopen();
    }

    /// Has `job` done on the RPC thread, after all that were told before it.
    pub(crate) fn tell(&self, job: impl FnOnce() + Send + 'static) {
        // Nobody is left to do it only when the thread is gone, and its capabilities with it.
        drop(self.jobs.send(Box::new(job)));
    }

    /// Does `job` on the RPC thread and brings back what its future yields; `None` when that thread is gone.
    ///
    /// The future goes on when the caller no longer waits: a call on the wire is never abandoned.
    pub(crate) async fn ask<T, F>(&self, job: impl FnOnce() -> F + Send + 'static) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.tell(move || {
            let work = job();
            spawn_here(async move { drop(answer.send(work.await)) });
        });
        answered.await.ok()
    }

    /// Runs author's code on the authors' runtime. A panic is caught here, once.
    ///
    /// It runs to its end even when nobody waits any more: only cancellation ends a run.
    pub(crate) async fn on_authors<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Panicked> {
        let running = self.authors.spawn(self.work.track_future(work));
        running.await.map_err(Panicked::of)
    }

    /// As [`Room::on_authors`], for work whose end nobody waits for.
    pub(crate) fn start_on_authors(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.authors.spawn(self.work.track_future(work)));
    }
}

/// Author's code panicked; its text says how.
#[derive(Debug)]
pub(crate) struct Panicked(pub(crate) String);

impl Panicked {
    fn of(error: tokio::task::JoinError) -> Self {
        let Ok(payload) = error.try_into_panic() else {
            return Panicked("the runtime ended".to_owned());
        };
        let text = payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Panicked(text.unwrap_or_else(|| "without a text".to_owned()))
    }
}

/// Starts a task on the RPC thread. Only to be called there.
#[expect(clippy::disallowed_methods, reason = "this is the room that the rule sends everybody to")]
pub(crate) fn spawn_here(work: impl Future<Output = ()> + 'static) {
    drop(tokio::task::spawn_local(work));
}

thread_local! {
    /// The capabilities that handles of other threads point to.
    static SHELF: RefCell<HashMap<u64, Box<dyn Any>>> = RefCell::default();
}
static NEXT_PLACE: AtomicU64 = AtomicU64::new(1);

/// A peer's capability, held from any thread. Dropping the last clone releases it, and means nothing else.
pub(crate) struct Remote<C> {
    slot: Arc<Slot>,
    client: PhantomData<fn() -> C>,
}

struct Slot {
    id: u64,
    room: Room,
    /// What may be unanswered on one object.
    calls: Arc<Semaphore>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let id = self.id;
        self.room.tell(move || drop(SHELF.with_borrow_mut(|shelf| shelf.remove(&id))));
    }
}

impl<C> Clone for Remote<C> {
    fn clone(&self) -> Self {
        Self { slot: self.slot.clone(), client: PhantomData }
    }
}

impl<C> std::fmt::Debug for Remote<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Remote({})", self.slot.id)
    }
}

/// A capability on the RPC thread, with the link that it came over.
#[derive(Clone)]
pub(crate) struct Adopted<C> {
    pub(crate) client: C,
    pub(crate) link: Rc<LinkState>,
}

impl<C: Clone + 'static> Remote<C> {
    /// Puts a capability that came over `link` on the shelf. Only to be called on the RPC thread.
    pub(crate) fn adopt(link: &Rc<LinkState>, client: C) -> Self {
        let id = NEXT_PLACE.fetch_add(1, Ordering::Relaxed);
        let adopted = Adopted { client, link: link.clone() };
        drop(SHELF.with_borrow_mut(|shelf| shelf.insert(id, Box::new(adopted))));
        let calls = Arc::new(Semaphore::new(limits::OPEN_CALLS));
        Self { slot: Arc::new(Slot { id, room: link.room().clone(), calls }), client: PhantomData }
    }

    /// The capability itself. Only to be called on the RPC thread that it lives on.
    pub(crate) fn here(&self) -> Option<Adopted<C>> {
        SHELF.with_borrow(|shelf| shelf.get(&self.slot.id)?.downcast_ref::<Adopted<C>>().cloned())
    }

    pub(crate) fn room(&self) -> &Room {
        &self.slot.room
    }

    /// Makes one call: `send` writes the request and sends it, in order with other calls; its future reads the answer.
    /// Waits first while as many calls are unanswered on this object as may be.
    pub(crate) async fn call<T, F>(
        &self,
        call: &'static str,
        within: Option<Duration>,
        send: impl FnOnce(Adopted<C>) -> F + Send + 'static,
    ) -> Result<T, Broken>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + 'static,
    {
        let lost = || Broken { call, reason: Reason::LinkLost };
        let remote = self.clone();
        let Ok(open) = self.slot.calls.clone().acquire_owned().await else { return Err(lost()) };
        let answer = self.room().ask(move || {
            let sent = remote.here().map(send);
            async move {
                let _open = open;
                match sent {
                    Some(sent) => sent.await.map_err(|trouble| trouble.during(call)),
                    None => Err(lost()),
                }
            }
        });
        let answer = match within {
            None => answer.await,
            Some(within) => match tokio::time::timeout(within, answer).await {
                Ok(answer) => answer,
                Err(_) => return Err(Broken { call, reason: Reason::Late { within } }),
            },
        };
        answer.unwrap_or_else(|| Err(lost()))
    }
}

impl<C: Clone + 'static> Remote<C> {
    /// Makes one call whose answer says nothing but that it was heard.
    pub(crate) async fn acknowledged<R: 'static, F>(
        &self,
        call: &'static str,
        within: Option<Duration>,
        send: impl FnOnce(&C) -> Result<F, Trouble> + Send + 'static,
    ) -> Result<(), Broken>
    where
        F: Future<Output = Result<capnp::capability::Response<R>, capnp::Error>> + 'static,
    {
        self.call(call, within, |Adopted { client, .. }| {
            let sent = send(&client);
            async move { sent?.await.map(drop).map_err(Trouble::from) }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn jobs_are_done_in_the_order_in_which_they_were_told() {
        let room = Room::open(Handle::current()).unwrap();
        let (seen, mut order) = mpsc::unbounded_channel();
        for number in 0..100 {
            let seen = seen.clone();
            room.tell(move || seen.send(number).unwrap());
        }
        for number in 0..100 {
            assert_eq!(order.recv().await, Some(number));
        }
    }

    #[tokio::test]
    async fn a_panic_of_an_author_is_an_answer() {
        let room = Room::open(Handle::current()).unwrap();
        let panicked = room.on_authors(async { panic!("no {}", "disk") }).await;
        assert_eq!(panicked.map_err(|panicked| panicked.0), Err::<(), _>("no disk".to_owned()));
    }
}
