//! A world for one run of `packwire`: a folder, a HOME, a TMPDIR and the plugins that a test wants.
//!
//! Whatever a test starts is known by its TMPDIR, and is killed when the world goes. A world that goes without a
//! panic asserts first that no process is left, and nothing in TMPDIR.

mod processes;
mod programs;
mod run;
mod said;

use std::ffi::{CString, OsStr};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) use run::Run;
pub(crate) use said::Said;

/// Long enough for a busy machine: a test that waits this long has failed.
pub(crate) const AT_LAST: Duration = Duration::from_secs(60);

/// All that a run of `packwire` sees of the world.
pub(crate) struct World {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl World {
    /// A world with these plugins of ours, and no others.
    pub(crate) fn with(plugins: &[&str]) -> Self {
        // Short: the path of a socket has 108 bytes.
        let folder = tempfile::Builder::new().prefix("e2e-").tempdir_in("/tmp").unwrap();
        let world = Self { folder, variables: Vec::new() };
        for part in ["home", "tmp", "plugins", "here"] {
            fs::create_dir(world.folder.path().join(part)).unwrap();
        }
        for plugin in plugins {
            symlink(programs::plugin(plugin), world.plugins().join(plugin)).unwrap();
        }
        world
    }

    /// The four plugins of this repository.
    pub(crate) fn with_all() -> Self {
        Self::with(&[FILE, NULL, LOCAL, SHELL])
    }

    /// The same with a `template.json`.
    pub(crate) fn template(self, text: &str) -> Self {
        self.file("template.json", text)
    }

    /// The same with a file in the working directory.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    /// The same with a named pipe in the working directory: who reads it waits until somebody writes.
    pub(crate) fn pipe(self, name: &str) -> Self {
        use std::os::unix::ffi::OsStrExt as _;
        let path = CString::new(self.path(name).as_os_str().as_bytes()).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        self
    }

    /// The same with a plugin that is a script.
    pub(crate) fn script(self, name: &str, text: &str) -> Self {
        let path = self.plugins().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// The same with a plugin of ours that a script starts, once it has said so in `started`.
    pub(crate) fn counted(self, name: &str) -> Self {
        let (real, list) = (programs::plugin(name), self.path("started"));
        let text = format!("#!/bin/sh\necho {name} >> {}\nexec {}\n", list.display(), real.display());
        self.script(name, &text)
    }

    /// The same with a plugin of ours behind a connection that is cut when the pipe `cut` is written.
    pub(crate) fn unplugged(self) -> Self {
        let (real, cut) = (programs::plugin(STAGE), self.path("cut"));
        let text = format!("#!/bin/sh\nexec {} unplugged {}\n", real.display(), cut.display());
        self.pipe("cut").script(STAGE, &text)
    }

    /// The same, where the host hears one word in the place of another that is as long.
    pub(crate) fn misheard(self, said: &str, heard: &str) -> Self {
        assert_eq!(said.len(), heard.len(), "a message keeps its length");
        let (real, cut) = (programs::plugin(STAGE), self.path("cut"));
        let text = format!("#!/bin/sh\nexec {} unplugged {} {said} {heard}\n", real.display(), cut.display());
        self.pipe("cut").script(STAGE, &text)
    }

    /// The same with a plugin that makes this mistake of `faulty`, and all of whose components are `green`.
    pub(crate) fn faulty(self, name: &str, mistake: &str) -> Self {
        let text = format!("#!/bin/sh\nexec {} {mistake}\n", programs::plugin("faulty").display());
        self.script(name, &text)
    }

    /// How often the host has called a method of an interface in the plugin of [`World::unplugged`].
    pub(crate) fn calls(&self, interface: u64, method: u16) -> usize {
        let heard = fs::read(self.path("cut.heard")).unwrap();
        // As a call has it: its method, whom the results go to (the caller), the interface.
        let call = [&method.to_le_bytes()[..], &[0, 0], &interface.to_le_bytes()[..]].concat();
        heard.windows(call.len()).filter(|bytes| *bytes == call).count()
    }

    /// The same with a plugin of ours that a script starts, once it has noted a variable in a file.
    pub(crate) fn noting(self, name: &str, variable: &str, file: &str) -> Self {
        let (real, list) = (programs::plugin(name), self.path(file));
        let text =
            format!("#!/bin/sh\necho \"${variable}\" >> {}\nexec {}\n", list.display(), real.display());
        self.script(name, &text)
    }

    /// The same with a plugin of ours that writes a line to its log first.
    pub(crate) fn talkative(self, name: &str, line: &str) -> Self {
        let text = format!("#!/bin/sh\necho '{line}' >&2\nexec {}\n", programs::plugin(name).display());
        self.script(name, &text)
    }

    /// The same with an environment variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file in the working directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("here").join(name)
    }

