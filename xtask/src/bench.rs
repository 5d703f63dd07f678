//! `cargo xtask bench`: how long the suite takes and how much memory, on the green plugin and a reference plugin.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use miette::IntoDiagnostic as _;

use crate::process::{self, Running};

/// How often the memory is looked at; of each process its highest mark counts.
const GLANCE: Duration = Duration::from_millis(5);
/// How long a run may take on two cores, without a scenario and with one.
const BUDGETS: [u64; 2] = [20, 60];

/// A plugin, how it is started, and its scenario.
const SUBJECTS: [(&str, &[&str], &str); 2] = [
    ("faulty green", &["packer-builder-green", "green"], "conformance/faulty/scenario.toml"),
    ("packer-builder-file", &["packer-builder-file"], "reference-plugin/builder-file/scenario.toml"),
];

/// Runs the suite on each, and prints a table.
pub(crate) fn run() -> miette::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().into_diagnostic()?;
    let packages = ["packwire-conformance", "packwire-faulty", "packer-builder-file"];
    let build = std::iter::once("build").chain(packages.iter().flat_map(|package| ["--package", package]));
    process::shown(Path::new("cargo"), &build.collect::<Vec<_>>(), &root)?;
    let own = std::env::current_exe().into_diagnostic()?;
    let programs = own.parent().unwrap_or(&root);
    // The name of its file says what the green plugin offers.
    let place = tempfile::tempdir().into_diagnostic()?;
    for (from, to) in [("faulty", "packer-builder-green"), ("packer-builder-file", "packer-builder-file")] {
        std::os::unix::fs::symlink(programs.join(from), place.path().join(to)).into_diagnostic()?;
    }
    println!("{:22} {:10} {:>8} {:>8} {:>10}", "plugin", "scenario", "took", "budget", "memory");
    for (name, command, scenario) in SUBJECTS {
        for (with, budget) in [false, true].into_iter().zip(BUDGETS) {
            let mut arguments = vec!["--format".to_owned(), "json".to_owned()];
            if with {
                arguments.extend(["--scenario".to_owned(), root.join(scenario).display().to_string()]);
            }
            arguments.push("--".to_owned());
            arguments.push(place.path().join(command[0]).display().to_string());
            arguments.extend(command[1..].iter().map(|&argument| argument.to_owned()));
            let (took, peak) = measured(&programs.join("conformance"), &arguments, &root)?;
            let (with, took) = (if with { "with" } else { "without" }, took.as_secs_f64());
            println!("{name:22} {with:10} {took:6.1} s {budget:6} s {:6} MiB", peak >> 20);
        }
    }
    Ok(())
}

/// How long a run takes, and the most memory that the suite has.
fn measured(suite: &Path, arguments: &[String], root: &Path) -> miette::Result<(Duration, u64)> {
    let (began, mut peak) = (Instant::now(), 0);
    let mut running = Running::start(suite, arguments, root)?;
    while !running.has_ended().into_diagnostic()? {
        peak = peak.max(held(running.id(), suite));
        std::thread::sleep(GLANCE);
    }
    Ok((began.elapsed(), peak))
}

/// What the processes of this program, from this one down, have had in memory at most; shared pages count once.
fn held(root: u32, program: &Path) -> u64 {
    let (mut own, mut shared, mut waiting) = (0, 0, vec![root]);
    while let Some(process) = waiting.pop() {
        let folder = PathBuf::from(format!("/proc/{process}"));
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let children = read(&format!("task/{process}/children"));
        waiting.extend(children.split_ascii_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        if std::fs::read_link(folder.join("exe")).is_ok_and(|exe| exe == program) {
            let status = read("status");
            let file = size(&status, "RssFile:");
            own += size(&status, "VmHWM:").saturating_sub(file);
            shared = shared.max(file);
        }
    }
    own + shared
}

/// One of the sizes of `/proc/PID/status`, in bytes.
fn size(status: &str, name: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
    value.and_then(|kibibytes| kibibytes.parse::<u64>().ok()).unwrap_or_default() << 10
}
