//! The host's end: the services that it lends to a run.
use std::{rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::{environment_capnp::environment as schema, work_capnp::diagnostic};

use super::{KeyPair, Leased, OfferedLedgerEntry, RemoteEnvironment};
use crate::{
    communicator::OfferedCommunicator,
    place::{Place, Seed, answered, lend, offered, size},
    read,
    room::Panicked,
    value::{Diagnostic, failure, len, panicked, write_diagnostics},
};

/// What a service answers: what it gives, or why it does not.
type Given<T> = Result<T, Vec<Diagnostic>>;

/// The services of a host for one run. A host that does not have one of them says so.
///
/// An implementation ends what it gave with the run: also what it was about to give when the run ended.
pub trait Environment: Send + Sync + 'static {
    /// Opens a communicator of this type with this configuration, JSON.
    ///
    /// For builders; for others only where the template grants it.
    fn communicator(
        &self,
        kind: String,
        config: String,
    ) -> impl Future<Output = Given<OfferedCommunicator>> + Send;

    /// A path in the cache for `key`, absolute; to read beside others (`shared`), or alone, to write.
    fn cache(&self, key: String, shared: bool) -> impl Future<Output = Given<Leased<String>>> + Send {
        drop((key, shared));
        lacking("cache")
    }

    /// Writes down, before it is made, what outlives a crash; on disk when this answers.
    fn remember(&self, entry: String) -> impl Future<Output = Given<OfferedLedgerEntry>> + Send {
        drop(entry);
        lacking("ledger")
    }

    /// A new empty directory, absolute.
    fn temp_dir(&self) -> impl Future<Output = Given<Leased<String>>> + Send {
        lacking("temporary directory")
    }

    /// A TCP port from `min` to `max` that no other run of this host has.
    fn port(&self, min: u16, max: u16) -> impl Future<Output = Given<Leased<u16>>> + Send {
        let _range = min..=max;
        lacking("port")
    }

    /// Serves a directory over HTTP, read only, on the address `bind`; answers the port.
    fn serve(&self, directory: String, bind: String) -> impl Future<Output = Given<Leased<u16>>> + Send {
        drop((directory, bind));
        lacking("HTTP server")
    }

    /// A new key pair: `ed25519`, `rsa`.
    fn key_pair(&self, kind: String) -> impl Future<Output = Given<Leased<KeyPair>>> + Send {
        drop(kind);
        lacking("key pair")
    }
}

fn lacking<T: Send>(service: &str) -> impl Future<Output = Given<T>> + Send + use<T> {
    std::future::ready(Err(vec![Diagnostic::error(format!("this host lends no {service}"))]))
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

impl<E: Environment> ServedEnvironment<E> {
    /// Asks the host's own code, as long as the run lasts.
    async fn ask<T: Send + 'static, F: Future<Output = Given<T>> + Send>(
        &self,
        ask: impl FnOnce(Arc<E>) -> F + Send + 'static,
    ) -> Result<Given<T>, capnp::Error> {
        let environment = self.environment.clone();
        let asked = self.place.room().on_authors(async move { ask(environment).await });
        let given = tokio::select! {
            given = asked => given,
            () = self.place.revoked.cancelled() => return Err(crate::place::revoked()),
        };
        Ok(given.unwrap_or_else(|Panicked(text)| Err(panicked(&text))))
    }
}

/// Says why there is nothing.
fn refuse<'a>(
    diagnostics: Vec<Diagnostic>,
    init: impl FnOnce(u32) -> capnp::struct_list::Builder<'a, diagnostic::Owned>,
) {
    let diagnostics = failure(diagnostics);
    let list = init(len(&diagnostics));
    write_diagnostics(diagnostics, list);
}

/// Serves one service: asks for it, and writes what it gives into the answer, or why it gives nothing.
macro_rules! service {
    ($self:ident, $params:ident, $results:ident: $ask:expr => |$given:ident, $answer:ident| $write:block) => {{
        let _entered = $self.place.enter(size(&$params))?;
        match $self.ask($ask).await? {
            Ok($given) => {
                let mut $answer = $results.get();
                $write
            }
            Err(diagnostics) => {
                let answer = $results.get();
                refuse(diagnostics, |len| answer.init_diagnostics(len));
            }
        }
        answered($results)
    }};
}

