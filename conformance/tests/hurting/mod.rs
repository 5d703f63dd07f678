//! The suite on a plugin that hurts: its report, its exit code, its peak memory, and what it left running.
#![expect(
    clippy::disallowed_methods,
    reason = "each process is waited for, and the suite ends what it starts"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::programs::faulty;

/// The memory that the suite may take, in bytes.
pub(crate) const MOST: u64 = 256 << 20;

/// How often it is looked at; of each process its highest mark is taken, which nothing hides from.
const GLANCE: Duration = Duration::from_millis(3);

/// How long processes may take to appear, and to end, on a busy machine; what survives stays longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a run went.
pub(crate) struct Tried {
    pub(crate) code: Option<i32>,
    pub(crate) report: Value,
    /// The most that all processes of the suite together had in memory, in bytes.
    pub(crate) peak: u64,
    /// The processes of this plugin that still run.
    pub(crate) left: Vec<u32>,
}

/// Runs the suite on `faulty MANNER`, on these checks; on all if there are none.
pub(crate) fn tried(manner: &str, ids: &[&str]) -> Tried {
    run(Command::new(env!("CARGO_BIN_EXE_conformance")), manner, ids)
}

/// The same where TMPDIR is a disk of 1 MiB, which only a run in namespaces of its own sees.
pub(crate) fn full_disk(manner: &str, ids: &[&str]) -> Tried {
    require_namespaces();
    let place = tempfile::tempdir_in("/tmp").unwrap();
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=1m,mode=700 tmpfs \"$TMPDIR\" && exec \"$@\"";
    command.args(["-Urm", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_conformance")]);
    command.env("TMPDIR", place.path());
    run(command, manner, ids)
}

/// Kills the suite when it has a plugin with descendants; answers what still runs of the plugin when nothing of the suite
/// does any longer.
pub(crate) fn abandoned(manner: &str) -> Vec<u32> {
    let (_place, plugin) = plugin();
    let temporary = tempfile::tempdir().unwrap();
    kill(caught(&plugin, manner, temporary.path()));
    running(&plugin)
}

/// Kills the suite, and waits until its supervisors have ended what was theirs, and themselves. Until then a shell may
/// become the plugin's program at any moment, and be one that is to be ended.
fn kill(mut suite: Child) {
    let own = Path::new(env!("CARGO_BIN_EXE_conformance"));
    let family = below(suite.id());
    suite.kill().unwrap();
    suite.wait().unwrap();
    assert!(in_time(|| !family.iter().any(|process| runs(*process, own))), "a supervisor outlives the suite");
}

/// A suite whose plugin has descendants at this moment. One that ended before it was looked at is started again.
fn caught(plugin: &Path, manner: &str, temporary: &Path) -> Child {
    let told = temporary.join("told");
    let mut starts = 0;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        starts += 1;
        let mut suite = slow_run(plugin, manner, temporary, &told);
        in_time(|| suite.try_wait().unwrap().is_some() || running(plugin).len() > 1);
        if suite.try_wait().unwrap().is_none() && running(plugin).len() > 1 {
            return suite;
        }
        kill(suite);
    }
    panic!("it never hid in {starts} runs: {}", fs::read_to_string(told).unwrap());
}

/// Starts the suite with a check that leaves the plugin waiting for seconds.
fn slow_run(plugin: &Path, manner: &str, temporary: &Path, told: &Path) -> Child {
    let file = fs::File::create(told).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    let slow = ["--jobs", "1", "--only", "attach.patient", "--scenario", "faulty/scenario.toml", "--"];
    command.args(slow).args([plugin.as_os_str(), manner.as_ref()]);
    command.env("TMPDIR", temporary).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
    command.spawn().unwrap()
}

/// Waits until something is so; answers whether it came to that.
fn in_time(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() && Instant::now() < deadline {
        std::thread::sleep(GLANCE);
    }
    is_so()
}

/// A plugin of this run's own: what is left of it is told from what other tests do.
fn plugin() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let plugin = place.path().join("packer-builder-green");
    // Not copied by this process: a child of another test could hold it open for writing when it is to be started.
    let copied = Command::new("cp").arg(faulty()).arg(&plugin).stdin(Stdio::null()).status().unwrap();
    assert!(copied.success(), "cp: {copied}");
    (place, plugin)
}

