//! `Provisioner` and its `Provision`: what happens on a machine.
use std::{rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::provisioner_capnp::{provision, provisioner as schema};
use tokio_util::sync::CancellationToken;

use crate::{
    artifact::flush,
    broken::Broken,
    cancellation::{OfferedCancellation, RemoteCancellation},
    communicator::{OfferedCommunicator, RemoteCommunicator},
    environment::{OfferedEnvironment, RemoteEnvironment},
    limits,
    link::LinkState,
    place::{Place, Seed, answered, offered, remote, send, size},
    prepare::{Once, not_lent, prepare},
    read,
    room::{Adopted, Panicked, Remote},
    ui::{OfferedUi, RemoteUi},
    value::{Context, Diagnostic, Outcome, Prepared, len, panicked, read_diagnostics, write_diagnostics},
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

impl OfferedProvisioner {
    /// Offers `provisioner`.
    pub fn new(provisioner: impl Provisioner) -> Self {
        Self(Seed::serving(Arc::new(provisioner), |provisioner, place| {
            new_client(ServedProvisioner { provisioner, place })
        }))
    }
}

struct ServedProvisioner<P> {
    provisioner: Arc<P>,
    place: Place,
}

impl<P: Provisioner> schema::Server for ServedProvisioner<P> {
    async fn prepare(
        self: Rc<Self>,
        params: schema::PrepareParams,
        mut results: schema::PrepareResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let prepared = {
            let params = params.get()?;
            let call = |provisioner: Arc<P>, config, context| async move {
                provisioner.prepare(config, context).await
            };
            prepare(&self.place, &self.provisioner, params.get_config(), params.get_context(), call).await
        };
        if let Some(provision) = prepared.object {
            let place = Place::lasting(&self.place.link);
            results
                .get()
                .set_provision(new_client(ServedProvision { provision: Once::new(provision), place }));
        }
        let list = results.get().init_diagnostics(len(&prepared.diagnostics));
        write_diagnostics(prepared.diagnostics, list);
        answered(results)
    }
}

struct ServedProvision<P> {
    provision: Once<P>,
    place: Place,
}

impl<P: Provision> provision::Server for ServedProvision<P> {
    async fn run(
        self: Rc<Self>,
        params: provision::RunParams,
        mut results: provision::RunResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let lent = ProvisionRun::read(params.get()?, &self.place.link)?;
        let outcome = match lent.and_then(|run| Ok((self.provision.take()?, run))) {
            Err(refusal) => Outcome::Failed(refusal),
            Ok((provision, run)) => {
                let ui = run.ui.clone();
                let ran = self.place.room().on_authors(async move { provision.run(run).await }).await;
                flush(Some(ui)).await;
                ran.unwrap_or_else(|Panicked(text)| Outcome::Failed(panicked(&text)))
            }
        };
        outcome.write(results.get().init_outcome());
        answered(results)
    }

    async fn close(
        self: Rc<Self>,
        _: provision::CloseParams,
        _: provision::CloseResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        self.provision.close();
        Ok(())
    }
}

impl ProvisionRun {
    fn read(
        reader: provision::run_params::Reader<'_>,
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
    RemoteProvision: provision::Client
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

impl RemoteProvisioner {
    /// Has a configuration checked and made ready.
    pub async fn prepare(
        &self,
        config: String,
        context: Context,
    ) -> Result<Prepared<RemoteProvision>, Broken> {
        self.0
            .call("Provisioner.prepare", Some(limits::PREPARE_WITHIN), move |Adopted { client, link }| {
                let mut request = client.prepare_request();
                request.get().set_config(config);
                context.write(request.get().init_context());
                let sent = send(request);
                async move {
                    let answer = sent?.await?;
                    let answer = answer.get()?;
                    let provision = read::optional(answer.has_provision(), || answer.get_provision())?;
                    let object = provision.map(|client| RemoteProvision(Remote::adopt(&link, client)));
                    let diagnostics = read_diagnostics(answer.get_diagnostics())?;
                    Prepared { diagnostics, object }.checked()
                }
            })
            .await
    }
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
                if let Some(ui) = ui.0.at(&place) {
                    params.set_ui(ui);
                }
                if let Some(communicator) = communicator.and_then(|offered| offered.0.at(&place)) {
                    params.set_communicator(communicator);
                }
                if let Some(environment) = environment.0.at(&place) {
                    params.set_environment(environment);
                }
                if let Some(cancellation) = OfferedCancellation::from(cancellation).0.at(&place) {
                    params.set_cancellation(cancellation);
                }
                let sent = send(request);
                async move {
                    let _loan = loan;
                    Outcome::read(sent?.await?.get()?.get_outcome()?)
                }
            })
            .await
    }

    /// Says that it will not be run, or not be asked again.
    pub async fn close(&self) -> Result<(), Broken> {
        self.0
            .acknowledged("Provision.close", Some(limits::QUICK_WITHIN), |client| {
                send(client.close_request())
            })
            .await
    }
}
