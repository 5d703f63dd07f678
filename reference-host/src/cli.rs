//! What was typed → [`Args`].

mod flags;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::exit::ExitCode;
use crate::template::Given;

pub use flags::NotThereYet;

/// Everything that can be typed after `packwire`.
#[derive(Debug, Parser)]
#[command(
    name = "packwire",
    about = "Runs Packer templates through plugins of any language",
    version,
    after_help = ExitCode::HELP,
    term_width = 100,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands. (Flags may be written with one dash, as Packer's.)
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build what a template describes
    #[command(after_help = "Flags may be written with one dash: -var, -only=a,b")]
    Build(Build),
    /// Check a template without building
    #[command(after_help = "Flags may be written with one dash: -var, -only=a,b")]
    Validate(Validate),
    /// Deal with what runs have left that crashed
    #[command(after_help = "Flags may be written with one dash: -list, -var")]
    Recover(Recover),
    /// List the plugins that were found, and every candidate that was not taken
    Plugins,
    /// Print the version
    Version,
    /// What a plugin offers as a command: its name, then its arguments as they were typed.
    #[command(external_subcommand)]
    External(Vec<OsString>),
}

/// `packwire build`
#[derive(Debug, clap::Args)]
pub struct Build {
    /// Which template, which variables, which builds.
    #[command(flatten)]
    pub choice: Choice,
    /// How many builds run at a time; 0 means all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub parallel_builds: usize,
    /// Whether to print colours on a terminal
    #[arg(
        long,
        value_name = "BOOL",
        value_parser = boolean,
        default_value = "true",
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true
    )]
    pub color: bool,
    /// Whether components may replace what an earlier build left
    #[arg(
        long,
        value_name = "BOOL",
        value_parser = boolean,
        default_value = "false",
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true
    )]
    pub force: bool,
    /// What to do with a half-made machine when its build failed
    #[arg(long, value_enum, value_name = "ACTION", default_value_t = OnError::Cleanup)]
    pub on_error: OnError,
}

/// `packwire validate`
#[derive(Debug, clap::Args)]
pub struct Validate {
    /// Which template, which variables, which builds.
    #[command(flatten)]
    pub choice: Choice,
    /// Check the template's own text only: no variables, no plugins
    #[arg(long)]
    pub syntax_only: bool,
}

/// `packwire recover`
#[derive(Debug, clap::Args)]
pub struct Recover {
    /// These runs alone; without any, all that are over
    #[arg(value_name = "RUN")]
    pub runs: Vec<String>,
    /// List what is left, and change nothing
    #[arg(long)]
    pub list: bool,
    /// Set a variable again: values of `-var` are not on disk
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<Given>,
    /// Set variables from a JSON file, beside the files that the run had
    #[arg(long = "var-file", value_name = "FILE")]
    pub variable_files: Vec<PathBuf>,
}

/// What `build` and `validate` have in common.
#[derive(Debug, clap::Args)]
pub struct Choice {
    /// The JSON template
    pub template: PathBuf,
    /// Set a variable; goes before `-var-file` and the template
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<Given>,
    /// Set variables from a JSON file; later files win
    #[arg(long = "var-file", value_name = "FILE")]
    pub variable_files: Vec<PathBuf>,
    /// Run these builds alone
    #[arg(long, value_name = "BUILDS", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Run all but these builds
    #[arg(long, value_name = "BUILDS", value_delimiter = ',')]
    pub except: Vec<String>,
}

/// What happens to a half-made machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// It is taken away
    Cleanup,
    /// It stays as it is, and so does what else is half-made
    Abort,
    /// The error-cleanup provisioner runs, then it is taken away, as with `cleanup`
    RunCleanupProvisioner,
}

/// Why there are no [`Args`].
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// Packer has it and we do not.
    #[error(transparent)]
    NotThereYet(#[from] NotThereYet),
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    Clap(#[from] clap::Error),
}

impl Args {
    /// Understands a command line, the program's name first.
    ///
    /// # Errors
    /// It asks for help, is wrong, or asks for what is not there yet.
    pub fn read(arguments: Vec<OsString>) -> Result<Self, UsageError> {
        Self::read_beside(arguments, &[])
    }

    /// The same where plugins offer these commands, which help names.
    ///
    /// # Errors
    /// As [`Args::read`].
    pub fn read_beside(arguments: Vec<OsString>, commands: &[String]) -> Result<Self, UsageError> {
        let matches = command(commands).try_get_matches_from(flags::rewritten(arguments)?)?;
        Ok(Self::from_arg_matches(&matches)?)
    }

    /// Whether the help of the program itself is asked for.
    #[must_use]
    pub fn ask_for_help(arguments: &[OsString]) -> bool {
        let first = arguments.get(1).and_then(|first| first.to_str());
        arguments.len() < 2 || first.is_some_and(|first| ["-h", "--help", "-help"].contains(&first))
    }

    /// Our own commands.
    #[must_use]
    pub fn command_names() -> Vec<String> {
        command(&[]).get_subcommands().map(|command| command.get_name().to_owned()).collect()
    }
}

fn command(of_plugins: &[String]) -> clap::Command {
    let command = Args::command();
    if of_plugins.is_empty() {
        return command;
    }
    let list: String = of_plugins.iter().map(|name| format!("  {name}\n")).collect();
    command.after_help(format!("Commands of plugins:\n{list}\n{}", ExitCode::HELP))
}

fn variable(text: &str) -> Result<Given, String> {
    Given::flag(text).ok_or_else(|| "it must be NAME=VALUE".to_owned())
}

/// The spellings of Go's flags.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("it must be true or false".to_owned()),
    }
}
