//! The services of one run: communicators through communicator components.

use std::sync::{Arc, Mutex, PoisonError};

use packwire_wire::{
    ConnectionLent, ConnectionOutcome, Context, Diagnostic, Environment, OfferedCommunicator,
    OfferedEnvironment, Prepared, RemoteCapability, RemoteCommunicator,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::communicator::Wrapped;
use crate::catalog::{Catalog, Kind};
use crate::plan::{check_config, fit_config};
use crate::plugins::{PluginFailure, Plugins, Running};
use crate::ui::BuildUi;

/// What the host lends to one run, and takes back when it is over.
#[derive(Clone)]
pub struct Services(Arc<Lending>);

struct Lending {
    catalog: Arc<Catalog>,
    plugins: Arc<Plugins>,
    ui: BuildUi,
    context: Context,
    cancelled: CancellationToken,
    /// A builder may ask for communicators; others only where the template grants it, which it cannot yet.
    grants_communicators: bool,
    open: Mutex<Vec<(Arc<Running>, RemoteCommunicator)>>,
}

impl Services {
    /// The services of a builder's run.
    #[must_use]
    pub fn of_builder(
        catalog: Arc<Catalog>,
        plugins: Arc<Plugins>,
        ui: BuildUi,
        context: Context,
        cancelled: CancellationToken,
    ) -> Self {
        Self(Arc::new(Lending {
            catalog,
            plugins,
            ui,
            context,
            cancelled,
            grants_communicators: true,
            open: Mutex::default(),
        }))
    }

    /// The services of any other run in the same build.
    #[must_use]
    pub fn of_others(&self, cancelled: CancellationToken) -> Self {
        let Lending { catalog, plugins, ui, context, .. } = &*self.0;
        Self(Arc::new(Lending {
            catalog: catalog.clone(),
            plugins: plugins.clone(),
            ui: ui.clone(),
            context: context.clone(),
            cancelled,
            grants_communicators: false,
            open: Mutex::default(),
        }))
    }

    /// The capability to lend.
    #[must_use]
    pub fn offer(&self) -> OfferedEnvironment {
        OfferedEnvironment::new(self.clone())
    }

    /// Takes back all that is still open when the run has answered.
    pub async fn close(&self) {
        let open = std::mem::take(&mut *self.0.open.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, communicator) in open {
            // A plugin that is gone has closed it.
            drop(communicator.close().await);
        }
    }
}

impl Environment for Services {
    async fn communicator(
        &self,
        kind: String,
        config: String,
    ) -> Result<OfferedCommunicator, Vec<Diagnostic>> {
        if !self.0.grants_communicators {
            return Err(refused("communicators are lent to builders only"));
        }
        tokio::select! {
            opened = self.0.connect(&kind, &config) => opened,
            () = self.0.cancelled.cancelled() => Err(refused("the build was cancelled")),
        }
    }
}

fn refused(why: impl Into<String>) -> Vec<Diagnostic> {
    vec![Diagnostic::error(why)]
}

impl Lending {
    async fn connect(&self, kind: &str, config: &str) -> Result<OfferedCommunicator, Vec<Diagnostic>> {
        let candidate = self
            .catalog
            .plugin(Kind::Communicator, kind)
            .map_err(|unknown| vec![Diagnostic::error(unknown.to_string()).with_detail(unknown.hint())])?;
        let running = self.plugins.plugin(&candidate.command).running().await.map_err(told)?;
        let (connector, config) = component(&running, kind, config)?;
        let context = Context { component_type: kind.to_owned(), ..self.context.clone() };
        let prepared = match connector.prepare(config, context).await {
            Ok(prepared) => prepared,
            Err(broken) => return Err(told(running.explain(broken).await)),
        };
        let Prepared { diagnostics, object: Some(connection) } = prepared else {
            return Err(prepared.diagnostics);
        };
        diagnostics.iter().for_each(|warning| self.ui.error(&format!("warning: {}", warning.summary)));
        let lent = ConnectionLent {
            ui: self.ui.lend(self.cancelled.clone()),
            environment: OfferedEnvironment::new(Nothing),
            cancellation: self.cancelled.clone(),
        };
        match connection.open(lent).await {
            Ok(ConnectionOutcome::Communicator(communicator)) => Ok(self.lend(running, communicator)),
            Ok(ConnectionOutcome::Failed(diagnostics)) => Err(diagnostics),
            Ok(ConnectionOutcome::Cancelled) => Err(refused("it was cancelled")),
            Err(broken) => Err(told(running.explain(broken).await)),
        }
    }

    fn lend(&self, running: Arc<Running>, communicator: RemoteCommunicator) -> OfferedCommunicator {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push((running.clone(), communicator.clone()));
        OfferedCommunicator::new(Wrapped::new(communicator, running))
    }
}

/// The component and its configuration as it gets it; refused where its schema refuses it.
fn component(
    running: &Running,
    kind: &str,
    config: &str,
) -> Result<(packwire_wire::RemoteConnector, String), Vec<Diagnostic>> {
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

/// What is lent to the opening of a communicator: a communicator asks for no other.
struct Nothing;

impl Environment for Nothing {
    async fn communicator(&self, _: String, _: String) -> Result<OfferedCommunicator, Vec<Diagnostic>> {
        Err(refused("communicators are lent to builders only"))
    }
}
