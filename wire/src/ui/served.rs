//! The owner's end: what a host's terminal does with what a component says.
use std::{rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::ui_capnp::{progress, reply, ui as schema};
use tokio::sync::{mpsc, oneshot};

use crate::{
    broken::Trouble,
    place::{Place, Seed, answered, offered, size},
    read,
    ui::RemoteUi,
};

/// What a host's terminal, or a test's, does with what a component says. Texts may be many lines.
///
/// The calls of one `Ui` arrive one after another, in order; only `ask` overlaps with others.
pub trait Ui: Send + Sync + 'static {
    /// A headline.
    fn say(&self, text: String) -> impl Future<Output = ()> + Send;
    /// A detail.
    fn message(&self, text: String) -> impl Future<Output = ()> + Send;
    /// An error.
    fn error(&self, text: String) -> impl Future<Output = ()> + Send;
    /// A line for programs.
    fn machine(&self, category: String, args: Vec<String>) -> impl Future<Output = ()> + Send;
    /// A question; `secret` answers are not echoed.
    fn ask(&self, query: String, secret: bool) -> impl Future<Output = Reply> + Send;
    /// Something that takes time: `total` bytes, 0 where that is unknown.
    fn progress(&self, label: String, total: u64) -> impl Future<Output = OfferedProgress> + Send;
    /// A text that is to appear nowhere in this run's output.
    fn mask(&self, secret: String) -> impl Future<Output = ()> + Send;
}

/// What a host shows of something that takes time.
pub trait Progress: Send + Sync + 'static {
    /// So many bytes are done; never fewer than before.
    fn update(&self, done: u64) -> impl Future<Output = ()> + Send;
    /// It is over, at the latest when the run answers.
    fn finish(&self) -> impl Future<Output = ()> + Send;
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// What the person typed.
    Answer(String),
    /// There is nobody to ask, or they refused; and why.
    Refused(String),
}

impl Reply {
    pub(crate) fn read(reader: reply::Reader<'_>) -> Result<Self, Trouble> {
        match reader.which().map_err(|member| read::unknown("reply", member))? {
            reply::Unset(()) => Err(read::unset("reply")),
            reply::Answer(text) => Ok(Self::Answer(read::text(text)?)),
            reply::Refused(why) => Ok(Self::Refused(read::text(why)?)),
        }
    }

    fn write(self, mut builder: reply::Builder<'_>) {
        match self {
            Self::Answer(text) => builder.set_answer(text),
            Self::Refused(why) => builder.set_refused(why),
        }
    }
}

offered! {
    /// A [`Ui`] that we lend.
    OfferedUi: schema::Client
}
offered! {
    /// A [`Progress`] that we lend.
    OfferedProgress: progress::Client
}

impl OfferedUi {
    /// Lends `ui`.
    pub fn new(ui: impl Ui) -> Self {
        Self(Seed::serving(Arc::new(ui), |ui, place| new_client(ServedUi::new(ui, &place))))
    }
}

impl From<&RemoteUi> for OfferedUi {
    /// Lends on what was lent to us.
    fn from(ui: &RemoteUi) -> Self {
        Self(Seed::passing(&ui.remote))
    }
}

impl OfferedProgress {
    /// Lends `progress`.
    pub fn new(progress: impl Progress) -> Self {
        Self(Seed::serving(Arc::new(progress), |progress, place| {
            new_client(ServedProgress { progress, place })
        }))
    }
}

type Turn = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

struct ServedUi<U> {
    ui: Arc<U>,
    place: Place,
    /// The calls, in the order in which they came.
    turns: mpsc::UnboundedSender<Turn>,
}

impl<U: Ui> ServedUi<U> {
    fn new(ui: Arc<U>, place: &Place) -> Self {
        let (turns, mut queue) = mpsc::unbounded_channel::<Turn>();
        place.room().start_on_authors(async move {
            while let Some(turn) = queue.recv().await {
                turn.await;
            }
        });
        Self { ui, place: place.clone(), turns }
    }

    /// Queues one call now, and yields its answer. The queue is bounded by what a peer may have open.
    fn turn<T, F, C>(
        &self,
        bytes: usize,
        call: C,
    ) -> impl Future<Output = Result<T, capnp::Error>> + 'static + use<U, T, F, C>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send,
        C: FnOnce(Arc<U>) -> F + Send + 'static,
    {
        let entered = self.place.enter(bytes);
        let (done, answer) = oneshot::channel();
        let ui = self.ui.clone();
        if entered.is_ok() {
            drop(self.turns.send(Box::pin(async move { drop(done.send(call(ui).await)) })));
        }
        async move {
            let _entered = entered?;
            answer.await.map_err(|_| capnp::Error::failed("the implementation of the Ui panicked".to_owned()))
        }
    }
}

