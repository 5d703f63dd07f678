//! `cargo xtask soak`: the whole suite on every reference plugin, again and again, alone and under load. What is not a
//! pass there is a fault of the suite, or of the plugin.

use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use miette::{Context as _, IntoDiagnostic as _};
use serde_json::Value;

use crate::process;

/// How the suite is run.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    /// Check after check, with `--jobs 1`
    Alone,
    /// With `--jobs 16`, and every core busy beside it
    Loaded,
}

impl Way {
    fn jobs(self) -> &'static str {
        match self {
            Self::Alone => "1",
            Self::Loaded => "16",
        }
    }

    fn load(self) -> Option<Load> {
        (self == Self::Loaded).then(Load::begin)
    }
}

/// Run the suite on all reference plugins until it has been right often enough
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often, each time in both ways
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// Only plugins whose name holds this, such as `shell`
    #[arg(long, default_value = "")]
    only: String,
    /// Only these checks, such as `comm.*`; may be given more than once
    #[arg(long)]
    checks: Vec<String>,
    /// In one way only
    #[arg(long, value_enum)]
    way: Option<Way>,
    /// How many plugins are tried at the same time
    #[arg(long, default_value_t = NonZeroUsize::MIN)]
    at_once: NonZeroUsize,
}

/// Runs it, tells whatever was no pass, and fails if anything was.
pub(crate) fn run(args: &Args) -> miette::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().into_diagnostic()?;
    let plugins: Vec<Plugin> =
        Plugin::all(&root)?.into_iter().filter(|plugin| plugin.name.contains(&args.only)).collect();
    if plugins.is_empty() {
        miette::bail!("no reference plugin is called *{}*", args.only);
    }
    let programs = built(&root, &plugins)?;
    let mut strays = 0;
    for number in 1..=args.runs {
        for way in [Way::Alone, Way::Loaded] {
            if args.way.is_some_and(|wanted| wanted != way) {
                continue;
            }
            let found = round(&plugins, &programs, way, args)?;
            println!("run {number} of {}, {found}", args.runs);
            strays += found.strays.len();
        }
    }
    if strays > 0 {
        miette::bail!("{strays} results were no pass");
    }
    Ok(())
}

/// All plugins, tried once in one way.
fn round(plugins: &[Plugin], programs: &Path, way: Way, args: &Args) -> miette::Result<Round> {
    let began = Instant::now();
    let _load = way.load();
    let share = plugins.len().div_ceil(args.at_once.get());
    let strays = std::thread::scope(|scope| {
        let parts = plugins.chunks(share);
        let workers: Vec<_> =
            parts.map(|part| scope.spawn(move || strays(part, programs, way, &args.checks))).collect();
        let found =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        found.collect::<miette::Result<Vec<_>>>()
    });
    let strays = strays?.concat();
    Ok(Round { way, strays, seconds: began.elapsed().as_secs() })
}

/// What was no pass, one plugin after another.
fn strays(plugins: &[Plugin], programs: &Path, way: Way, checks: &[String]) -> miette::Result<Vec<String>> {
    let found = plugins.iter().map(|plugin| plugin.tried(programs, way.jobs(), checks));
    Ok(found.collect::<miette::Result<Vec<_>>>()?.concat())
}

/// What a round found.
struct Round {
    way: Way,
    strays: Vec<String>,
    seconds: u64,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = if self.way == Way::Loaded { " under load" } else { "" };
        let (jobs, count, seconds) = (self.way.jobs(), self.strays.len(), self.seconds);
        write!(f, "--jobs {jobs}{load}: {count} were no pass, {seconds} s")?;
        self.strays.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// A reference plugin that has a scenario.
struct Plugin {
    name: String,
    scenario: PathBuf,
}

impl Plugin {
    fn all(root: &Path) -> miette::Result<Vec<Self>> {
        let folders = std::fs::read_dir(root.join("reference-plugin")).into_diagnostic()?;
        let mut all = Vec::new();
        for folder in folders {
            let folder = folder.into_diagnostic()?;
            let (name, scenario) = (folder.file_name(), folder.path().join("scenario.toml"));
            if let (Ok(name), true) = (name.into_string(), scenario.is_file()) {
                all.push(Self { name: format!("packer-{name}"), scenario });
            }
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// What was no pass, a line each.
    fn tried(&self, programs: &Path, jobs: &str, checks: &[String]) -> miette::Result<Vec<String>> {
        let mut arguments: Vec<OsString> = ["--format", "json", "--jobs", jobs].map(OsString::from).to_vec();
        arguments.extend(checks.iter().flat_map(|check| ["--only".into(), check.into()]));
        arguments.extend([
            "--scenario".into(),
            self.scenario.clone().into(),
            programs.join(&self.name).into(),
        ]);
        let said = process::whatever(&programs.join("conformance"), &arguments, programs)?;
        let report: Value = serde_json::from_slice(&said.stdout).into_diagnostic().wrap_err_with(|| {
            let words = String::from_utf8_lossy(&said.stderr);
            format!("the suite made no report on {}, {}: {}", self.name, said.status, words.trim())
        })?;
        let results = report["results"].as_array().map(Vec::as_slice).unwrap_or_default();
        if results.is_empty() {
            miette::bail!("the report on {} has no results", self.name);
        }
        let wanted = results.iter().filter(|result| checks.is_empty() || result["status"] != "skipped");
        let strays = wanted.filter(|result| !is_fine(result));
        Ok(strays.map(|result| format!("{}: {}", self.name, told(result))).collect())
    }
}

fn is_fine(result: &Value) -> bool {
    matches!(result["status"].as_str(), Some("pass" | "not-applicable"))
}

/// Its id and status, and what was seen.
fn told(result: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (id, status, finding) = (text(&result["id"]), text(&result["status"]), &result["findings"][0]);
    let why = match finding {
        Value::Null => text(&result["reason"]),
        finding => format!("{}; {}", text(&finding["expected"]), text(&finding["observed"])),
    };
    format!("{id} {status}: {why}")
}

/// Every core is busy for as long as this lives.
struct Load(Arc<AtomicBool>);

impl Load {
    fn begin() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let over = over.clone();
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(over)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Builds the programs, and says in which directory cargo put them.
fn built(root: &Path, plugins: &[Plugin]) -> miette::Result<PathBuf> {
    let mut arguments = vec!["build", "--package", "packwire-conformance"];
    arguments.extend(plugins.iter().flat_map(|plugin| ["--package", plugin.name.as_str()]));
    process::shown(Path::new("cargo"), &arguments, root)?;
    let soak = std::env::current_exe().into_diagnostic()?;
    Ok(soak.parent().unwrap_or(root).to_owned())
}
