//! One start of `packwire` in this process, in a world of its own; all it says is one text.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use packwire_host::command::{self, Invocation};
use tempfile::TempDir;
use time::macros::datetime;

/// A folder to run in, and what the environment says.
pub(crate) struct Rig {
    folder: TempDir,
    variables: BTreeMap<OsString, OsString>,
    terminal: bool,
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<u8>>>);

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Rig {
    /// An empty folder, an empty environment, no terminal.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: BTreeMap::new(), terminal: false }
    }

    /// A folder whose `template.json` has this text.
    pub(crate) fn with_template(text: &str) -> Self {
        Self::new().file("template.json", text)
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path().join(name), text).unwrap();
        self
    }

    /// An executable that is found as a plugin, and never started.
    pub(crate) fn plugin(self, name: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path().join(name);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    pub(crate) fn on_a_terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command line, words parted by spaces, and yields stdout, stderr and exit code as one text.
    pub(crate) fn run(&self, line: &str) -> String {
        let (stdout, stderr) = (Recorder::default(), Recorder::default());
        let words = std::iter::once("packwire").chain(line.split_whitespace());
        let code = command::run(Invocation {
            arguments: words.map(OsString::from).collect(),
            variables: self.variables.clone(),
            directory: self.path().to_owned(),
            executable: Some(self.path().join("packwire")),
            stdout: Box::new(stdout.clone()),
            stderr: Box::new(stderr.clone()),
            stdout_is_terminal: self.terminal,
            stderr_is_terminal: self.terminal,
            clock: || datetime!(2026-03-07 14:05:09 UTC),
            uuid: || "0198-uuid".to_owned(),
        });
        let folder = self.path().to_str().unwrap();
        let text = |recorder: &Recorder| {
            String::from_utf8(recorder.0.lock().unwrap().clone()).unwrap().replace(folder, "FOLDER")
        };
        format!(
            "$ packwire {line}\n{}--- stderr ---\n{}--- exit {} ---\n",
            text(&stdout),
            text(&stderr).replace('\x1b', "ESC"),
            code.number()
        )
    }
}
