//! `Environment`: the host's services for one run. What they gave ends with the run.
use std::{rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::environment_capnp::environment as schema;

use crate::{
    broken::{Broken, Trouble},
    communicator::{OfferedCommunicator, RemoteCommunicator},
    place::{Place, Seed, answered, offered, remote, send, size},
    read,
    room::{Adopted, Panicked, Remote},
    value::{Diagnostic, failure, len, panicked, read_diagnostics, write_diagnostics},
};

/// The services of a host for one run.
pub trait Environment: Send + Sync + 'static {
    /// Opens a communicator of this type with this configuration, JSON.
    ///
    /// For builders; for others only where the template grants it.
    fn communicator(
        &self,
        kind: String,
        config: String,
    ) -> impl Future<Output = Result<OfferedCommunicator, Vec<Diagnostic>>> + Send;
}

offered! {
    /// An [`Environment`] that we lend.
    OfferedEnvironment: schema::Client
}

impl OfferedEnvironment {
    /// Lends `environment`.
    pub fn new(environment: impl Environment) -> Self {
        Self(Seed::serving(Arc::new(environment), |environment, place| {
            new_client(ServedEnvironment { environment, place })
        }))
    }
}

impl From<&RemoteEnvironment> for OfferedEnvironment {
    /// Lends on what was lent to us.
    fn from(environment: &RemoteEnvironment) -> Self {
        Self(Seed::passing(&environment.0))
    }
}

struct ServedEnvironment<E> {
    environment: Arc<E>,
    place: Place,
}

/// Answers for a service that this host does not lend, in the words of one that it may lend another day.
macro_rules! unavailable {
    ($($method:ident($params:ident, $results:ident): $service:literal;)*) => {$(
        async fn $method(
            self: Rc<Self>,
            _: schema::$params,
            mut results: schema::$results,
        ) -> Result<(), capnp::Error> {
            let _entered = self.place.enter(0)?;
            let unavailable = vec![Diagnostic::error(concat!("this host lends no ", $service))];
            write_diagnostics(unavailable, results.get().init_diagnostics(1));
            answered(results)
        }
    )*};
}

impl<E: Environment> schema::Server for ServedEnvironment<E> {
    async fn communicator(
        self: Rc<Self>,
        params: schema::CommunicatorParams,
        mut results: schema::CommunicatorResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let (kind, config) = {
            let params = params.get()?;
            (read::text(params.get_type())?, read::text(params.get_config())?)
        };
        let environment = self.environment.clone();
        let work = async move { environment.communicator(kind, config).await };
        let opened = tokio::select! {
            opened = self.place.room().on_authors(work) => opened,
            () = self.place.revoked.cancelled() => return Err(crate::place::revoked()),
        };
        match opened.unwrap_or_else(|Panicked(text)| Err(panicked(&text))) {
            Ok(communicator) => match communicator.0.at(&self.place) {
                Some(client) => results.get().set_communicator(client),
                None => {
                    let gone = vec![Diagnostic::error("the communicator's own plugin is gone")];
                    write_diagnostics(gone, results.get().init_diagnostics(1));
                }
            },
            Err(diagnostics) => {
                let diagnostics = failure(diagnostics);
                let list = results.get().init_diagnostics(len(&diagnostics));
                write_diagnostics(diagnostics, list);
            }
        }
        answered(results)
    }

    unavailable! {
        cache(CacheParams, CacheResults): "cache";
        remember(RememberParams, RememberResults): "ledger";
        temp_dir(TempDirParams, TempDirResults): "temporary directory";
        port(PortParams, PortResults): "port";
        serve(ServeParams, ServeResults): "HTTP server";
        key_pair(KeyPairParams, KeyPairResults): "key pair";
    }
}

remote! {
    /// The services of a host that were lent to us for one run.
    RemoteEnvironment: schema::Client
}

impl RemoteEnvironment {
    /// Opens a communicator of this type with this configuration, JSON; or says why not.
    ///
    /// Takes as long as the machine takes to be reachable; it ends at once when the run is cancelled.
    pub async fn communicator(
        &self,
        kind: impl Into<String>,
        config: impl Into<String>,
    ) -> Result<Result<RemoteCommunicator, Vec<Diagnostic>>, Broken> {
        let (kind, config) = (kind.into(), config.into());
        self.0
            .call("Environment.communicator", None, move |Adopted { client, link }| {
                let mut request = client.communicator_request();
                request.get().set_type(kind);
                request.get().set_config(config);
                let sent = send(request);
                async move {
                    let answer = sent?.await?;
                    let answer = answer.get()?;
                    let diagnostics = read_diagnostics(answer.get_diagnostics())?;
                    let communicator =
                        read::optional(answer.has_communicator(), || answer.get_communicator())?;
                    match communicator {
                        Some(client) => Ok(Ok(RemoteCommunicator(Remote::adopt(&link, client)))),
                        None if diagnostics.iter().any(Diagnostic::is_error) => Ok(Err(diagnostics)),
                        None => Err(Trouble::malformed("no communicator, and no error")),
                    }
                }
            })
            .await
    }
}