/// The processes that run a program.
fn running(program: &Path) -> Vec<u32> {
    everybody().filter(|process| runs(*process, program)).collect()
}

fn run(mut command: Command, manner: &str, ids: &[&str]) -> Tried {
    let (place, plugin) = plugin();
    let report = place.path().join("report.json");
    let only = ids.iter().flat_map(|id| ["--only", id]);
    command.args(["--format", "json", "--jobs", "3", "--within", "10"]).args(only);
    command.args(["--scenario", "faulty/scenario.toml", "--"]).args([plugin.as_os_str(), manner.as_ref()]);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command.stdout(fs::File::create(&report).unwrap());
    let (code, peak, seen) = watch(command.spawn().unwrap(), &plugin);
    assert!(seen, "no process of the plugin was seen: what is left of it would not be, either");
    let text = fs::read_to_string(&report).unwrap();
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    Tried { code, report, peak, left: running(&plugin) }
}

/// Waits for its end; answers its exit code, the most that all of the suite had in memory, and whether the plugin was
/// seen to run.
fn watch(mut suite: Child, plugin: &Path) -> (Option<i32>, u64, bool) {
    let own = Path::new(env!("CARGO_BIN_EXE_conformance"));
    let (mut peak, mut seen) = (0, false);
    loop {
        if let Some(status) = suite.try_wait().unwrap() {
            return (status.code(), peak, seen);
        }
        let family = below(suite.id());
        peak = peak.max(held(&family, own));
        seen |= family.iter().any(|process| runs(*process, plugin));
        std::thread::sleep(GLANCE);
    }
}

/// What the processes of this program among these have had in memory at most; the pages of files, which they share,
/// count once.
fn held(processes: &[u32], program: &Path) -> u64 {
    let (mut own, mut shared) = (0, 0);
    for process in processes {
        let Some(status) = runs(*process, program).then(|| status(*process)).flatten() else { continue };
        let of = |name| status.get(name).copied().unwrap_or_default();
        own += of("VmHWM").saturating_sub(of("RssFile"));
        shared = shared.max(of("RssFile"));
    }
    own + shared
}

/// Whether a process runs this program: the file itself, whatever path it was started by.
fn runs(process: u32, program: &Path) -> bool {
    let file = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let running = file(Path::new(&format!("/proc/{process}/exe")));
    running.is_some() && running == file(program)
}

/// All processes that there are.
fn everybody() -> impl Iterator<Item = u32> {
    let names =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok())
}

/// The sizes that `/proc` tells of a process, in bytes.
fn status(process: u32) -> Option<BTreeMap<String, u64>> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let size = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let kibibytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
        Some((name.to_owned(), kibibytes << 10))
    };
    Some(text.lines().filter_map(size).collect())
}

/// A process and everything below it.
fn below(root: u32) -> Vec<u32> {
    let (mut found, mut waiting) = (Vec::new(), vec![root]);
    while let Some(process) = waiting.pop() {
        found.push(process);
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        let children = children.unwrap_or_default();
        waiting.extend(children.split_ascii_whitespace().filter_map(|id| id.parse::<u32>().ok()));
    }
    found
}

/// Without namespaces there is no full disk, and a test that is not made is not passed.
fn require_namespaces() {
    let tried = Command::new("unshare").args(["-Urm", "true"]).stdin(Stdio::null()).output();
    let why = match tried {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    panic!(
        "`unshare -Urm true` is needed for a full disk, and fails: {}\nRun first, as the kernel forbids it: \
         sudo sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 \
         user.max_user_namespaces=15000",
        why.trim_end()
    );
}
