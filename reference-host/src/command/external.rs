//! `packwire NAME args…`: commands that plugins offer.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;

use packwire_wire::{Context, HostCommandLent, OfferedComponents, OnError, RemoteCapability};
use tokio_util::sync::CancellationToken;

use super::components::Found;
use super::hosting::unless;
use super::{Desk, Failed};
use crate::catalog::{Catalog, Kind, PluginCommand};
use crate::cli::Args;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::ledger::{Maker, ProcessId, RunRecord};
use crate::plugins::{PluginFailure, Plugins};
use crate::report::{Report, Reported};
use crate::services::{Services, Stock, User};
use crate::spell;
use crate::template::Grants;
use crate::ui::BuildUi;

/// What a shell takes for the end by an interrupt.
const CANCELLED: u8 = 130;

impl Desk {
    /// Runs the command of a plugin; its arguments are what was typed behind its name.
    pub(super) fn run_external(&self, words: Vec<OsString>) -> ExitCode {
        let mut words = words.into_iter().map(OsString::into_string);
        let (Some(Ok(name)), Ok(arguments)) = (words.next(), words.collect()) else {
            self.show(Report::new(&"the command line is not UTF-8"));
            return ExitCode::Usage;
        };
        let Ok(catalog) = self.catalog() else { return ExitCode::Failed };
        let command = match catalog.plugin(Kind::Command, &name) {
            Ok(candidate) => candidate.command.clone(),
            Err(_) => {
                self.show(unknown(&name, &catalog));
                return ExitCode::Usage;
            }
        };
        let cancelled = CancellationToken::new();
        let environment = self.environment(&BTreeSet::new());
        let stock = Arc::new(Stock::of_run(self.places(), self.record_of_command(&name)));
        let called = Called { name, command, arguments, catalog: Arc::new(catalog), stock: stock.clone() };
        let what = format!("`{}`", called.name);
        let answered = self.host_of(&self.err, &what, environment, &cancelled, async |plugins| {
            self.told(self.call(&called, plugins, &cancelled).await)
        });
        self.close_ledger(&stock);
        match answered {
            Ok(status) => ExitCode::Command(status),
            Err(Failed) if cancelled.is_cancelled() => ExitCode::Command(CANCELLED),
            Err(Failed) => ExitCode::Failed,
        }
    }

    /// A command has no template: what outlives its crash are directories that it was lent.
    fn record_of_command(&self, name: &str) -> RunRecord {
        let nanoseconds = (self.invocation.clock)().unix_timestamp_nanos();
        RunRecord {
            run: (self.invocation.uuid)(),
            began: i64::try_from(nanoseconds).unwrap_or_default(),
            host: ProcessId::ours(),
            directory: self.invocation.directory.clone(),
            template: format!("packwire {name}").into(),
            variable_files: Vec::new(),
            variables: Vec::new(),
        }
    }

    async fn call(
        &self,
        called: &Called,
        plugins: Arc<Plugins>,
        cancelled: &CancellationToken,
    ) -> Result<u8, NotAnswered> {
        let Called { name, command, arguments, catalog, stock } = called;
        let who = format!("command {name}");
        let plugin = plugins.plugin(command);
        let attached = unless(cancelled, async { Ok(plugin.running().await) }).await;
        let running = attached.map_err(|Failed| NotAnswered::Failed(Failure::Cancelled))??;
        let component = running.component(Kind::Command, name)?.clone();
        let RemoteCapability::Command(remote) = &component.capability else {
            return Err(Failure::bug(&who, "the component is of another kind").into());
        };
        let ui = BuildUi::of_command(self.out.clone(), self.err.clone());
        let context = Context { component_type: name.clone(), ..self.context(OnError::Cleanup) };
        let services = Services::of_builder(
            catalog.clone(),
            plugins.clone(),
            stock.clone(),
            ui.clone(),
            context,
            cancelled.clone(),
        );
        let services = services.of_others(Grants::default(), cancelled.clone());
        let maker = Maker::new(String::new(), Kind::Command, name, 0, &running);
        services.used_by(User { maker, plugin, running: running.clone(), config: String::new() });
        let lent = HostCommandLent {
            arguments: arguments.clone(),
            ui: ui.lend(cancelled.clone()),
            environment: services.offer(),
            components: OfferedComponents::new(Found::new(catalog.clone(), plugins, self.err.clone())),
            cancellation: cancelled.clone(),
        };
        let ran = running.run_until(Kind::Command, remote.run(lent), cancelled, ui.heard()).await;
        services.close().await;
        match ran {
            None => Err(Failure::Stuck { who, grace: running.grace(Kind::Command).as_secs() }.into()),
            Some(Err(broken)) => Err(Failure::Broken { who, why: running.explain(broken).await }.into()),
            Some(Ok(status)) => u8::try_from(status).map_err(|_| {
                Failure::bug(&who, &format!("its exit status is {status}, and 255 is the highest")).into()
            }),
        }
    }
}

/// One command as it was typed.
struct Called {
    name: String,
    command: PluginCommand,
    arguments: Vec<String>,
    catalog: Arc<Catalog>,
    stock: Arc<Stock>,
}

/// Why a command has no exit status.
enum NotAnswered {
    /// Its plugin cannot be used.
    Plugin(PluginFailure),
    /// It broke, or was ended.
    Failed(Failure),
}

impl From<PluginFailure> for NotAnswered {
    fn from(failure: PluginFailure) -> Self {
        Self::Plugin(failure)
    }
}

impl From<Failure> for NotAnswered {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Reported for NotAnswered {
    fn reports(&self) -> Vec<Report> {
        match self {
            Self::Plugin(failure) => failure.reports(),
            Self::Failed(Failure::Cancelled) => Vec::new(),
            Self::Failed(failure) => vec![Report::new(failure)],
        }
    }
}

fn unknown(name: &str, catalog: &Catalog) -> Report {
    let names = Args::command_names();
    let known = || names.iter().map(String::as_str).chain(catalog.names(Kind::Command));
    let hint = match spell::nearest(name, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "`packwire --help` lists the commands; a plugin adds one as `packer-command-{name}`, next to packwire or in a directory of PACKER_PLUGIN_PATH"
        ),
    };
    Report::new(&format!("there is no command `{name}`")).with_hint(Some(hint))
}
