//! Everything a command takes from the process around it, so that tests can give it something else.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;

use crate::catalog::Environment;
use crate::log::{self, LogError, Outlet};
use crate::template::RunContext;

/// Where outputs go.
type Output = Box<dyn Write + Send>;

/// One start of `packwire`.
pub struct Invocation {
    /// The command line, the program's name first.
    pub arguments: Vec<OsString>,
    /// The environment.
    pub variables: BTreeMap<OsString, OsString>,
    /// The working directory, absolute.
    pub directory: PathBuf,
    /// Our own executable.
    pub executable: Option<PathBuf>,
    /// What the command yields.
    pub stdout: Output,
    /// What it has to say about it.
    pub stderr: Output,
    /// Whether stdout is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether stderr is a terminal.
    pub stderr_is_terminal: bool,
    /// The time.
    pub clock: fn() -> OffsetDateTime,
    /// A new UUID at each call.
    pub uuid: fn() -> String,
}

impl std::fmt::Debug for Invocation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Invocation").field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

impl Invocation {
    /// What this process was started with.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            arguments: std::env::args_os().collect(),
            variables: std::env::vars_os().collect(),
            directory: std::env::current_dir().unwrap_or_default(),
            executable: std::env::current_exe().ok(),
            stdout: Box::new(std::io::stdout()),
            stderr: Box::new(std::io::stderr()),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            clock: OffsetDateTime::now_utc,
            uuid: || uuid::Uuid::now_v7().to_string(),
        }
    }

    /// Where plugins are looked for.
    pub(super) fn catalog_environment(&self) -> Environment {
        Environment {
            executable: self.executable.clone(),
            home: self.variable("HOME").map(PathBuf::from),
            plugin_path: self.variable("PACKER_PLUGIN_PATH").cloned(),
            config: self.variable("PACKER_CONFIG").cloned(),
        }
    }

    /// What the functions of a template learn about the world.
    pub(super) fn run_context(&self, template: &Path) -> RunContext {
        let template = self.directory.join(template);
        let readable = |(name, value): (&OsString, &OsString)| {
            Some((name.to_str()?.to_owned(), value.to_string_lossy().into_owned()))
        };
        RunContext {
            started: (self.clock)(),
            template_dir: template.parent().unwrap_or(&self.directory).to_string_lossy().into_owned(),
            pwd: self.directory.to_string_lossy().into_owned(),
            environment: self.variables.iter().filter_map(readable).collect(),
            uuid: self.uuid,
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<&OsString> {
        self.variables.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty())
    }

    /// `NO_COLOR` and `PACKER_NO_COLOR` forbid colours, whatever they say.
    pub(super) fn allows_colours(&self) -> bool {
        self.variable("NO_COLOR").is_none() && self.variable("PACKER_NO_COLOR").is_none()
    }

    /// Where the log goes, and why it does not go to its file.
    pub(super) fn log_outlets(&self, stderr: &Shared) -> (Vec<Outlet>, Option<LogError>) {
        let mut outlets = Vec::new();
        if log::is_wanted(self.variable("PACKER_LOG").map(OsString::as_os_str)) {
            outlets.push(Outlet { writer: Box::new(stderr.clone()), beside_output: true });
        }
        match self.variable("PACKER_LOG_PATH").map(|path| log::open(&self.directory.join(path))) {
            Some(Ok(file)) => outlets.push(Outlet { writer: Box::new(file), beside_output: false }),
            Some(Err(refused)) => return (outlets, Some(refused)),
            None => {}
        }
        (outlets, None)
    }

    pub(super) fn take_outputs(&mut self) -> (Output, Output) {
        let taken = |output: &mut Output| std::mem::replace(output, Box::new(std::io::sink()));
        (taken(&mut self.stdout), taken(&mut self.stderr))
    }
}

/// One output that several write to, each whole lines at a time.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Output>>);

impl Shared {
    pub(super) fn new(output: Output) -> Self {
        Self(Arc::new(Mutex::new(output)))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        output.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}
