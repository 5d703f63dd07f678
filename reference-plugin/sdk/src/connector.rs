//! Communicators as components: a connector opens communicators of one type.
use std::sync::Arc;

use packwire_wire::{
    Communicator, Component, ConnectionOutcome, ConnectionRun, Context, Diagnostic, OfferedCapability,
    OfferedCommunicator, OfferedConnector, Prepared,
};

use crate::{
    Stop,
    config::{Config, Reader},
    opened::Opened,
    plugin::described,
};

/// Opens communicators of one type.
pub trait Connector: Send + Sync + 'static {
    /// What the user writes; the schema is made from it.
    type Config: Config;
    /// What a configuration becomes that is in order.
    type Connection: Connection;

    /// One line for lists.
    const SUMMARY: &'static str;
    /// CommonMark for whoever wants to use it.
    const DOCUMENTATION: &'static str = "";

    /// Checks what a type cannot say, all of it, and has no effect outside.
    ///
    /// # Errors
    /// All that is wrong, each with its place in the configuration.
    fn prepare(&self, config: Self::Config, context: &Context) -> Result<Self::Connection, Vec<Diagnostic>>;

    /// What the user should know of a configuration that can be run all the same, such as an option that another one
    /// makes meaningless: [`Diagnostic::warning`]s, each with its place. They are told beside what is wrong, too.
    fn warnings(&self, _config: &Self::Config, _context: &Context) -> Vec<Diagnostic> {
        Vec::new()
    }
}

/// A way to a machine that is ready to be opened, once.
pub trait Connection: Send + Sync + 'static {
    /// What it opens. Its `close` is called by the host, or at the end of the session, or both.
    type Communicator: Communicator;

    /// Opens it.
    fn open(self, run: ConnectionRun) -> impl Future<Output = Result<Self::Communicator, Stop>> + Send;
}

pub(crate) struct ServedConnector<C: Connector> {
    connector: C,
    config: Reader<C::Config>,
    opened: Opened,
}

impl<C: Connector> ServedConnector<C> {
    pub(crate) fn offer(name: &str, connector: C, opened: Opened) -> Component<OfferedCapability> {
        let config = Reader::new();
        Component {
            config_schema: config.schema(),
            ..described(
                name,
                (C::SUMMARY, C::DOCUMENTATION),
                OfferedCapability::Communicator(OfferedConnector::new(Self { connector, config, opened })),
            )
        }
    }
}

impl<C: Connector> packwire_wire::Connector for ServedConnector<C> {
    type Connection = ServedConnection<C::Connection>;

    async fn prepare(&self, config: String, context: Context) -> Prepared<Self::Connection> {
        let connector = &self.connector;
        self.config
            .prepare(
                &config,
                &context,
                |config, at| connector.warnings(config, at),
                |config, at| connector.prepare(config, at),
            )
            .map(|connection| ServedConnection { connection, opened: self.opened.clone() })
    }
}

pub(crate) struct ServedConnection<C> {
    connection: C,
    opened: Opened,
}

impl<C: Connection> packwire_wire::Connection for ServedConnection<C> {
    async fn open(self, run: ConnectionRun) -> ConnectionOutcome<OfferedCommunicator> {
        match self.connection.open(run).await {
            Ok(communicator) => {
                let communicator = Arc::new(communicator);
                self.opened.remember(communicator.clone()).await;
                ConnectionOutcome::Communicator(OfferedCommunicator::shared(communicator))
            }
            Err(Stop::Failed(diagnostics)) => ConnectionOutcome::Failed(diagnostics),
            Err(Stop::Cancelled) => ConnectionOutcome::Cancelled,
        }
    }
}
