//! Communicators through communicator components, for whoever may ask for them.

use std::sync::Arc;

use packwire_wire::{
    ConnectionLent, ConnectionOutcome, Context, Diagnostic, OfferedCommunicator, Prepared, RemoteCapability,
    RemoteCommunicator, RemoteConnection, RemoteConnector,
};
use serde_json::Value;

use super::communicator::Wrapped;
use super::environment::refused;
use super::{Services, User};
use crate::catalog::Kind;
use crate::ledger::Maker;
use crate::plan::{check_config, fit_config};
use crate::plugins::{Plugin, PluginFailure, Running};

impl Services {
    /// Opens a communicator with its component, from whatever plugin.
    pub(super) async fn connect(
        &self,
        kind: &str,
        config: &str,
    ) -> Result<OfferedCommunicator, Vec<Diagnostic>> {
        let candidate =
            self.0.catalog.plugin(Kind::Communicator, kind).map_err(|unknown| {
                vec![Diagnostic::error(unknown.to_string()).with_detail(unknown.hint())]
            })?;
        let plugin = self.0.plugins.plugin(&candidate.command);
        let running = plugin.running().await.map_err(told)?;
        let (connector, config) = component(&running, kind, config)?;
        let services = self.of_connector(kind, &plugin, &running, &config)?;
        self.connecting(services.clone());
        match services.open(kind, &running, &connector, config).await {
            Ok((communicator, connection)) => Ok(self.lend(running, communicator, connection)),
            Err(diagnostics) => {
                services.take_holdings_back().await;
                Err(diagnostics)
            }
        }
    }

    fn of_connector(
        &self,
        kind: &str,
        plugin: &Arc<Plugin>,
        running: &Arc<Running>,
        config: &str,
    ) -> Result<Self, Vec<Diagnostic>> {
        let Maker { build, at, .. } = self.maker()?.clone();
        let services = self.child(false, self.0.cancelled.clone());
        let maker = Maker::new(build, Kind::Communicator, kind, at, running);
        services.used_by(User {
            maker,
            plugin: plugin.clone(),
            running: running.clone(),
            config: config.to_owned(),
        });
        Ok(services)
    }

    async fn open(
        &self,
        kind: &str,
        running: &Running,
        connector: &RemoteConnector,
        config: String,
    ) -> Result<(RemoteCommunicator, RemoteConnection), Vec<Diagnostic>> {
        let context = Context { component_type: kind.to_owned(), ..self.0.context.clone() };
        let prepared = match connector.prepare(config, context).await {
            Ok(prepared) => prepared,
            Err(broken) => return Err(told(running.explain(broken).await)),
        };
        let Prepared { diagnostics, object: Some(connection) } = prepared else {
            return Err(prepared.diagnostics);
        };
        diagnostics.iter().for_each(|warning| self.0.ui.error(&format!("warning: {}", warning.summary)));
        let lent = ConnectionLent {
            ui: self.0.ui.lend(self.0.cancelled.clone()),
            environment: self.offer(),
            cancellation: self.0.cancelled.clone(),
        };
        let problems = match running.run(Kind::Communicator, connection.open(lent)).await {
            Ok(ConnectionOutcome::Communicator(communicator)) => return Ok((communicator, connection)),
            Ok(ConnectionOutcome::Failed(diagnostics)) => diagnostics,
            Ok(ConnectionOutcome::Cancelled) => refused("it was cancelled"),
            Err(broken) => told(running.explain(broken).await),
        };
        // A plugin that is gone has closed it.
        drop(connection.close().await);
        Err(problems)
    }

    fn lend(
        &self,
        running: Arc<Running>,
        communicator: RemoteCommunicator,
        connection: RemoteConnection,
    ) -> OfferedCommunicator {
        self.opened(communicator.clone(), connection);
        OfferedCommunicator::new(Wrapped::new(communicator, running))
    }
}

/// The component and its configuration as it gets it; refused where its schema refuses it.
fn component(
    running: &Running,
    kind: &str,
    config: &str,
) -> Result<(RemoteConnector, String), Vec<Diagnostic>> {
    let component = running.component(Kind::Communicator, kind).map_err(told)?;
    let RemoteCapability::Communicator(connector) = &component.capability else {
        return Err(refused("the component is of another kind"));
    };
    let config: Value = serde_json::from_str(config)
        .map_err(|error| refused(format!("its configuration is no JSON: {error}")))?;
    let config = fit_config(&component.config_schema, config);
    let problems =
        check_config(&component.config_schema, &config).map_err(|error| refused(error.to_string()))?;
    if problems.is_empty() {
        return Ok((connector.clone(), config.to_string()));
    }
    let diagnostic = |problem: crate::plan::Problem| {
        Diagnostic::error(format!("communicator {kind}: {}", problem.message)).at(problem.pointer)
    };
    Err(problems.into_iter().map(diagnostic).collect())
}

fn told(failure: PluginFailure) -> Vec<Diagnostic> {
    let lines = failure.last_lines.join("\n");
    vec![Diagnostic::error(failure.to_string()).with_detail(lines)]
}
