//! What each command does, from the command line to the exit code.

mod invocation;
mod plugins;

use std::path::Path;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::cli::{Args, Build, Choice, Command, UsageError, Validate};
use crate::exit::ExitCode;
use crate::plan::{Plan, Selection};
use crate::report::{Report, Reported};
use crate::template::{Given, PACKER_VERSION, RunContext, Template, TemplateError, Variables};
use crate::ui::{Paint, Secrets, Terminal};

pub use invocation::Invocation;
pub use plugins::{Described, Description};

/// The whole of `packwire`: reads the process's command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    run(Invocation::of_process())
}

/// Does what the command line says.
#[must_use]
pub fn run(mut invocation: Invocation) -> ExitCode {
    let args = Args::read(std::mem::take(&mut invocation.arguments));
    let colours = args.as_ref().map_or(true, Args::wants_colours);
    let desk = Desk::open(invocation, colours);
    match args {
        Ok(args) => desk.serve(args.command),
        Err(UsageError::NotThereYet(refused)) => {
            desk.tell(&refused);
            ExitCode::Usage
        }
        Err(UsageError::Clap(error)) => desk.explain(&error),
    }
}

impl Args {
    fn wants_colours(&self) -> bool {
        match &self.command {
            Command::Build(build) => build.color,
            Command::Validate(_) | Command::Plugins | Command::Version => true,
        }
    }
}

/// Where a command finds the world around it and says what it has to say.
struct Desk {
    invocation: Invocation,
    out: Terminal,
    err: Terminal,
    secrets: Arc<Secrets>,
}

/// A command that failed has said why.
struct Failed;

impl Desk {
    fn open(mut invocation: Invocation, colours: bool) -> Self {
        let secrets = Arc::new(Secrets::default());
        let colours = colours && invocation.allows_colours();
        let (stdout, stderr) = invocation.take_outputs();
        let out = Terminal::new(stdout, colours && invocation.stdout_is_terminal, secrets.clone());
        let err = Terminal::new(stderr, colours && invocation.stderr_is_terminal, secrets.clone());
        Self { invocation, out, err, secrets }
    }

    fn serve(&self, command: Command) -> ExitCode {
        let served = match command {
            Command::Build(build) => self.build(&build),
            Command::Validate(validate) => self.validate(&validate),
            Command::Plugins => self.plugins(),
            Command::Version => {
                self.version();
                Ok(())
            }
        };
        served.map_or(ExitCode::Failed, |()| ExitCode::Done)
    }

    fn version(&self) {
        self.say(&format!(
            "packwire v{} (runs templates of Packer {PACKER_VERSION})",
            env!("CARGO_PKG_VERSION")
        ));
    }

    fn plugins(&self) -> Result<(), Failed> {
        let catalog = self.catalog()?;
        self.say(plugins::listed(&catalog, &Described::default()).trim_end());
        Ok(())
    }

    fn validate(&self, validate: &Validate) -> Result<(), Failed> {
        if validate.syntax_only {
            self.template(&validate.choice.template)?;
            self.say("Syntax-only check passed. Everything looks okay.");
            return Ok(());
        }
        self.plan(&validate.choice)?;
        self.refuse("checking configurations with their plugins", "`-syntax-only` checks the template itself")
    }

    fn build(&self, build: &Build) -> Result<(), Failed> {
        self.plan(&build.choice)?;
        self.refuse("running a build", "`validate -syntax-only` checks the template itself")
    }

    fn refuse(&self, what: &str, hint: &str) -> Result<(), Failed> {
        let report = Report::new(&format!("{what} is not there yet")).with_hint(Some(hint.to_owned()));
        self.show(&report);
        Err(Failed)
    }

    fn plan(&self, choice: &Choice) -> Result<Plan, Failed> {
        let template = self.template(&choice.template)?;
        let run = self.invocation.run_context(&choice.template);
        let variables = self.told(self.variables(&template, choice, &run))?;
        self.mask(&variables);
        let builds = self.told(template.resolve(&variables, &run))?;
        let selection = Selection { only: choice.only.clone(), except: choice.except.clone() };
        self.told(Plan::of(template.source, builds, &selection, &self.catalog()?))
    }

    fn template(&self, path: &Path) -> Result<Template, Failed> {
        self.told(Template::read_in(&self.invocation.directory, path))
    }

    fn variables(
        &self,
        template: &Template,
        choice: &Choice,
        run: &RunContext,
    ) -> Result<Variables, TemplateError> {
        let mut given = Vec::new();
        for file in &choice.variable_files {
            given.extend(Given::file(&self.invocation.directory, file)?);
        }
        given.extend(choice.variables.iter().cloned());
        Variables::settle(template, &given, run)
    }

    /// From here on no sensitive value is printed; one that cannot be masked is said to be so.
    fn mask(&self, variables: &Variables) {
        for secret in variables.sensitive().iter().filter(|secret| !secret.is_empty()) {
            if let Err(refused) = self.secrets.add(secret) {
                self.err.print("warning: ", &refused.to_string(), Paint::Plain);
            }
        }
    }

    fn catalog(&self) -> Result<Catalog, Failed> {
        self.told(Catalog::find(&self.invocation.catalog_environment()))
    }

    fn told<T>(&self, result: Result<T, impl Reported>) -> Result<T, Failed> {
        result.map_err(|error| {
            self.tell(&error);
            Failed
        })
    }

    fn tell(&self, error: &dyn Reported) {
        error.reports().iter().for_each(|report| self.show(report));
    }

    fn show(&self, report: &Report) {
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