    /// What a file in the working directory says.
    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap_or_default()).into_owned()
    }

    /// Where plugins are found.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// The directory for what is temporary.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// What lies in TMPDIR, by name.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        let entries = fs::read_dir(self.temporary()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// What the ledger still speaks of: `RUN/FILE` for each entry.
    pub(crate) fn ledger(&self) -> Vec<String> {
        let is_entry =
            |file: &String| file.contains('/') && !file.ends_with("/run.json") && !file.contains("/.");
        self.ledger_files().into_iter().filter(is_entry).collect()
    }

    /// All that lies in the ledger, `RUN` and `RUN/FILE`.
    pub(crate) fn ledger_files(&self) -> Vec<String> {
        let place = self.folder.path().join("home/.local/state/packwire/ledger");
        let list = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut files: Vec<_> = list(&place).map(name).collect();
        for run in files.clone() {
            files.extend(list(&place.join(&run)).map(|entry| format!("{run}/{}", name(entry))));
        }
        files
    }

    /// The processes that were started in this world and live.
    pub(crate) fn processes(&self) -> Vec<processes::Process> {
        processes::of(self.folder.path())
    }

    /// The process that runs this plugin of ours, if there is one.
    pub(crate) fn find_process(&self, plugin: &str) -> Option<processes::Process> {
        self.processes().into_iter().find(|process| process.runs(&programs::plugin(plugin)))
    }

    /// The one process that runs this plugin of ours.
    pub(crate) fn process(&self, plugin: &str) -> processes::Process {
        let mut running: Vec<_> =
            self.processes().into_iter().filter(|process| process.runs(&programs::plugin(plugin))).collect();
        assert_eq!(running.len(), 1, "{plugin} runs once: {running:?}");
        running.remove(0)
    }

    /// Runs a command line, words parted by spaces, to its end.
    pub(crate) fn run(&self, line: &str) -> Said {
        self.start(line).said()
    }

    /// Starts a command line, words parted by spaces.
    pub(crate) fn start<'world>(&'world self, line: &str) -> Run<'world> {
        self.start_through(&[], line)
    }

    /// The same through a command that runs another one, words of its own first.
    pub(crate) fn start_through<'world>(&'world self, through: &[&str], line: &str) -> Run<'world> {
        let mut words = through.iter().map(AsRef::<OsStr>::as_ref).chain([programs::packwire().as_os_str()]);
        #[expect(clippy::disallowed_methods, reason = "`Run` owns it, and the world all that it starts")]
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .args(line.split_whitespace())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path().join("home"))
            .env("TMPDIR", self.temporary())
            .env("PACKER_PLUGIN_PATH", self.plugins())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path().join("here"))
            .stdin(Stdio::null());
        Run::of(self, line, command)
    }

    /// Waits until the file is there and says something.
    pub(crate) fn until_written(&self, name: &str) {
        until(&format!("{name} is written"), || !self.read(name).is_empty());
    }

    /// Waits until none of the world's processes is left.
    pub(crate) fn until_quiet(&self, within: Duration) {
        let deadline = Instant::now() + within;
        while let left = self.processes()
            && !left.is_empty()
        {
            assert!(Instant::now() < deadline, "still there after {within:?}: {left:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills what is left, for a test that says why it is.
    pub(crate) fn end_processes(&self) {
        processes::end(self.folder());
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let left = self.processes();
        processes::end(self.folder.path());
        if std::thread::panicking() {
            return;
        }
        assert!(left.is_empty(), "processes are left: {left:?}");
        let (files, entries) = (self.left_behind(), self.ledger());
        assert!(entries.is_empty(), "entries are left in the ledger: {entries:?}");
        assert!(files.is_empty(), "files are left in TMPDIR: {files:?}");
    }
}

/// Waits for what other processes do; a deadline and no hope.
pub(crate) fn until(what: &str, happened: impl Fn() -> bool) {
    until_some(what, || happened().then_some(()));
}

/// Waits until there is something.
pub(crate) fn until_some<T>(what: &str, looked_for: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + AT_LAST;
    loop {
        if let Some(found) = looked_for() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) const FILE: &str = "packer-builder-file";
pub(crate) const NULL: &str = "packer-builder-null";
pub(crate) const LOCAL: &str = "packer-communicator-local";
pub(crate) const SHELL: &str = "packer-provisioner-shell";
/// Not of this repository's plugins: it does what a test tells it.
pub(crate) const STAGE: &str = "packer-plugin-stage";
