//! `Provisioner` and its `Provision`: what happens on a machine.
use std::rc::Rc;

use packwire_schema::provisioner_capnp::{provision as work, provisioner as schema};
use tokio_util::sync::CancellationToken;

use crate::{
    broken::Broken,
    cancellation::{OfferedCancellation, RemoteCancellation},
    communicator::{OfferedCommunicator, RemoteCommunicator},
    environment::{OfferedEnvironment, RemoteEnvironment},
    link::LinkState,
    place::{Forward, Place, lend, offered, remote, send},
    prepare::{not_lent, prepared_kind},
    read,
    room::{Adopted, Remote},
    ui::{OfferedUi, RemoteUi},
    value::{Context, Diagnostic, Outcome, Prepared},
};

/// Does something to machines.
pub trait Provisioner: Send + Sync + 'static {
    /// What a configuration becomes.
    type Provision: Provision;

    /// Checks a configuration, JSON, and makes it ready to run. Has no effect outside (`prepare.pure`).
    fn prepare(
        &self,
        config: String,
        context: Context,
    ) -> impl Future<Output = Prepared<Self::Provision>> + Send;
}

/// Something to do to a machine, ready to run once.
pub trait Provision: Send + Sync + 'static {
    /// Does it, through the communicator alone (`provisioner.only-communicator`).
    fn run(self, run: ProvisionRun) -> impl Future<Output = Outcome> + Send;
}

/// What [`Provision::run`] may use.
#[derive(Debug)]
pub struct ProvisionRun {
    /// Where to say what happens.
    pub ui: RemoteUi,
    /// The way to the machine; `None` only for components that said that they need none.
    pub communicator: Option<RemoteCommunicator>,
    /// What the builder says of the machine: a JSON object.
    pub generated_data: String,
    /// The host's services.
    pub environment: Option<RemoteEnvironment>,
    /// When to stop.
    pub cancellation: RemoteCancellation,
}

offered! {
    /// A [`Provisioner`] of ours.
    OfferedProvisioner: schema::Client
}

prepared_kind! {
    Provisioner: OfferedProvisioner, RemoteProvisioner, "Provisioner.prepare";
    Provision: RemoteProvision, "Provision.close", set_provision, has_provision, get_provision;
    run(RunParams, RunResults): ProvisionRun -> Outcome
}

impl ProvisionRun {
    fn read(
        reader: work::run_params::Reader<'_>,
        link: &Rc<LinkState>,
    ) -> Result<Result<Self, Vec<Diagnostic>>, capnp::Error> {
        let ui = read::optional(reader.has_ui(), || reader.get_ui())?;
        let communicator = read::optional(reader.has_communicator(), || reader.get_communicator())?;
        let environment = read::optional(reader.has_environment(), || reader.get_environment())?;
        let cancellation = read::optional(reader.has_cancellation(), || reader.get_cancellation())?;
        let Some(ui) = ui else {
            return Ok(Err(not_lent("Ui")));
        };
        Ok(Ok(Self {
            ui: RemoteUi::adopt(link, ui),
            communicator: communicator.map(|client| RemoteCommunicator(Remote::adopt(link, client))),
            generated_data: read::text(reader.get_generated_data())?,
            environment: environment.map(|client| RemoteEnvironment(Remote::adopt(link, client))),
            cancellation: RemoteCancellation::adopt(link, cancellation),
        }))
    }
}

remote! {
    /// A provisioner of a plugin.
    RemoteProvisioner: schema::Client
}

remote! {
    /// What a plugin has prepared to do to a machine, and does once.
    RemoteProvision: work::Client
}

/// What a host lends to a provisioner.
#[derive(Debug, Clone)]
pub struct ProvisionLent {
    /// Where it says what happens.
    pub ui: OfferedUi,
    /// The way to the machine, where there is one.
    pub communicator: Option<OfferedCommunicator>,
    /// What the builder says of the machine: a JSON object.
    pub generated_data: String,
    /// The host's services.
    pub environment: OfferedEnvironment,
    /// Stops it when it is cancelled.
    pub cancellation: CancellationToken,
}

impl RemoteProvision {
    /// Does it. What is lent ends with the answer.
    pub async fn run(&self, lent: ProvisionLent) -> Result<Outcome, Broken> {
        self.0
            .call("Provision.run", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let ProvisionLent { ui, communicator, generated_data, environment, cancellation } = lent;
                let mut request = client.run_request();
                let mut params = request.get();
                params.set_generated_data(generated_data);
                let cancellation = OfferedCancellation::from(cancellation);
                lend!(params at &place;
                    set_ui: ui, set_environment: environment, set_cancellation: cancellation);
                if let Some(communicator) = communicator {
                    lend!(params at &place; set_communicator: communicator);
                }
                let sent = send(request);
                async move {
                    let _loan = loan;
                    Outcome::read(sent?.await?.get()?.get_outcome()?)
                }
            })
            .await
    }
}

impl Provision for Forward<RemoteProvision> {
    async fn run(self, run: ProvisionRun) -> Outcome {
        // Whoever lends a component on has services to lend with it.
        let Some(lent) = ProvisionLent::of(run) else { return Outcome::Failed(not_lent("Environment")) };
        self.0.run(lent).await.unwrap_or_else(|broken| Outcome::Failed(broken.into()))
    }
}

impl ProvisionLent {
    /// Lends on what was lent.
    fn of(run: ProvisionRun) -> Option<Self> {
        let ProvisionRun { ui, communicator, generated_data, environment, cancellation } = run;
        Some(Self {
            ui: (&ui).into(),
            communicator: communicator.as_ref().map(Into::into),
            generated_data,
            environment: environment.as_ref()?.into(),
            cancellation: cancellation.token().clone(),
        })
    }
}
