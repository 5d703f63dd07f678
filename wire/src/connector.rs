//! `Connector` and its `Connection`: a communicator as a component, which builders reach through the host.
use std::rc::Rc;

use packwire_schema::connector_capnp::{connection as work, connection_outcome, connector as schema};
use tokio_util::sync::CancellationToken;

use crate::{
    broken::{Broken, Trouble},
    cancellation::{OfferedCancellation, RemoteCancellation},
    communicator::{OfferedCommunicator, RemoteCommunicator},
    environment::{OfferedEnvironment, RemoteEnvironment},
    link::LinkState,
    place::{Forward, Place, lend, offered, remote, send},
    prepare::{Answer, not_lent, prepared_kind},
    read,
    room::{Adopted, Remote},
    ui::{OfferedUi, RemoteUi},
    value::{Context, Diagnostic, Prepared, read_failure, write_failed},
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

impl Answer for ConnectionOutcome<OfferedCommunicator> {
    type Struct = connection_outcome::Owned;

    fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Failed(diagnostics)
    }

    /// The communicator lives on after the call: its place is that of what was prepared.
    fn write(self, mut builder: connection_outcome::Builder<'_>, place: &Place) {
        match self {
            Self::Communicator(communicator) => match communicator.0.at(place) {
                Some(client) => builder.set_communicator(client),
                None => write_failed!(builder, vec![Diagnostic::error("the communicator is gone")]),
            },
            Self::Failed(diagnostics) => write_failed!(builder, diagnostics),
            Self::Cancelled => builder.set_cancelled(()),
        }
    }
}

offered! {
    /// A [`Connector`] of ours.
    OfferedConnector: schema::Client
}

prepared_kind! {
    Connector: OfferedConnector, RemoteConnector, "Connector.prepare";
    Connection: RemoteConnection, "Connection.close", set_connection, has_connection, get_connection;
    open(OpenParams, OpenResults): ConnectionRun -> ConnectionOutcome<OfferedCommunicator>
}

impl ConnectionRun {
    fn read(
        reader: work::open_params::Reader<'_>,
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
    RemoteConnection: work::Client
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

impl RemoteConnection {
    /// Opens it. What is lent ends with the answer; the communicator lives until it is closed.
    pub async fn open(&self, lent: ConnectionLent) -> Result<ConnectionOutcome<RemoteCommunicator>, Broken> {
        self.0
            .call("Connection.open", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let ConnectionLent { ui, environment, cancellation } = lent;
                let mut request = client.open_request();
                let mut params = request.get();
                let cancellation = OfferedCancellation::from(cancellation);
                lend!(params at &place;
                    set_ui: ui, set_environment: environment, set_cancellation: cancellation);
                let sent = send(request);
                async move {
                    let _loan = loan;
                    let answer = sent?.await?;
                    ConnectionOutcome::read(answer.get()?.get_outcome()?, &link)
                }
            })
            .await
    }
}

impl Connection for Forward<RemoteConnection> {
    async fn open(self, run: ConnectionRun) -> ConnectionOutcome<OfferedCommunicator> {
        let ConnectionRun { ui, environment, cancellation } = run;
        let Some(environment) = environment else {
            return ConnectionOutcome::Failed(not_lent("Environment"));
        };
        let (ui, environment) = ((&ui).into(), (&environment).into());
        let lent = ConnectionLent { ui, environment, cancellation: cancellation.token().clone() };
        match self.0.open(lent).await {
            Ok(ConnectionOutcome::Communicator(communicator)) => {
                ConnectionOutcome::Communicator((&communicator).into())
            }
            Ok(ConnectionOutcome::Failed(diagnostics)) => ConnectionOutcome::Failed(diagnostics),
            Ok(ConnectionOutcome::Cancelled) => ConnectionOutcome::Cancelled,
            Err(broken) => ConnectionOutcome::Failed(broken.into()),
        }
    }
}
