//! `Connector` and its `Connection`: a communicator as a component, which builders reach through the host.
use std::{rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::connector_capnp::{connection, connection_outcome, connector as schema};
use tokio_util::sync::CancellationToken;

use crate::{
    artifact::flush,
    broken::{Broken, Trouble},
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
    value::{
        Context, Diagnostic, Prepared, failure, len, panicked, read_diagnostics, read_failure,
        write_diagnostics,
    },
};

/// Opens communicators of one type.
pub trait Connector: Send + Sync + 'static {
    /// What a configuration becomes.
    type Connection: Connection;

    /// Checks a configuration, JSON, and makes it ready to open. Has no effect outside (`prepare.pure`).
    fn prepare(
        &self,
        config: String,
        context: Context,
    ) -> impl Future<Output = Prepared<Self::Connection>> + Send;
}

/// A way to a machine that is ready to be opened, once.
pub trait Connection: Send + Sync + 'static {
    /// Opens it.
    fn open(self, run: ConnectionRun) -> impl Future<Output = ConnectionOutcome<OfferedCommunicator>> + Send;
}

/// What [`Connection::open`] may use.
#[derive(Debug)]
pub struct ConnectionRun {
    /// Where to say what happens.
    pub ui: RemoteUi,
    /// The host's services.
    pub environment: Option<RemoteEnvironment>,
    /// When to stop.
    pub cancellation: RemoteCancellation,
}

/// How the opening of a communicator ended.
#[derive(Debug)]
pub enum ConnectionOutcome<C> {
    /// It is open, until its own `close`.
    Communicator(C),
    /// It is not; at least one diagnostic is an error.
    Failed(Vec<Diagnostic>),
    /// It was cancelled.
    Cancelled,
}

impl ConnectionOutcome<RemoteCommunicator> {
    pub(crate) fn read(
        reader: connection_outcome::Reader<'_>,
        link: &Rc<LinkState>,
    ) -> Result<Self, Trouble> {
        match reader.which().map_err(|member| read::unknown("outcome", member))? {
            connection_outcome::Unset(()) => Err(read::unset("outcome")),
            connection_outcome::Communicator(client) => {
                let client = read::required(reader.has_communicator(), || client, "communicator")?;
                Ok(Self::Communicator(RemoteCommunicator(Remote::adopt(link, client))))
            }
            connection_outcome::Failed(diagnostics) => Ok(Self::Failed(read_failure(diagnostics)?)),
            connection_outcome::Cancelled(()) => Ok(Self::Cancelled),
        }
    }
}

impl ConnectionOutcome<OfferedCommunicator> {
    fn write(self, mut builder: connection_outcome::Builder<'_>, place: &Place) {
        match self {
            Self::Communicator(communicator) => match communicator.0.at(place) {
                Some(client) => builder.set_communicator(client),
                None => write_failure(vec![Diagnostic::error("the communicator is gone")], builder),
            },
            Self::Failed(diagnostics) => write_failure(failure(diagnostics), builder),
            Self::Cancelled => builder.set_cancelled(()),
        }
    }
}

fn write_failure(diagnostics: Vec<Diagnostic>, builder: connection_outcome::Builder<'_>) {
    let list = builder.init_failed(len(&diagnostics));
    write_diagnostics(diagnostics, list);
}

offered! {
    /// A [`Connector`] of ours.
    OfferedConnector: schema::Client
}

impl OfferedConnector {
    /// Offers `connector`.
    pub fn new(connector: impl Connector) -> Self {
        Self(Seed::serving(Arc::new(connector), |connector, place| {
            new_client(ServedConnector { connector, place })
        }))
    }
}

struct ServedConnector<C> {
    connector: Arc<C>,
    place: Place,
}

impl<C: Connector> schema::Server for ServedConnector<C> {
    async fn prepare(
        self: Rc<Self>,
        params: schema::PrepareParams,
        mut results: schema::PrepareResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let prepared = {
            let params = params.get()?;
            let call =
                |connector: Arc<C>, config, context| async move { connector.prepare(config, context).await };
            prepare(&self.place, &self.connector, params.get_config(), params.get_context(), call).await
        };
        if let Some(connection) = prepared.object {
            let place = Place::lasting(&self.place.link);
            let served = ServedConnection { connection: Once::new(connection), place };
            results.get().set_connection(new_client(served));
        }
        let list = results.get().init_diagnostics(len(&prepared.diagnostics));
        write_diagnostics(prepared.diagnostics, list);
        answered(results)
    }
}

