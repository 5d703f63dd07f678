//! `Recovery`: deals with what a crash left, in a fresh process.
use std::{rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::recovery_capnp::{recovery as schema, remembered};
use tokio_util::sync::CancellationToken;

use crate::{
    artifact::flush,
    broken::{Broken, Trouble},
    cancellation::{OfferedCancellation, RemoteCancellation},
    environment::{OfferedEnvironment, OfferedLedgerEntry, RemoteEnvironment, RemoteLedgerEntry},
    link::LinkState,
    place::{Place, Seed, answered, lend, offered, remote, send, size},
    prepare::not_lent,
    read,
    room::{Adopted, Panicked, Remote},
    ui::{OfferedUi, RemoteUi},
    value::{Context, Diagnostic, Outcome, len, panicked},
};

/// Removes what crashed sessions of a component left.
pub trait Recovery: Send + Sync + 'static {
    /// Removes what the entries speak of, and settles each that is dealt with. Idempotent, also where nothing had been
    /// made yet (`recovery.idempotent`).
    fn recover(&self, run: RecoveryRun) -> impl Future<Output = Outcome> + Send;
}

/// What [`Recovery::recover`] may use.
#[derive(Debug)]
pub struct RecoveryRun {
    /// The component's configuration, JSON, made anew from the template.
    pub config: String,
    /// Where it was used.
    pub context: Context,
    /// What may be left.
    pub entries: Vec<Remembered>,
    /// Where to say what happens.
    pub ui: RemoteUi,
    /// The host's services.
    pub environment: RemoteEnvironment,
    /// When to stop.
    pub cancellation: RemoteCancellation,
}

/// One thing that may be left.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// What the component last said of it.
    pub text: String,
    /// To settle it by.
    pub entry: RemoteLedgerEntry,
}

impl Remembered {
    pub(crate) fn read(reader: remembered::Reader<'_>, link: &Rc<LinkState>) -> Result<Self, Trouble> {
        let entry = read::required(reader.has_entry(), || reader.get_entry(), "entry")?;
        let entry = RemoteLedgerEntry(Remote::adopt(link, entry));
        Ok(Self { text: read::text(reader.get_text())?, entry })
    }
}

offered! {
    /// A [`Recovery`] of ours.
    OfferedRecovery: schema::Client
}

remote! {
    /// What deals with what a component of a plugin left.
    RemoteRecovery: schema::Client
}

impl OfferedRecovery {
    /// Offers `recovery`.
    pub fn new(recovery: impl Recovery) -> Self {
        Self(Seed::serving(Arc::new(recovery), |recovery, place| {
            new_client(ServedRecovery { recovery, place })
        }))
    }
}

struct ServedRecovery<R> {
    recovery: Arc<R>,
    place: Place,
}

impl<R: Recovery> schema::Server for ServedRecovery<R> {
    async fn recover(
        self: Rc<Self>,
        params: schema::RecoverParams,
        mut results: schema::RecoverResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let outcome = match RecoveryRun::read(params.get()?, &self.place.link) {
            Err(refusal) => Outcome::Failed(refusal),
            Ok(run) => {
                let (recovery, ui) = (self.recovery.clone(), run.ui.clone());
                let ran = self.place.room().on_authors(async move { recovery.recover(run).await }).await;
                flush(Some(ui)).await;
                ran.unwrap_or_else(|Panicked(text)| Outcome::Failed(panicked(&text)))
            }
        };
        outcome.write(results.get().init_outcome());
        answered(results)
    }
}

impl RecoveryRun {
    /// What was lent; or what is missing or cannot be used.
    fn read(
        reader: schema::recover_params::Reader<'_>,
        link: &Rc<LinkState>,
    ) -> Result<Self, Vec<Diagnostic>> {
        if !reader.has_ui() || !reader.has_environment() {
            return Err(not_lent("Ui or Environment"));
        }
        let read = || {
            let cancellation = read::optional(reader.has_cancellation(), || reader.get_cancellation())?;
            let entries = reader.get_entries()?;
            Ok(Self {
                config: read::text(reader.get_config())?,
                context: Context::read(reader.get_context()?)?,
                entries: entries.iter().map(|one| Remembered::read(one, link)).collect::<Result<_, _>>()?,
                ui: RemoteUi::adopt(link, reader.get_ui()?),
                environment: RemoteEnvironment(Remote::adopt(link, reader.get_environment()?)),
                cancellation: RemoteCancellation::adopt(link, cancellation),
            })
        };
        read().map_err(|trouble: Trouble| {
            vec![Diagnostic::error(format!("what is to be recovered cannot be used: {}", trouble.told()))]
        })
    }
}

/// What a host lends to a recovery.
#[derive(Debug, Clone)]
pub struct RecoveryLent {
    /// The component's configuration, JSON, made anew from the template.
    pub config: String,
    /// Where it was used.
    pub context: Context,
    /// What may be left: the component's own text, and the line in the book.
    pub entries: Vec<(String, OfferedLedgerEntry)>,
    /// Where it says what happens.
    pub ui: OfferedUi,
    /// The host's services.
    pub environment: OfferedEnvironment,
    /// Stops it when it is cancelled.
    pub cancellation: CancellationToken,
}

impl RemoteRecovery {
    /// Has the things removed that the entries speak of. What is lent ends with the answer.
    pub async fn recover(&self, lent: RecoveryLent) -> Result<Outcome, Broken> {
        self.0
            .call("Recovery.recover", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let RecoveryLent { config, context, entries, ui, environment, cancellation } = lent;
                let mut request = client.recover_request();
                let (mut params, cancellation) = (request.get(), OfferedCancellation::from(cancellation));
                params.set_config(config);
                context.write(params.reborrow().init_context());
                let mut list = params.reborrow().init_entries(len(&entries));
                for (at, (text, entry)) in (0..).zip(entries) {
                    let mut remembered = list.reborrow().get(at);
                    remembered.set_text(text);
                    lend!(remembered at &place; set_entry: entry);
                }
                lend!(params at &place;
                    set_ui: ui, set_environment: environment, set_cancellation: cancellation);
                let sent = send(request);
                async move {
                    let _loan = loan;
                    Outcome::read(sent?.await?.get()?.get_outcome()?)
                }
            })
            .await
    }
}
