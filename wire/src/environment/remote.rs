//! The plugin's end: the services of a host that were lent to a run.
use capnp::{capability::Request, traits::Owned};
use packwire_schema::environment_capnp::environment as schema;

use super::{Held, KeyPair, RemoteLease, RemoteLedgerEntry};
use crate::{
    broken::{Broken, Trouble},
    communicator::RemoteCommunicator,
    place::{remote, send},
    read,
    room::{Adopted, Remote},
    value::{Diagnostic, read_diagnostics},
};

/// What a service answered: what it gave, or why it did not.
type Answered<T> = Result<Result<T, Vec<Diagnostic>>, Broken>;

remote! {
    /// The services of a host that were lent to us for one run. What they give ends with it.
    RemoteEnvironment: schema::Client
}

/// A request with its parameters.
fn with<P: Owned, R>(mut request: Request<P, R>, fill: impl FnOnce(P::Builder<'_>)) -> Request<P, R> {
    fill(request.get());
    request
}

/// Calls one service; what it gave is read with its capability, unless the answer says why there is none.
macro_rules! service {
    (
        $self:ident, $call:literal, |$client:ident| $request:expr;
        $has:ident, $get:ident => |$answer:ident, $given:ident| $read:expr
    ) => {
        $self
            .0
            .call($call, None, move |Adopted { client: $client, link }| {
                let sent = send($request);
                async move {
                    let answer = sent?.await?;
                    let $answer = answer.get()?;
                    let diagnostics = read_diagnostics($answer.get_diagnostics())?;
                    match read::optional($answer.$has(), || $answer.$get())? {
                        _ if diagnostics.iter().any(Diagnostic::is_error) => Ok(Err(diagnostics)),
                        None => Err(Trouble::malformed("it gave nothing, and no error")),
                        Some(given) => {
                            let $given = Remote::adopt(&link, given);
                            Ok(Ok($read))
                        }
                    }
                }
            })
            .await
    };
}

impl RemoteEnvironment {
    /// Opens a communicator of this type with this configuration, JSON; or says why not.
    ///
    /// Takes as long as the machine takes to be reachable; it ends at once when the run is cancelled.
    pub async fn communicator(
        &self,
        kind: impl Into<String>,
        config: impl Into<String>,
    ) -> Answered<RemoteCommunicator> {
        let (kind, config) = (kind.into(), config.into());
        service!(self, "Environment.communicator",
            |client| with(client.communicator_request(), |mut params| {
                params.set_type(kind);
                params.set_config(config);
            });
            has_communicator, get_communicator => |answer, client| RemoteCommunicator(client))
    }

    /// A path in the host's cache for `key`, absolute; to read beside others (`shared`), or alone, to write, for which
    /// it waits.
    pub async fn cache(&self, key: impl Into<String>, shared: bool) -> Answered<Held<String>> {
        let key = key.into();
        service!(self, "Environment.cache",
            |client| with(client.cache_request(), |mut params| {
                params.set_key(key);
                params.set_shared(shared);
            });
            has_lease, get_lease => |answer, lease| Held { given: read::text(answer.get_path())?, lease: RemoteLease(lease) })
    }

    /// Writes down what is about to be made and outlives a crash. The text comes back to the component's recovery, and
    /// holds no secret.
    pub async fn remember(&self, entry: impl Into<String>) -> Answered<RemoteLedgerEntry> {
        let entry = entry.into();
        service!(self, "Environment.remember",
            |client| with(client.remember_request(), |mut params| {
                params.set_entry(entry);
            });
            has_entry, get_entry => |answer, entry| RemoteLedgerEntry(entry))
    }

    /// A new empty directory, absolute, which the host removes.
    pub async fn temp_dir(&self) -> Answered<Held<String>> {
        service!(self, "Environment.tempDir",
            |client| client.temp_dir_request();
            has_lease, get_lease => |answer, lease| Held { given: read::text(answer.get_path())?, lease: RemoteLease(lease) })
    }

    /// A TCP port of this machine from `min` to `max`, both included.
    pub async fn port(&self, min: u16, max: u16) -> Answered<Held<u16>> {
        service!(self, "Environment.port",
            |client| with(client.port_request(), |mut params| {
                params.set_min(min);
                params.set_max(max);
            });
            has_lease, get_lease => |answer, lease| Held { given: answer.get_port(), lease: RemoteLease(lease) })
    }

    /// Serves the files below `directory` over HTTP, read only, on the address `bind`; answers the port.
    pub async fn serve(&self, directory: impl Into<String>, bind: impl Into<String>) -> Answered<Held<u16>> {
        let (directory, bind) = (directory.into(), bind.into());
        service!(self, "Environment.serve",
            |client| with(client.serve_request(), |mut params| {
                params.set_directory(directory);
                params.set_bind(bind);
            });
            has_lease, get_lease => |answer, lease| Held { given: answer.get_port(), lease: RemoteLease(lease) })
    }

    /// A new key pair: `ed25519`, `rsa`.
    pub async fn key_pair(&self, kind: impl Into<String>) -> Answered<Held<KeyPair>> {
        let kind = kind.into();
        service!(self, "Environment.keyPair",
            |client| with(client.key_pair_request(), |mut params| {
                params.set_type(kind);
            });
            has_lease, get_lease => |answer, lease| {
            let public_key = read::text(answer.get_public_key())?;
            let private_key_path = read::text(answer.get_private_key_path())?;
            Held { given: KeyPair { public_key, private_key_path }, lease: RemoteLease(lease) }
        })
    }
}
