//! `DataSource` and its `Query`: looks something up that templates use.
use std::rc::Rc;

use packwire_schema::data_source_capnp::{data_source as schema, query as work, query_outcome};
use tokio_util::sync::CancellationToken;

use crate::{
    broken::{Broken, Trouble},
    cancellation::{OfferedCancellation, RemoteCancellation},
    environment::{OfferedEnvironment, RemoteEnvironment},
    link::LinkState,
    place::{Forward, Place, lend, offered, remote, send},
    prepare::{Answer, not_lent, prepared_kind},
    read,
    room::{Adopted, Remote},
    ui::{OfferedUi, RemoteUi},
    value::{Context, Diagnostic, Prepared, read_failure, write_failed},
};

/// Yields values for templates.
pub trait DataSource: Send + Sync + 'static {
    /// What a configuration becomes.
    type Query: Query;

    /// Checks a configuration, JSON, and makes it ready to run. Has no effect outside (`prepare.pure`).
    fn prepare(&self, config: String, context: Context)
    -> impl Future<Output = Prepared<Self::Query>> + Send;
}

/// A look-up that is ready to run, once.
pub trait Query: Send + Sync + 'static {
    /// Looks, and changes nothing.
    fn run(self, run: QueryRun) -> impl Future<Output = QueryOutcome> + Send;
}

/// What [`Query::run`] may use.
#[derive(Debug)]
pub struct QueryRun {
    /// Where to say what happens.
    pub ui: RemoteUi,
    /// The host's services.
    pub environment: RemoteEnvironment,
    /// When to stop.
    pub cancellation: RemoteCancellation,
}

/// How a look-up ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryOutcome {
    /// With JSON that fits the component's `outputSchema`.
    Value(String),
    /// Without; at least one diagnostic is an error.
    Failed(Vec<Diagnostic>),
    /// It was cancelled.
    Cancelled,
}

impl QueryOutcome {
    pub(crate) fn read(reader: query_outcome::Reader<'_>) -> Result<Self, Trouble> {
        match reader.which().map_err(|member| read::unknown("outcome", member))? {
            query_outcome::Unset(()) => Err(read::unset("outcome")),
            query_outcome::Value(value) => Ok(Self::Value(read::text(value)?)),
            query_outcome::Failed(diagnostics) => Ok(Self::Failed(read_failure(diagnostics)?)),
            query_outcome::Cancelled(()) => Ok(Self::Cancelled),
        }
    }
}

impl Answer for QueryOutcome {
    type Struct = query_outcome::Owned;

    fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Failed(diagnostics)
    }

    fn write(self, mut builder: query_outcome::Builder<'_>, _: &Place) {
        match self {
            Self::Value(value) => builder.set_value(value),
            Self::Failed(diagnostics) => write_failed!(builder, diagnostics),
            Self::Cancelled => builder.set_cancelled(()),
        }
    }
}

offered! {
    /// A [`DataSource`] of ours.
    OfferedDataSource: schema::Client
}

remote! {
    /// A data source of a plugin.
    RemoteDataSource: schema::Client
}

remote! {
    /// A look-up that a plugin has prepared, and that runs once.
    RemoteQuery: work::Client
}

prepared_kind! {
    DataSource: OfferedDataSource, RemoteDataSource, "DataSource.prepare";
    Query: RemoteQuery, "Query.close", set_query, has_query, get_query;
    run(RunParams, RunResults): QueryRun -> QueryOutcome
}

impl QueryRun {
    /// What was lent; or what is missing (`robust.null-arguments`).
    fn read(
        reader: work::run_params::Reader<'_>,
        link: &Rc<LinkState>,
    ) -> Result<Result<Self, Vec<Diagnostic>>, capnp::Error> {
        let ui = read::optional(reader.has_ui(), || reader.get_ui())?;
        let environment = read::optional(reader.has_environment(), || reader.get_environment())?;
        let cancellation = read::optional(reader.has_cancellation(), || reader.get_cancellation())?;
        let (Some(ui), Some(environment)) = (ui, environment) else {
            return Ok(Err(not_lent("Ui or Environment")));
        };
        Ok(Ok(Self {
            ui: RemoteUi::adopt(link, ui),
            environment: RemoteEnvironment(Remote::adopt(link, environment)),
            cancellation: RemoteCancellation::adopt(link, cancellation),
        }))
    }
}

/// What a host lends to a look-up.
#[derive(Debug, Clone)]
pub struct QueryLent {
    /// Where it says what happens.
    pub ui: OfferedUi,
    /// The host's services.
    pub environment: OfferedEnvironment,
    /// Stops it when it is cancelled.
    pub cancellation: CancellationToken,
}

impl RemoteQuery {
    /// Looks it up. What is lent ends with the answer.
    pub async fn run(&self, lent: QueryLent) -> Result<QueryOutcome, Broken> {
        self.0
            .call("Query.run", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let QueryLent { ui, environment, cancellation } = lent;
                let mut request = client.run_request();
                let (mut params, cancellation) = (request.get(), OfferedCancellation::from(cancellation));
                lend!(params at &place;
                    set_ui: ui, set_environment: environment, set_cancellation: cancellation);
                let sent = send(request);
                async move {
                    let _loan = loan;
                    QueryOutcome::read(sent?.await?.get()?.get_outcome()?)
                }
            })
            .await
    }
}

impl Query for Forward<RemoteQuery> {
    async fn run(self, run: QueryRun) -> QueryOutcome {
        let QueryRun { ui, environment, cancellation } = run;
        let (ui, environment) = ((&ui).into(), (&environment).into());
        let lent = QueryLent { ui, environment, cancellation: cancellation.token().clone() };
        self.0.run(lent).await.unwrap_or_else(|broken| QueryOutcome::Failed(broken.into()))
    }
}