impl<U: Ui> schema::Server for ServedUi<U> {
    fn say(
        self: Rc<Self>,
        params: schema::SayParams,
        _: schema::SayResults,
    ) -> impl Future<Output = Result<(), capnp::Error>> + 'static {
        let turn = params
            .get()
            .and_then(|params| read::text(params.get_text()))
            .map(|text| self.turn(text.len(), |ui| async move { ui.say(text).await }));
        async move { turn?.await }
    }

    fn message(
        self: Rc<Self>,
        params: schema::MessageParams,
        _: schema::MessageResults,
    ) -> impl Future<Output = Result<(), capnp::Error>> + 'static {
        let turn = params
            .get()
            .and_then(|params| read::text(params.get_text()))
            .map(|text| self.turn(text.len(), |ui| async move { ui.message(text).await }));
        async move { turn?.await }
    }

    fn error(
        self: Rc<Self>,
        params: schema::ErrorParams,
        _: schema::ErrorResults,
    ) -> impl Future<Output = Result<(), capnp::Error>> + 'static {
        let turn = params
            .get()
            .and_then(|params| read::text(params.get_text()))
            .map(|text| self.turn(text.len(), |ui| async move { ui.error(text).await }));
        async move { turn?.await }
    }

    fn machine(
        self: Rc<Self>,
        params: schema::MachineParams,
        _: schema::MachineResults,
    ) -> impl Future<Output = Result<(), capnp::Error>> + 'static {
        let read = params.get().and_then(|reader| {
            Ok((read::text(reader.get_category())?, read::texts(reader.get_args())?, size(&params)))
        });
        let turn = read.map(|(category, args, bytes)| {
            self.turn(bytes, |ui| async move { ui.machine(category, args).await })
        });
        async move { turn?.await }
    }

    async fn ask(
        self: Rc<Self>,
        params: schema::AskParams,
        mut results: schema::AskResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let (query, secret) = {
            let params = params.get()?;
            (read::text(params.get_query())?, params.get_secret())
        };
        let ui = self.ui.clone();
        let reply = self.place.ask_author(async move { ui.ask(query, secret).await });
        let reply = tokio::select! {
            reply = reply => reply?,
            () = self.place.revoked.cancelled() => return Err(crate::place::revoked()),
        };
        reply.write(results.get().init_reply());
        answered(results)
    }

    fn progress(
        self: Rc<Self>,
        params: schema::ProgressParams,
        mut results: schema::ProgressResults,
    ) -> impl Future<Output = Result<(), capnp::Error>> + 'static {
        let turn = params
            .get()
            .and_then(|params| Ok((read::text(params.get_label())?, params.get_total())))
            .map(|(label, total)| {
                self.turn(label.len(), move |ui| async move { ui.progress(label, total).await })
            });
        async move {
            let progress = turn?.await?;
            if let Some(client) = progress.0.at(&self.place) {
                results.get().set_progress(client);
            }
            answered(results)
        }
    }

    fn mask(
        self: Rc<Self>,
        params: schema::MaskParams,
        _: schema::MaskResults,
    ) -> impl Future<Output = Result<(), capnp::Error>> + 'static {
        let turn = params
            .get()
            .and_then(|params| read::text(params.get_secret()))
            .map(|secret| self.turn(secret.len(), |ui| async move { ui.mask(secret).await }));
        async move { turn?.await }
    }
}

struct ServedProgress<P> {
    progress: Arc<P>,
    place: Place,
}

impl<P: Progress> progress::Server for ServedProgress<P> {
    async fn update(
        self: Rc<Self>,
        params: progress::UpdateParams,
        _: progress::UpdateResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let (progress, done) = (self.progress.clone(), params.get()?.get_done());
        self.place.ask_author(async move { progress.update(done).await }).await
    }

    async fn finish(
        self: Rc<Self>,
        _: progress::FinishParams,
        _: progress::FinishResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let progress = self.progress.clone();
        self.place.ask_author(async move { progress.finish().await }).await
    }
}