impl<E: Environment> schema::Server for ServedEnvironment<E> {
    async fn communicator(
        self: Rc<Self>,
        params: schema::CommunicatorParams,
        mut results: schema::CommunicatorResults,
    ) -> Result<(), capnp::Error> {
        let (kind, config) = {
            let params = params.get()?;
            (read::text(params.get_type())?, read::text(params.get_config())?)
        };
        service!(self, params, results:
        |environment: Arc<E>| async move { environment.communicator(kind, config).await }
        => |communicator, answer| {
            match communicator.0.at(&self.place) {
                Some(client) => answer.set_communicator(client),
                None => {
                    let gone = vec![Diagnostic::error("the communicator's own plugin is gone")];
                    refuse(gone, |len| answer.init_diagnostics(len));
                }
            }
        })
    }

    async fn cache(
        self: Rc<Self>,
        params: schema::CacheParams,
        mut results: schema::CacheResults,
    ) -> Result<(), capnp::Error> {
        let (key, shared) = {
            let params = params.get()?;
            (read::text(params.get_key())?, params.get_shared())
        };
        service!(self, params, results:
        move |environment: Arc<E>| async move { environment.cache(key, shared).await }
        => |leased, answer| {
            answer.set_path(leased.given);
            lend!(answer at &self.place; set_lease: leased.lease);
        })
    }

    async fn remember(
        self: Rc<Self>,
        params: schema::RememberParams,
        mut results: schema::RememberResults,
    ) -> Result<(), capnp::Error> {
        let entry = read::text(params.get()?.get_entry())?;
        service!(self, params, results:
            |environment: Arc<E>| async move { environment.remember(entry).await }
            => |entry, answer| { lend!(answer at &self.place; set_entry: entry); })
    }

    async fn temp_dir(
        self: Rc<Self>,
        params: schema::TempDirParams,
        mut results: schema::TempDirResults,
    ) -> Result<(), capnp::Error> {
        service!(self, params, results:
        |environment: Arc<E>| async move { environment.temp_dir().await }
        => |leased, answer| {
            answer.set_path(leased.given);
            lend!(answer at &self.place; set_lease: leased.lease);
        })
    }

    async fn port(
        self: Rc<Self>,
        params: schema::PortParams,
        mut results: schema::PortResults,
    ) -> Result<(), capnp::Error> {
        let (min, max) = {
            let params = params.get()?;
            (params.get_min(), params.get_max())
        };
        service!(self, params, results:
        move |environment: Arc<E>| async move { environment.port(min, max).await }
        => |leased, answer| {
            answer.set_port(leased.given);
            lend!(answer at &self.place; set_lease: leased.lease);
        })
    }

    async fn serve(
        self: Rc<Self>,
        params: schema::ServeParams,
        mut results: schema::ServeResults,
    ) -> Result<(), capnp::Error> {
        let (directory, bind) = {
            let params = params.get()?;
            (read::text(params.get_directory())?, read::text(params.get_bind())?)
        };
        service!(self, params, results:
        |environment: Arc<E>| async move { environment.serve(directory, bind).await }
        => |leased, answer| {
            answer.set_port(leased.given);
            lend!(answer at &self.place; set_lease: leased.lease);
        })
    }

    async fn key_pair(
        self: Rc<Self>,
        params: schema::KeyPairParams,
        mut results: schema::KeyPairResults,
    ) -> Result<(), capnp::Error> {
        let kind = read::text(params.get()?.get_type())?;
        service!(self, params, results:
        |environment: Arc<E>| async move { environment.key_pair(kind).await }
        => |leased, answer| {
            let KeyPair { public_key, private_key_path } = leased.given;
            answer.set_public_key(public_key);
            answer.set_private_key_path(private_key_path);
            lend!(answer at &self.place; set_lease: leased.lease);
        })
    }
}
