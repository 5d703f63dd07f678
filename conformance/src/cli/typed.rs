//! What can be typed, as clap reads it; its comments are the help.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::check::Status;
use crate::rig::Sender;
use crate::spec::Level;

const EXIT_CODES: &str = "Exit codes, the first that applies:
  2  usage, nothing selected, or the program cannot be started
  4  the program started and never reached attach
  3  an error of the suite itself
  1  a MUST failed or is flaky; with --strict: a SHOULD is not met; with --complete: something was not exercised
  5  expectations are stale
  0  verified as asked
Ctrl-C, SIGTERM and a terminal that goes away end everything that was started, with 130, 143 and 129.";

/// Validates any Packwire plugin against the specification.
///
/// The command that starts the plugin is the interface: `conformance ./packer-builder-x`,
/// `conformance python3 plugin.py`. `--` ends the options, so that a plugin may be called `list`.
///
/// Nothing is run without --scenario: a run may cost money. What was therefore not tried is reported as not exercised,
/// and never as passed.
///
/// A check that fails only because a limit of time was missed is run again, alone. If it then passes it is flaky:
/// neither a failure nor a pass.
#[derive(Debug, Parser)]
#[command(
    name = "conformance",
    version,
    after_long_help = EXIT_CODES,
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true
)]
pub(super) struct Typed {
    #[command(flatten)]
    pub(super) run: RunArgs,
    #[command(subcommand)]
    pub(super) other: Option<Other>,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Try only the requirements that match, such as `exit.*`; may be repeated. A pattern that matches none is an error.
    #[arg(long, value_name = "PATTERN")]
    pub(super) only: Vec<String>,
    /// Leave out the requirements that match; may be repeated. A pattern that matches none is an error.
    #[arg(long, value_name = "PATTERN")]
    pub(super) skip: Vec<String>,
    /// The weakest requirements that are tried.
    #[arg(long, value_enum, default_value_t = Weakest::Should)]
    pub(super) level: Weakest,
    /// Fail also when a SHOULD is not met.
    #[arg(long)]
    pub(super) strict: bool,
    /// Fail also when something was not exercised.
    #[arg(long)]
    pub(super) complete: bool,
    /// A file that says how the plugin's components can be run; without one nothing is run.
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Option<PathBuf>,
    /// A file of rules that are known to be broken, each with a reason. They must fail: what passes is stale, and ends
    /// the command with exit code 5.
    #[arg(long, value_name = "FILE")]
    pub(super) expect: Option<PathBuf>,
    /// Write what fails now into a file for --expect, with the reasons that --expect gives. The exit code stays that of
    /// the run.
    #[arg(long, value_name = "FILE")]
    pub(super) write_expect: Option<PathBuf>,
    /// How many checks run at once, beside those that mostly wait; 1: one after another
    /// [default: the number of processors].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) jobs: Option<u16>,
    /// Stretch every time limit by this factor.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor)]
    pub(super) slow: f64,
    /// How many seconds the plugin has for its first attach, before --slow stretches them.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = factor)]
    pub(super) within: f64,
    /// The seed of the configurations that are made by chance; the same seed makes the same ones.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(super) seed: u64,
    /// How the report on standard output is written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    /// Write a report to a file, too, such as `junit=report.xml`; may be repeated.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report)]
    pub(super) report: Vec<(Format, PathBuf)>,
    /// Keep all messages and the log of every check in this directory, one file each; `replay` shows them.
    #[arg(long, value_name = "DIR")]
    pub(super) transcripts: Option<PathBuf>,
    /// Run nothing: print the three variables, wait for a plugin that is started by hand, under a debugger for example,
    /// and show every message of its session.
    #[arg(long, conflicts_with = "plugin", exclusive = true)]
    pub(super) wait: bool,
    /// The program that is the plugin, and its arguments.
    #[arg(required_unless_present = "wait", trailing_var_arg = true, allow_hyphen_values = true, value_names = ["PLUGIN", "ARGS"])]
    pub(super) plugin: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Other {
    /// Lists all checks.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Says all there is to say about one requirement.
    Explain {
        /// Its id, such as `exit.leave`.
        id: String,
    },
    /// Goes through the attach of a plugin step by step, and says what to do where it fails: for the first hour.
    Doctor(DoctorArgs),
    /// Tries whether this machine has what the suite needs.
    Selftest,
    /// Shows what `--transcripts` kept, or tries the same checks again.
    Replay(ReplayArgs),
    /// Prints the manual page, for `man -l -`.
    Man {
        /// The subcommand that it is about [default: the whole command].
        #[arg(value_parser = ["list", "explain", "doctor", "selftest", "replay", "man", "completions"])]
        subcommand: Option<String>,
    },
    /// Prints the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// How many seconds the plugin has to connect.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = factor)]
    pub(super) within: f64,
    /// The program that is the plugin, and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_names = ["PLUGIN", "ARGS"])]
    pub(super) plugin: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The directory that `--transcripts` made.
    pub(super) directory: PathBuf,
    /// Only the checks that match, such as `exit.*`; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub(super) only: Vec<String>,
    /// Only the checks with this status; may be repeated
    /// [default: all that did not simply pass].
    #[arg(long, value_name = "STATUS", value_parser = status)]
    pub(super) status: Vec<Status>,
    /// Only the messages of one side.
    #[arg(long, value_enum, value_name = "SIDE")]
    pub(super) from: Option<Side>,
    /// Only messages and log lines with this text.
    #[arg(long, value_name = "TEXT")]
    pub(super) containing: Option<String>,
    /// Start the recorded command again, from where it was started, and try these checks with the same seed and options.
    /// The messages are not sent again: they are only as good as the session that they were part of.
    #[arg(long, conflicts_with_all = ["from", "containing"])]
    pub(super) run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Human,
    /// For programs.
    Json,
    /// For build servers: JUnit's XML.
    Junit,
    /// For comments and summaries of builds.
    Markdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Weakest {
    /// Only what a plugin must do.
    Must,
    /// Also what it should do.
    Should,
}

impl From<Weakest> for Level {
    fn from(weakest: Weakest) -> Self {
        match weakest {
            Weakest::Must => Self::Must,
            Weakest::Should => Self::Should,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Side {
    /// The host, which is the suite.
    Host,
    /// The plugin.
    Plugin,
}

impl From<Side> for Sender {
    fn from(side: Side) -> Self {
        match side {
            Side::Host => Self::Host,
            Side::Plugin => Self::Plugin,
        }
    }
}

fn factor(typed: &str) -> Result<f64, String> {
    match typed.parse() {
        Ok(factor) if (0.01..=1000.0).contains(&factor) => Ok(factor),
        _ => Err("a number from 0.01 to 1000 is needed".to_owned()),
    }
}

fn report(typed: &str) -> Result<(Format, PathBuf), String> {
    let (format, file) = typed.split_once('=').ok_or("FORMAT=FILE is needed, such as junit=report.xml")?;
    if file.is_empty() {
        return Err("the file has no name".to_owned());
    }
    let known = || Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let names = || known().map(|value| value.get_name().to_owned()).collect::<Vec<_>>().join(", ");
    let format = Format::from_str(format, false)
        .map_err(|_| format!("`{format}` is no format; there are {}", names()))?;
    Ok((format, file.into()))
}

fn status(typed: &str) -> Result<Status, String> {
    let words = || Status::ALL.map(Status::word).join(", ");
    let found = Status::ALL.into_iter().find(|status| status.word() == typed);
    found.ok_or_else(|| format!("there are {}", words()))
}
