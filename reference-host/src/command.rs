//! What each command does, from the command line to the exit code.

mod components;
mod external;
mod hosting;
mod invocation;
mod plugins;
mod recover;
mod transport;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::catalog::{Catalog, Kind, Naming};
use crate::cli::{Args, Choice, Command, UsageError, Validate};
use crate::exit::ExitCode;
use crate::log::{Level, Log, LogError};
use crate::plan::{Plan, Selection};
use crate::report::{Report, Reported};
use crate::template::{Given, PACKER_VERSION, RunContext, Template, TemplateError, Variables};
use crate::ui::{Paint, Secrets, Terminal};

use invocation::Shared;

pub use invocation::Invocation;
pub use plugins::{Described, Description};
pub use transport::BadTransport;

const VERSION: &str = concat!("packwire v", env!("CARGO_PKG_VERSION"));

/// The whole of `packwire`: reads the process's command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    run(Invocation::of_process())
}

/// Does what the command line says.
#[must_use]
pub fn run(mut invocation: Invocation) -> ExitCode {
    let arguments = std::mem::take(&mut invocation.arguments);
    let commands = if Args::ask_for_help(&arguments) { commands(&invocation) } else { Vec::new() };
    let args = Args::read_beside(arguments, &commands);
    let colours = args.as_ref().map_or(true, Args::wants_colours);
    let (desk, refused) = Desk::open(invocation, colours);
    if let Some(refused) = refused {
        desk.tell(&refused);
        return ExitCode::Failed;
    }
    match args {
        Ok(args) => desk.serve(args.command),
        Err(UsageError::NotThereYet(refused)) => {
            desk.tell(&refused);
            ExitCode::Usage
        }
        Err(UsageError::Clap(error)) => desk.explain(&error),
    }
}

/// The commands that plugins offer, as far as names of files tell; what is wrong there is no concern of help.
fn commands(invocation: &Invocation) -> Vec<String> {
    let catalog = Catalog::find(&invocation.catalog_environment()).unwrap_or_default();
    let singles = catalog.candidates.iter().filter_map(|candidate| match &candidate.naming {
        Naming::Single { kind: Kind::Command, name } => Some(name.clone()),
        Naming::Single { .. } | Naming::Family { .. } => None,
    });
    let mut names: Vec<String> = singles.collect();
    names.sort();
    names
}

impl Args {
    fn wants_colours(&self) -> bool {
        match &self.command {
            Command::Build(build) => build.color,
            Command::Validate(_)
            | Command::Recover(_)
            | Command::Plugins
            | Command::Version
            | Command::External(_) => true,
        }
    }
}

/// Where a command finds the world around it and says what it has to say.
struct Desk {
    invocation: Invocation,
    out: Arc<Terminal>,
    err: Arc<Terminal>,
    log: Arc<Log>,
    secrets: Arc<Secrets>,
}

/// A command that failed has said why.
struct Failed;

/// A plan, and what else its template says of the plugins that will run it.
struct Planned {
    plan: Plan,
    catalog: Arc<Catalog>,
    run: RunContext,
    /// Names of variables that no plugin inherits: a template calls them sensitive.
    withheld: BTreeSet<String>,
}

impl Desk {
    /// Prepares the outputs; a log that cannot be written leaves the desk without one, and says why.
    fn open(mut invocation: Invocation, colours: bool) -> (Self, Option<LogError>) {
        let secrets = Arc::new(Secrets::default());
        let colours = colours && invocation.allows_colours();
        let (stdout, stderr) = invocation.take_outputs();
        let stderr = Shared::new(stderr);
        let err = Arc::new(Terminal::new(
            Box::new(stderr.clone()),
            colours && invocation.stderr_is_terminal,
            secrets.clone(),
        ));
        let (outlets, refused) = invocation.log_outlets(&stderr);
        let is_echoed = outlets.iter().any(|outlet| !outlet.beside_output);
        let log = Arc::new(Log::new(outlets, invocation.clock, secrets.clone()));
        log.say(Level::Info, VERSION);
        let out = Terminal::new(stdout, colours && invocation.stdout_is_terminal, secrets.clone());
        let shown = log.clone();
        let out = if is_echoed { out.echoing(move |line| shown.shown(line)) } else { out };
        let out = Arc::new(out);
        (Self { invocation, out, err, log, secrets }, refused)
    }

