//! The services of one run: what it asks for, as `Environment` lends it.

use packwire_wire::{Diagnostic, Environment, KeyPair, Leased, OfferedCommunicator, OfferedLedgerEntry};

use super::Services;
use super::directory::TempDirectory;
use super::holdings::Given;
use super::http::Server;
use super::key_pair::KeyType;
use super::port::PortLease;
use super::remembered::{Line, thing};
use crate::catalog::Kind;

/// What a service answers.
type Answer<T> = Result<T, Vec<Diagnostic>>;

impl Environment for Services {
    async fn communicator(&self, kind: String, config: String) -> Answer<OfferedCommunicator> {
        let _request = self.request().await?;
        if !self.0.grants_communicators {
            let how = "a template grants it with `\"grant\": [\"communicator\"]` beside the component's type";
            let why = "communicators are lent to builders, and to others where the template grants it";
            return Err(vec![Diagnostic::error(why).with_detail(how)]);
        }
        self.unless_cancelled(self.connect(&kind, &config)).await
    }

    async fn cache(&self, key: String, shared: bool) -> Answer<Leased<String>> {
        let _request = self.request().await?;
        let lease = self.0.stock.cache.lease(&self.0.caller, &key, shared);
        let lease = self.unless_cancelled(async { lease.await.map_err(refused) }).await?;
        let path = text(lease.path())?;
        self.lease(path, Given::Cached(lease)).await
    }

    async fn remember(&self, entry: String) -> Answer<OfferedLedgerEntry> {
        let _request = self.request().await?;
        let maker = self.maker()?.clone();
        if matches!(maker.kind, Kind::Communicator | Kind::Command) {
            // A builder or a person configures it, in words that no template has.
            let why = format!("a {} has no configuration that can be made anew", maker.kind);
            return Err(refused(format!("{why}: what it makes goes with it")));
        }
        let secrets = self.0.ui.terminal().secrets().clone();
        let kept = self.0.stock.ledger.remember(thing(&maker, entry, &secrets)?).await.map_err(refused)?;
        let line = Line { kept, maker, secrets };
        self.written(line.clone());
        Ok(OfferedLedgerEntry::new(line))
    }

    async fn temp_dir(&self) -> Answer<Leased<String>> {
        let _request = self.request().await?;
        let directory = self.directory().await?;
        let path = text(directory.path())?;
        self.lease(path, Given::Directory(directory)).await
    }

    async fn port(&self, min: u16, max: u16) -> Answer<Leased<u16>> {
        let _request = self.request().await?;
        let ports = self.0.stock.places.ports.clone();
        let taken = off_the_runtime(move || PortLease::take(ports.as_deref(), min, max)).await?;
        self.lease(taken.port(), Given::Port(taken)).await
    }

    async fn serve(&self, directory: String, bind: String) -> Answer<Leased<u16>> {
        let _request = self.request().await?;
        let server = Server::start(directory.as_ref(), &bind).await.map_err(refused)?;
        self.lease(server.port(), Given::Server(server)).await
    }

    async fn key_pair(&self, kind: String) -> Answer<Leased<KeyPair>> {
        let _request = self.request().await?;
        let kind = KeyType::of(&kind).map_err(refused)?;
        let directory = self.directory().await?;
        let path = directory.path().join("key");
        let private_key_path = text(&path)?;
        // Kept first: whatever becomes of the keys, their directory goes with the run.
        let leased = self.lease((), Given::Directory(directory)).await?;
        let public_key = self.unless_cancelled(off_the_runtime(move || kind.make(&path))).await?;
        Ok(Leased { given: KeyPair { public_key, private_key_path }, lease: leased.lease })
    }
}

impl Services {
    async fn directory(&self) -> Answer<TempDirectory> {
        let maker = self.maker()?.clone();
        let (places, ledger) = (&self.0.stock.places, &self.0.stock.ledger);
        TempDirectory::make(&places.temporary, ledger, maker).await.map_err(refused)
    }

    async fn lease<T>(&self, given: T, held: Given) -> Answer<Leased<T>> {
        let lease = self.0.holdings.keep(held).await.map_err(refused)?;
        Ok(Leased { given, lease })
    }

    /// What is asked for, unless the run is cancelled, or over, before it is there.
    async fn unless_cancelled<T>(&self, asked: impl Future<Output = Answer<T>>) -> Answer<T> {
        tokio::select! {
            biased;
            answer = asked => answer,
            () = self.0.cancelled.cancelled() => Err(refused("it was cancelled")),
            () = self.0.over.cancelled() => Err(refused("the run is over")),
        }
    }
}

/// A service is refused, for this reason.
pub(super) fn refused(why: impl ToString) -> Vec<Diagnostic> {
    vec![Diagnostic::error(why.to_string())]
}

fn text(path: &std::path::Path) -> Answer<String> {
    let text = path.to_str().map(ToOwned::to_owned);
    text.ok_or_else(|| refused(format!("{} is no UTF-8", path.display())))
}

/// Work that waits for the disk, or computes, is none for the runtime's threads.
async fn off_the_runtime<T: Send + 'static, E: ToString + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Answer<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|why| refused(why.to_string())),
        Err(error) => Err(refused(error)),
    }
}