struct ServedConnection<C> {
    connection: Once<C>,
    place: Place,
}

impl<C: Connection> connection::Server for ServedConnection<C> {
    async fn open(
        self: Rc<Self>,
        params: connection::OpenParams,
        mut results: connection::OpenResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let lent = ConnectionRun::read(params.get()?, &self.place.link)?;
        let outcome = match lent.and_then(|run| Ok((self.connection.take()?, run))) {
            Err(refusal) => ConnectionOutcome::Failed(refusal),
            Ok((connection, run)) => {
                let ui = run.ui.clone();
                let opened = self.place.room().on_authors(async move { connection.open(run).await }).await;
                flush(Some(ui)).await;
                opened.unwrap_or_else(|Panicked(text)| ConnectionOutcome::Failed(panicked(&text)))
            }
        };
        // The communicator lives on after this call.
        outcome.write(results.get().init_outcome(), &Place::lasting(&self.place.link));
        answered(results)
    }

    async fn close(
        self: Rc<Self>,
        _: connection::CloseParams,
        _: connection::CloseResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        self.connection.close();
        Ok(())
    }
}

impl ConnectionRun {
    fn read(
        reader: connection::open_params::Reader<'_>,
        link: &Rc<LinkState>,
    ) -> Result<Result<Self, Vec<Diagnostic>>, capnp::Error> {
        let ui = read::optional(reader.has_ui(), || reader.get_ui())?;
        let environment = read::optional(reader.has_environment(), || reader.get_environment())?;
        let cancellation = read::optional(reader.has_cancellation(), || reader.get_cancellation())?;
        let Some(ui) = ui else {
            return Ok(Err(not_lent("Ui")));
        };
        Ok(Ok(Self {
            ui: RemoteUi::adopt(link, ui),
            environment: environment.map(|client| RemoteEnvironment(Remote::adopt(link, client))),
            cancellation: RemoteCancellation::adopt(link, cancellation),
        }))
    }
}

remote! {
    /// A communicator component of a plugin.
    RemoteConnector: schema::Client
}

remote! {
    /// A way to a machine that a plugin has prepared, and opens once.
    RemoteConnection: connection::Client
}

/// What a host lends to the opening of a communicator.
#[derive(Debug, Clone)]
pub struct ConnectionLent {
    /// Where it says what happens.
    pub ui: OfferedUi,
    /// The host's services.
    pub environment: OfferedEnvironment,
    /// Stops it when it is cancelled.
    pub cancellation: CancellationToken,
}

impl RemoteConnector {
    /// Has a configuration checked and made ready.
    pub async fn prepare(
        &self,
        config: String,
        context: Context,
    ) -> Result<Prepared<RemoteConnection>, Broken> {
        self.0
            .call("Connector.prepare", Some(limits::PREPARE_WITHIN), move |Adopted { client, link }| {
                let mut request = client.prepare_request();
                request.get().set_config(config);
                context.write(request.get().init_context());
                let sent = send(request);
                async move {
                    let answer = sent?.await?;
                    let answer = answer.get()?;
                    let connection = read::optional(answer.has_connection(), || answer.get_connection())?;
                    let object = connection.map(|client| RemoteConnection(Remote::adopt(&link, client)));
                    let diagnostics = read_diagnostics(answer.get_diagnostics())?;
                    Prepared { diagnostics, object }.checked()
                }
            })
            .await
    }
}

impl RemoteConnection {
    /// Opens it. What is lent ends with the answer; the communicator lives until it is closed.
    pub async fn open(&self, lent: ConnectionLent) -> Result<ConnectionOutcome<RemoteCommunicator>, Broken> {
        self.0
            .call("Connection.open", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let ConnectionLent { ui, environment, cancellation } = lent;
                let mut request = client.open_request();
                let mut params = request.get();
                if let Some(ui) = ui.0.at(&place) {
                    params.set_ui(ui);
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
                    let answer = sent?.await?;
                    ConnectionOutcome::read(answer.get()?.get_outcome()?, &link)
                }
            })
            .await
    }

    /// Says that it will not be opened, or not be asked again.
    pub async fn close(&self) -> Result<(), Broken> {
        self.0
            .acknowledged("Connection.close", Some(limits::QUICK_WITHIN), |client| {
                send(client.close_request())
            })
            .await
    }
}
