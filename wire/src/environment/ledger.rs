//! `LedgerEntry`: one line in the host's book of things that outlive a crash.
use std::{rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::environment_capnp::ledger_entry as schema;

use crate::{
    broken::{Broken, Trouble},
    limits,
    place::{Forward, Place, Seed, answered, offered, remote, send, size},
    read,
    room::{Adopted, Panicked},
    value::{Diagnostic, failure, len, panicked, read_diagnostics, write_diagnostics},
};

/// One line in the book, as the host keeps it.
pub trait LedgerEntry: Send + Sync + 'static {
    /// The new text replaces the old one; on disk when this answers.
    fn update(&self, text: String) -> impl Future<Output = Result<(), Vec<Diagnostic>>> + Send;

    /// The thing is gone, or stays on purpose: struck out on disk when this answers. What went wrong is told to the
    /// caller as an exception, since the answer has no place for it.
    fn settle(&self) -> impl Future<Output = Result<(), String>> + Send;
}

offered! {
    /// A [`LedgerEntry`] of ours.
    OfferedLedgerEntry: schema::Client
}

remote! {
    /// Our line in the host's book of things that outlive a crash.
    RemoteLedgerEntry: schema::Client
}

impl OfferedLedgerEntry {
    /// Gives `entry`.
    pub fn new(entry: impl LedgerEntry) -> Self {
        Self::shared(Arc::new(entry))
    }

    /// Gives an entry that its owner keeps.
    pub fn shared(entry: Arc<impl LedgerEntry>) -> Self {
        Self(Seed::serving(entry, |entry, place| new_client(ServedEntry { entry, place })))
    }
}

impl From<RemoteLedgerEntry> for OfferedLedgerEntry {
    /// Lends on what was lent to us.
    fn from(entry: RemoteLedgerEntry) -> Self {
        Self::new(Forward(entry))
    }
}

struct ServedEntry<E> {
    entry: Arc<E>,
    place: Place,
}

impl<E: LedgerEntry> schema::Server for ServedEntry<E> {
    async fn update(
        self: Rc<Self>,
        params: schema::UpdateParams,
        mut results: schema::UpdateResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let text = read::text(params.get()?.get_entry())?;
        let entry = self.entry.clone();
        let updated = self.place.room().on_authors(async move { entry.update(text).await }).await;
        let updated = updated.unwrap_or_else(|Panicked(text)| Err(panicked(&text)));
        let diagnostics = updated.err().map(failure).unwrap_or_default();
        let list = results.get().init_diagnostics(len(&diagnostics));
        write_diagnostics(diagnostics, list);
        answered(results)
    }

    async fn settle(
        self: Rc<Self>,
        _: schema::SettleParams,
        _: schema::SettleResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let entry = self.entry.clone();
        self.place.ask_author(async move { entry.settle().await }).await?.map_err(capnp::Error::failed)
    }
}

impl RemoteLedgerEntry {
    /// More is known of the thing: the new text replaces the old one, on disk when this answers; or why not.
    pub async fn update(&self, text: impl Into<String>) -> Result<Result<(), Vec<Diagnostic>>, Broken> {
        let text = text.into();
        self.0
            .call("LedgerEntry.update", Some(limits::QUICK_WITHIN), move |Adopted { client, .. }| {
                let mut request = client.update_request();
                request.get().set_entry(text);
                let sent = send(request);
                async move {
                    let diagnostics = read_diagnostics(sent?.await?.get()?.get_diagnostics())?;
                    let failed = diagnostics.iter().any(Diagnostic::is_error);
                    Ok::<_, Trouble>(if failed { Err(diagnostics) } else { Ok(()) })
                }
            })
            .await
    }

    /// The thing is gone, or stays on purpose: nobody has to deal with it any more.
    pub async fn settle(&self) -> Result<(), Broken> {
        self.0
            .acknowledged("LedgerEntry.settle", Some(limits::QUICK_WITHIN), |client| {
                send(client.settle_request())
            })
            .await
    }
}

impl LedgerEntry for Forward<RemoteLedgerEntry> {
    async fn update(&self, text: String) -> Result<(), Vec<Diagnostic>> {
        self.0.update(text).await.unwrap_or_else(|broken| Err(broken.into()))
    }

    async fn settle(&self) -> Result<(), String> {
        self.0.settle().await.map_err(|broken| broken.to_string())
    }
}