    fn serve(&self, command: Command) -> ExitCode {
        let served = match command {
            Command::Build(build) => self.plan(&build.choice).and_then(|planned| self.build(planned, &build)),
            Command::Validate(validate) => self.validate(&validate),
            Command::Recover(recover) => self.recover(&recover),
            Command::Plugins => self.list_plugins(),
            Command::Version => {
                self.version();
                Ok(())
            }
            Command::External(words) => return self.run_external(words),
        };
        served.map_or(ExitCode::Failed, |()| ExitCode::Done)
    }

    fn version(&self) {
        self.say(&format!(
            "packwire v{} (runs templates of Packer {PACKER_VERSION})",
            env!("CARGO_PKG_VERSION")
        ));
    }

    fn validate(&self, validate: &Validate) -> Result<(), Failed> {
        if validate.syntax_only {
            self.template(&validate.choice.template)?;
            self.say("Syntax-only check passed. Everything looks okay.");
            return Ok(());
        }
        self.validate_with_plugins(self.plan(&validate.choice)?)
    }

    fn plan(&self, choice: &Choice) -> Result<Planned, Failed> {
        let template = self.template(&choice.template)?;
        let run = self.invocation.run_context(&choice.template);
        let variables = self.variables(&template, choice, &run)?;
        let resolved = self.told(template.resolve(&variables, &run))?;
        let selection = Selection { only: choice.only.clone(), except: choice.except.clone() };
        let catalog = Arc::new(self.catalog()?);
        let plan = self.told(Plan::of(template.source, resolved, &selection, &catalog))?;
        Ok(Planned { plan, catalog, run, withheld: variables.hidden_environment().clone() })
    }

    fn template(&self, path: &Path) -> Result<Template, Failed> {
        self.told(Template::read_in(&self.invocation.directory, path))
    }

    /// Settles the variables. From here on no sensitive value is printed; one that cannot be masked is said to be so.
    fn variables(&self, template: &Template, choice: &Choice, run: &RunContext) -> Result<Variables, Failed> {
        let given = self.told(self.given(choice))?;
        for secret in Variables::foreseen_secrets(template, &given) {
            let _said_below = self.secrets.add(&secret);
        }
        let variables = self.told(Variables::settle(template, &given, run))?;
        for (name, secret) in variables.sensitive() {
            if let Err(refused) = self.secrets.add(secret) {
                self.err.print(
                    "warning: ",
                    &format!("variable `{name}` is not masked: {refused}"),
                    Paint::Plain,
                );
            }
        }
        Ok(variables)
    }

    /// Files first, whatever their place on the command line, as Packer does.
    fn given(&self, choice: &Choice) -> Result<Vec<Given>, TemplateError> {
        let mut given = Vec::new();
        for file in &choice.variable_files {
            given.extend(Given::file(&self.invocation.directory, file)?);
        }
        given.extend(choice.variables.iter().cloned());
        Ok(given)
    }

    fn catalog(&self) -> Result<Catalog, Failed> {
        let catalog = self.told(Catalog::find(&self.invocation.catalog_environment()))?;
        for candidate in &catalog.candidates {
            self.log.say(Level::Debug, &format!("found {} ({})", candidate.command, candidate.origin));
        }
        for rejected in &catalog.rejected {
            self.log
                .say(Level::Debug, &format!("not taken: {}: {}", rejected.path.display(), rejected.reason));
        }
        Ok(catalog)
    }

    fn told<T>(&self, result: Result<T, impl Reported>) -> Result<T, Failed> {
        result.map_err(|error| {
            self.tell(&error);
            Failed
        })
    }

    fn tell(&self, error: &dyn Reported) {
        error.reports().into_iter().for_each(|report| self.show(report));
    }

    fn show(&self, report: Report) {
        let report = report.masked(&self.secrets);
        self.log.say(Level::Error, &report.to_string());
        self.err.print_styled(&report.rendered(self.err.has_colours()));
    }

    fn say(&self, text: &str) {
        self.out.print("", text, Paint::Plain);
    }

    /// Help was asked for, or the command line is wrong.
    fn explain(&self, error: &clap::Error) -> ExitCode {
        let terminal = if error.use_stderr() { &self.err } else { &self.out };
        let text = error.render();
        if terminal.has_colours() {
            terminal.print_styled(&text.ansi().to_string());
        } else {
            terminal.print("", text.to_string().trim_end(), Paint::Plain);
        }
        if error.use_stderr() { ExitCode::Usage } else { ExitCode::Done }
    }
}
