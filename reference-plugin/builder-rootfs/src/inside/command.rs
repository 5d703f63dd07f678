//! One command, where the tree is.
use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, ExitStatus},
};

use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use serde::{Deserialize, Serialize};

use super::Place;

/// A command to be run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Requested {
    pub(crate) shell: PathBuf,
    pub(crate) line: String,
    /// The names of the variables that it gets of this process's; missing: all. Values stand in no argument.
    pub(crate) environment: Option<Vec<OsString>>,
    /// Where to write the [`Report`]: standard error is the command's own.
    pub(crate) report: PathBuf,
}

/// How a command ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    Status(i32),
    Signal(String),
    Failed(String),
}

impl Requested {
    pub(super) fn run(self, place: &Place) -> Result<(), String> {
        let report =
            File::create_new(&self.report).map_err(|error| format!("no report can be made: {error}"))?;
        let told = self.ended(place).unwrap_or_else(Report::Failed);
        serde_json::to_writer(report, &told).map_err(|error| format!("the report cannot be written: {error}"))
    }

    fn ended(&self, place: &Place) -> Result<Report, String> {
        let told = |error: io::Error| format!("the command cannot be started: {error}");
        let nothing = File::options().read(true).write(true).open("/dev/null").map_err(told)?;
        let _tree = place.enter().map_err(|error| format!("the tree cannot be entered: {error}"))?;
        let started = self.shell().spawn();
        // Who holds the pipes should be the command alone, so that their ends are its own.
        let let_go =
            dup2_stdin(&nothing).and_then(|()| dup2_stdout(&nothing)).and_then(|()| dup2_stderr(&nothing));
        let shell = self.shell.display();
        let mut started =
            started.map_err(|error| format!("{shell} cannot be started in the tree: {error}"))?;
        let ended = started.wait().map_err(told)?;
        let_go.map_err(|error| told(error.into()))?;
        Ok(Report::of(ended))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "waited for here; whoever started this process ends its group"
    )]
    fn shell(&self) -> Command {
        let mut shell = Command::new(&self.shell);
        shell.arg("-c").arg(&self.line);
        if let Some(names) = &self.environment {
            let given = |name: &OsString| Some((name.clone(), std::env::var_os(name)?));
            shell.env_clear().envs(names.iter().filter_map(given));
        }
        shell
    }
}

impl Report {
    fn of(ended: ExitStatus) -> Self {
        match (ended.code(), ended.signal()) {
            (Some(status), _) => Self::Status(status),
            (None, Some(signal)) => Self::Signal(packwire_plugin::signal_name(signal)),
            (None, None) => Self::Failed("the command ended in a way that could not be seen".to_owned()),
        }
    }
}
