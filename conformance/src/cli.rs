//! What was typed → what is done → the exit code.

mod behind;
mod examine;
mod progress;
mod replay;
mod run;
mod screen;
mod typed;
mod work;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use miette::MietteHandlerOpts;

use crate::interrupt::Interrupt;
use crate::subject::SubjectError;
use crate::suite::SuiteError;
use crate::transcripts::TranscriptError;
use crate::wait::WaitError;
use crate::{explain, spec, supervisor};
use typed::{Other, Typed};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    if std::env::args_os().skip(1).eq([supervisor::SUPERVISE]) {
        return supervisor::supervise();
    }
    let typed = match Typed::try_parse() {
        Ok(typed) => typed,
        Err(error) => {
            // Where neither stream takes it there is nobody to tell.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { USAGE } else { VERIFIED });
        }
    };
    match act(typed) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            let code = failure.code();
            // Without our hook the message is told all the same, only wrapped.
            drop(miette::set_hook(Box::new(|_| {
                Box::new(MietteHandlerOpts::new().wrap_lines(false).build())
            })));
            // Where standard error takes nothing there is only the exit code.
            drop(writeln!(std::io::stderr(), "{:?}", miette::Report::new(failure)));
            ExitCode::from(code)
        }
    }
}

/// Whether this word, where the plugin is expected, would be taken for something else.
pub(crate) fn is_a_subcommand(word: &str) -> bool {
    word == "help" || Typed::command().get_subcommands().any(|known| known.get_name() == word)
}

const VERIFIED: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const OURS: u8 = 3;
const NEVER_ATTACHED: u8 = 4;

/// What ends the command without a verdict.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
enum Failure {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Subject(#[from] SubjectError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Suite(#[from] SuiteError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Unknown(#[from] explain::UnknownId),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Transcript(#[from] TranscriptError),
    #[error("the report cannot be written to {}", .path.display())]
    #[diagnostic(help("it needs a directory that exists, with room, and the right to write there"))]
    Report { path: PathBuf, source: std::io::Error },
    #[error("ended by {0}; there is no verdict, and nothing that was started still runs")]
    Interrupted(Interrupt),
    #[error("the recorded options are not understood: {0}")]
    Recorded(String),
    #[error(transparent)]
    Wait(#[from] WaitError),
    #[error(transparent)]
    Spec(#[from] spec::SpecError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("standard output takes nothing more")]
    #[diagnostic(help("is its disk full, or its terminal gone? --report writes to a file, too"))]
    Output(#[from] std::io::Error),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Subject(_) | Self::Unknown(_) | Self::Transcript(_) => USAGE,
            Self::Report { .. } | Self::Recorded(_) => USAGE,
            Self::Suite(SuiteError::Spec(_) | SuiteError::Directory(_) | SuiteError::Ours(_)) => OURS,
            Self::Suite(_) => USAGE,
            Self::Interrupted(by) => by.code(),
            Self::Wait(_) | Self::Spec(_) | Self::Json(_) | Self::Output(_) => OURS,
        }
    }
}

fn act(Typed { run, other }: Typed) -> Result<u8, Failure> {
    match other {
        Some(Other::List { json: false }) => print(&explain::list(&explain::requirements()?)),
        Some(Other::List { json: true }) => print(&explain::list_json(&explain::requirements()?)?),
        Some(Other::Explain { id }) => print(&explain::explain(&id, &explain::requirements()?)?),
        Some(Other::Doctor(typed)) => examine::doctor(&typed),
        Some(Other::Selftest) => examine::selftest(),
        Some(Other::Replay(typed)) => replay::replay(typed),
        Some(Other::Man { subcommand }) => print(&manual(subcommand.as_deref())?),
        Some(Other::Completions { shell }) => print(&completions(shell)),
        None if run.wait => examine::wait(),
        None => {
            behind::warn(&Typed::command(), &run.plugin);
            run::run(run)
        }
    }
}

/// The manual page of the command, or of one of its subcommands.
fn manual(of: Option<&str>) -> Result<String, Failure> {
    let mut command = Typed::command();
    command.build();
    let named = of.and_then(|name| command.find_subcommand(name).cloned());
    let mut page = Vec::new();
    clap_mangen::Man::new(named.unwrap_or(command)).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Typed::command(), "conformance", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn print(text: &str) -> Result<u8, Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // `| head` has read what it wanted.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(VERIFIED),
        written => Ok(written.map(|()| VERIFIED)?),
    }
}
