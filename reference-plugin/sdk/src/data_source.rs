//! Data sources, as their authors write them.
use packwire_wire::{
    Component, Context, Diagnostic, OfferedCapability, OfferedDataSource, Prepared, QueryOutcome, QueryRun,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Stop,
    config::{Config, Reader, schema_of},
    plugin::described,
};

/// Yields values for templates.
pub trait DataSource: Send + Sync + 'static {
    /// What the user writes; the schema is made from it.
    type Config: Config;
    /// What a configuration becomes that is in order.
    type Query: Query;

    /// One line for lists.
    const SUMMARY: &'static str;
    /// CommonMark for whoever wants to use it.
    const DOCUMENTATION: &'static str = "";

    /// Checks what a type cannot say, all of it, and has no effect outside.
    ///
    /// # Errors
    /// All that is wrong, each with its place in the configuration.
    fn prepare(&self, config: Self::Config, context: &Context) -> Result<Self::Query, Vec<Diagnostic>>;

    /// What the user should know of a configuration that can be run all the same, such as an option that another one
    /// makes meaningless: [`Diagnostic::warning`]s, each with its place. They are told beside what is wrong, too.
    fn warnings(&self, _config: &Self::Config, _context: &Context) -> Vec<Diagnostic> {
        Vec::new()
    }
}

/// A look-up that is ready to run, once.
pub trait Query: Send + Sync + 'static {
    /// What it yields; the component's output schema is made from it.
    type Output: Serialize + JsonSchema + Send + 'static;

    /// Looks, and changes nothing.
    fn run(self, run: QueryRun) -> impl Future<Output = Result<Self::Output, Stop>> + Send;
}

pub(crate) struct ServedDataSource<D: DataSource> {
    data_source: D,
    config: Reader<D::Config>,
}

impl<D: DataSource> ServedDataSource<D> {
    pub(crate) fn offer(name: &str, data_source: D) -> Component<OfferedCapability> {
        let config = Reader::new();
        Component {
            config_schema: config.schema(),
            output_schema: schema_of::<<D::Query as Query>::Output>(),
            ..described(
                name,
                (D::SUMMARY, D::DOCUMENTATION),
                OfferedCapability::DataSource(OfferedDataSource::new(Self { data_source, config })),
            )
        }
    }
}

impl<D: DataSource> packwire_wire::DataSource for ServedDataSource<D> {
    type Query = ServedQuery<D::Query>;

    async fn prepare(&self, config: String, context: Context) -> Prepared<Self::Query> {
        let data_source = &self.data_source;
        self.config
            .prepare(
                &config,
                &context,
                |config, at| data_source.warnings(config, at),
                |config, at| data_source.prepare(config, at),
            )
            .map(ServedQuery)
    }
}

pub(crate) struct ServedQuery<Q>(Q);

impl<Q: Query> packwire_wire::Query for ServedQuery<Q> {
    async fn run(self, run: QueryRun) -> QueryOutcome {
        let found = self.0.run(run).await.and_then(|output| {
            let text = serde_json::to_string(&output);
            text.map_err(|error| Stop::failed(format!("what was found cannot be told as JSON: {error}")))
        });
        match found {
            Ok(value) => QueryOutcome::Value(value),
            Err(Stop::Failed(diagnostics)) => QueryOutcome::Failed(diagnostics),
            Err(Stop::Cancelled) => QueryOutcome::Cancelled,
        }
    }
}
