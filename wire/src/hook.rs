//! `Hook`: lent by the host to a builder, which calls it when its machine is up; or offered by a plugin.
use std::{rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::hook_capnp::hook as schema;

use crate::{
    artifact::flush,
    broken::Broken,
    cancellation::{OfferedCancellation, RemoteCancellation},
    communicator::{OfferedCommunicator, RemoteCommunicator},
    environment::{OfferedEnvironment, RemoteEnvironment},
    link::LinkState,
    place::{Forward, Place, Seed, answered, lend, offered, remote, send, size},
    read,
    room::{Adopted, Panicked, Remote},
    ui::{OfferedUi, RemoteUi},
    value::{Outcome, panicked},
};

/// The machine is up: the provisioners run now. Called once, also without provisioners.
pub const PROVISION: &str = "packer_provision";
/// Provisioning failed, and the machine is about to go.
pub const CLEANUP_PROVISION: &str = "packer_cleanup_provision";

/// What happens at an event.
pub trait Hook: Send + Sync + 'static {
    /// Runs what belongs to `run.event`.
    fn run(&self, run: HookRun) -> impl Future<Output = Outcome> + Send;
}

/// What [`Hook::run`] may use.
#[derive(Debug)]
pub struct HookRun {
    /// [`PROVISION`], [`CLEANUP_PROVISION`] or another.
    pub event: String,
    /// Where to say what happens.
    pub ui: Option<RemoteUi>,
    /// The way to the machine, where there is one.
    pub communicator: Option<RemoteCommunicator>,
    /// The generated data: a JSON object.
    pub data: String,
    /// The host's services, where the caller has any to give.
    pub environment: Option<RemoteEnvironment>,
    /// When to stop.
    pub cancellation: RemoteCancellation,
}

impl HookRun {
    fn read(reader: schema::run_params::Reader<'_>, link: &Rc<LinkState>) -> Result<Self, capnp::Error> {
        let ui = read::optional(reader.has_ui(), || reader.get_ui())?;
        let communicator = read::optional(reader.has_communicator(), || reader.get_communicator())?;
        let environment = read::optional(reader.has_environment(), || reader.get_environment())?;
        let cancellation = read::optional(reader.has_cancellation(), || reader.get_cancellation())?;
        Ok(Self {
            event: read::text(reader.get_event())?,
            ui: ui.map(|ui| RemoteUi::adopt(link, ui)),
            communicator: communicator.map(|client| RemoteCommunicator(Remote::adopt(link, client))),
            data: read::text(reader.get_data())?,
            environment: environment.map(|client| RemoteEnvironment(Remote::adopt(link, client))),
            cancellation: RemoteCancellation::adopt(link, cancellation),
        })
    }
}

offered! {
    /// A [`Hook`] of ours.
    OfferedHook: schema::Client
}

impl OfferedHook {
    /// Offers `hook`.
    pub fn new(hook: impl Hook) -> Self {
        Self(Seed::serving(Arc::new(hook), |hook, place| new_client(ServedHook { hook, place })))
    }
}

impl From<&RemoteHook> for OfferedHook {
    /// Lends on what was lent to us.
    fn from(hook: &RemoteHook) -> Self {
        Self(Seed::passing(&hook.0))
    }
}

impl From<RemoteHook> for OfferedHook {
    /// Lends on what a plugin offers, for as long as it is lent.
    fn from(hook: RemoteHook) -> Self {
        Self::new(Forward(hook))
    }
}

impl Hook for Forward<RemoteHook> {
    async fn run(&self, run: HookRun) -> Outcome {
        let HookRun { event, ui, communicator, data, environment, cancellation } = run;
        let lent = HookLent {
            ui: ui.as_ref().map(Into::into),
            communicator: communicator.as_ref().map(Into::into),
            data,
            environment: environment.as_ref().map(Into::into),
            cancellation: cancellation.offer(),
        };
        self.0.run(event, lent).await.unwrap_or_else(|broken| Outcome::Failed(broken.into()))
    }
}

struct ServedHook<H> {
    hook: Arc<H>,
    place: Place,
}

impl<H: Hook> schema::Server for ServedHook<H> {
    async fn run(
        self: Rc<Self>,
        params: schema::RunParams,
        mut results: schema::RunResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let run = HookRun::read(params.get()?, &self.place.link)?;
        let (hook, ui) = (self.hook.clone(), run.ui.clone());
        let ran = self.place.room().on_authors(async move { hook.run(run).await }).await;
        flush(ui).await;
        ran.unwrap_or_else(|Panicked(text)| Outcome::Failed(panicked(&text)))
            .write(results.get().init_outcome());
        answered(results)
    }
}

remote! {
    /// A hook of the peer's.
    RemoteHook: schema::Client
}

/// What the caller of a hook lends to it.
#[derive(Debug, Clone)]
pub struct HookLent {
    /// Where to say what happens.
    pub ui: Option<OfferedUi>,
    /// The way to the machine, where there is one.
    pub communicator: Option<OfferedCommunicator>,
    /// The generated data: a JSON object.
    pub data: String,
    /// The host's services, where the caller has any to give.
    pub environment: Option<OfferedEnvironment>,
    /// When to stop.
    pub cancellation: OfferedCancellation,
}

impl RemoteHook {
    /// Runs what belongs to `event`.
    pub async fn run(&self, event: impl Into<String>, lent: HookLent) -> Result<Outcome, Broken> {
        let event = event.into();
        self.0
            .call("Hook.run", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let HookLent { ui, communicator, data, environment, cancellation } = lent;
                let mut request = client.run_request();
                let mut params = request.get();
                params.set_event(event);
                params.set_data(data);
                if let Some(ui) = ui {
                    lend!(params at &place; set_ui: ui);
                }
                if let Some(communicator) = communicator {
                    lend!(params at &place; set_communicator: communicator);
                }
                if let Some(environment) = environment {
                    lend!(params at &place; set_environment: environment);
                }
                lend!(params at &place; set_cancellation: cancellation);
                let sent = send(request);
                async move {
                    let _loan = loan;
                    Outcome::read(sent?.await?.get()?.get_outcome()?)
                }
            })
            .await
    }
}
