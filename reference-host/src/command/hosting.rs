//! The commands that start plugins: `build`, `validate` and `plugins`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use packwire_wire::process::passed_on;
use packwire_wire::{Context, OnError, Room};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::plugins::{Described, Description, listed};
use super::{Desk, Failed, Planned};
use crate::cli::{self, Build};
use crate::failure::Failure;
use crate::grace::Graces;
use crate::plan::{Plan, PlanError};
use crate::plugins::{Patience, Plugins, Running, Start};
use crate::prepare::{Ready, Remark, Schemas};
use crate::report::{Report, remarked};
use crate::run::{NotFound, Run, look_up, run};
use crate::services::Stock;
use crate::template::{Data, RunContext, Source};
use crate::ui::{BuildUi, Paint, Terminal, announce_colours};

/// The second interrupt: all is ended, at once.
struct Interrupted;

/// What interrupts us, instead of ending us.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

impl Desk {
    /// Builds what a plan describes.
    pub(super) fn build(&self, planned: Planned, build: &Build) -> Result<(), Failed> {
        let cancelled = CancellationToken::new();
        let environment = self.environment(&planned.withheld);
        let context = Context { force: build.force, ..self.context_of(&planned.run, build.on_error) };
        let stock = Arc::new(Stock::of_run(self.places(), self.record(&planned, &context, &build.choice)));
        let built = self.host(environment, &cancelled, async |plugins| {
            let Planned { plan, catalog, .. } = planned;
            let ready = unless(&cancelled, self.ready(plan, &plugins, &context)).await?;
            announce_colours(&self.out, ready.builds.iter().map(|build| build.name.as_str()));
            let mut shared = Run {
                catalog,
                plugins,
                stock: stock.clone(),
                terminal: self.out.clone(),
                context,
                data: Arc::default(),
                at_a_time: build.parallel_builds,
                cancelled: cancelled.clone(),
            };
            let ready = self.looked_up(ready, &mut shared).await?;
            let summary = run(ready, &shared).await;
            summary.print(&self.out);
            if summary.is_success() { Ok(()) } else { Err(Failed) }
        });
        self.close_ledger(&stock);
        built
    }

    /// Runs the data sources, and checks and prepares what waited for their values.
    async fn looked_up(&self, mut ready: Ready, run: &mut Run) -> Result<Ready, Failed> {
        let found = look_up(std::mem::take(&mut ready.data), run).await;
        let found = found.map_err(|missing| self.tell_missing(&ready.text, missing))?;
        run.data = Arc::new(found);
        let ui = BuildUi::new(self.out.clone(), "data", 0);
        let text = ready.text.clone();
        let learned = unless(&run.cancelled, async { self.told(ready.learn(&run.data, &ui).await) }).await;
        let (ready, warnings) = learned?;
        self.warn(&text, &warnings);
        Ok(ready)
    }

    /// The values of data sources alone.
    pub(super) async fn data(&self, plan: Plan, run: &Run) -> Result<Data, Failed> {
        let ready = unless(&run.cancelled, self.ready(plan, &run.plugins, &run.context)).await?;
        look_up(ready.data, run).await.map_err(|missing| self.tell_missing(&ready.text, missing))
    }

    fn tell_missing(&self, text: &Source, missing: Vec<NotFound>) -> Failed {
        for NotFound { component, failure } in missing {
            if failure != Failure::Cancelled {
                let here = vec![(component.span, "here".to_owned())];
                self.show(Report::new(&failure).pointing(text, here));
            }
        }
        Failed
    }

    /// Checks a plan's configurations with their plugins, and runs nothing.
    pub(super) fn validate_with_plugins(&self, planned: Planned) -> Result<(), Failed> {
        let cancelled = CancellationToken::new();
        // There is no run: by that a component knows that it is only validated.
        let here = self.context_of(&planned.run, cli::OnError::Cleanup);
        let context = Context { run_id: String::new(), ..here };
        self.host(self.environment(&planned.withheld), &cancelled, async |plugins| {
            unless(&cancelled, self.ready(planned.plan, &plugins, &context)).await?;
            self.say("The configuration is valid.");
            Ok(())
        })
    }

    /// Asks every plugin that was found what it offers.
    pub(super) fn list_plugins(&self) -> Result<(), Failed> {
        let catalog = self.catalog()?;
        let cancelled = CancellationToken::new();
        self.host(self.environment(&BTreeSet::new()), &cancelled, async |plugins| {
            let mut asking = JoinSet::new();
            for candidate in &catalog.candidates {
                let (command, plugin) = (candidate.command.clone(), plugins.plugin(&candidate.command));
                let _handle = asking.spawn(async move {
                    let described = plugin.running().await.map(|running| Description::of(&running));
                    (command, described)
                });
            }
            let described = unless(&cancelled, async { Ok(asking.join_all().await) }).await?;
            let described: Described = described.into_iter().collect();
            self.say(listed(&catalog, &described).trim_end());
            Ok(())
        })
    }

    /// Starts the runtime that plugins live in, and has every plugin leave when the work is done.
    ///
    /// The first interrupt cancels the work, which cleans up; the second ends everything.
    pub(super) fn host<T>(
        &self,
        environment: Vec<(OsString, OsString)>,
        cancelled: &CancellationToken,
        work: impl AsyncFnOnce(Arc<Plugins>) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        self.host_of(&self.out, "build", environment, cancelled, work)
    }

    /// The same for work that is called `what`, where interrupts are told on `terminal`.
    pub(super) fn host_of<T>(
        &self,
        terminal: &Arc<Terminal>,
        what: &str,
        environment: Vec<(OsString, OsString)>,
        cancelled: &CancellationToken,
        work: impl AsyncFnOnce(Arc<Plugins>) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let transport = self.told(self.invocation.transport())?;
        let started = Runtime::new()
            .and_then(|runtime| Room::open(runtime.handle().clone()).map(|room| (runtime, room)));
        let (runtime, room) = started.map_err(|why| {
            self.show(Report::new(&"the host cannot start its threads").with_cause(&why));
            Failed
        })?;
        let patience = Patience {
            graces: Graces::default(),
            terminal: terminal.clone(),
            interrupted: cancelled.clone(),
        };
        let start = Start { environment, directory: self.invocation.directory.clone(), transport };
        let plugins = Arc::new(Plugins::new(room, start, self.log.clone(), patience));
        let whole = async {
            let done = work(plugins.clone()).await;
            plugins.leave().await;
            done
        };
        let done = runtime.block_on(async {
            // Before the first plugin starts: without them an interrupt would end us, and leave it behind.
            let signals = Signals::listen().ok();
            tokio::select! {
                done = whole => done,
                Interrupted = interrupted(terminal, what, signals, cancelled) => Err(Failed),
            }
        });
        // A thread that prints where nobody reads is not waited for.
        runtime.shutdown_timeout(Duration::from_secs(1));
        // Tasks are gone. Not left to the last owner of a plugin: that may be a thread that ends with this process.
        plugins.end();
        done
    }

    /// Everything checked and prepared; warnings are told, errors all together.
    async fn ready(&self, plan: Plan, plugins: &Plugins, context: &Context) -> Result<Ready, Failed> {
        let text = plan.source.clone();
        let schemas = self.told(Schemas::of(&plan, plugins).await)?;
        let (plan, bad) = self.told(plan.checked(|component| schemas.of_component(component)))?;
        for secret in plan.secrets(|component| schemas.of_component(component)) {
            if let Err(refused) = self.secrets.add(&secret) {
                self.err.print("warning: ", &refused.to_string(), Paint::Plain);
            }
        }
        let ready = Ready::of(plan.without(&bad), plugins, context).await;
        if !bad.is_empty() {
            self.tell(&PlanError::BadConfigs { text: text.clone(), problems: bad });
            // What the components say of the rest: whoever mends the template wants to know all of it.
            self.told(ready)?;
            return Err(Failed);
        }
        let (ready, warnings) = self.told(ready)?;
        self.warn(&text, &warnings);
        Ok(ready)
    }

    fn warn(&self, text: &Source, warnings: &[Remark]) {
        warnings.iter().flat_map(|remark| remarked(text, remark)).for_each(|report| self.show(report));
    }

    fn context_of(&self, run: &RunContext, on_error: cli::OnError) -> Context {
        let on_error = match on_error {
            cli::OnError::Cleanup => OnError::Cleanup,
            cli::OnError::Abort => OnError::Abort,
            cli::OnError::RunCleanupProvisioner => OnError::RunCleanupProvisioner,
        };
        let template_dir = run.template_dir.clone();
        Context { template_dir, ..self.context(on_error) }
    }

    /// What every component may know.
    pub(super) fn context(&self, on_error: OnError) -> Context {
        Context {
            run_id: (self.invocation.uuid)(),
            working_dir: self.invocation.directory.to_string_lossy().into_owned(),
            on_error,
            host_name: "packwire".to_owned(),
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Context::default()
        }
    }

    /// What plugins inherit: neither our own settings nor what the template calls sensitive.
    pub(super) fn environment(&self, withheld: &BTreeSet<String>) -> Vec<(OsString, OsString)> {
        let withheld: Vec<&String> = withheld.iter().collect();
        let own = self.invocation.variables.iter().map(|(name, value)| (name.clone(), value.clone()));
        passed_on(own, &withheld)
    }
}

/// Resolves at the second interrupt; the first cancels.
async fn interrupted(
    terminal: &Terminal,
    what: &str,
    signals: Option<Signals>,
    cancelled: &CancellationToken,
) -> Interrupted {
    let Some(mut signals) = signals else { return std::future::pending().await };
    signals.next().await;
    terminal.print("", &format!("Cancelling {what} after receiving interrupt"), Paint::Plain);
    cancelled.cancel();
    signals.next().await;
    terminal.print("", "Interrupted again: ending all plugins", Paint::Plain);
    Interrupted
}

/// What prepares a run has nothing to clean up: it ends where it is when it is cancelled.
pub(super) async fn unless<T>(
    cancelled: &CancellationToken,
    work: impl Future<Output = Result<T, Failed>>,
) -> Result<T, Failed> {
    tokio::select! {
        done = work => done,
        () = cancelled.cancelled() => Err(Failed),
    }
}

impl Description {
    fn of(running: &Running) -> Self {
        let hello = running.hello();
        let components = hello.components.iter();
        Self {
            version: hello.version.clone(),
            components: components.map(|one| (one.kind(), one.name.clone())).collect(),
        }
    }
}
