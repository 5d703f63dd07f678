//! The suite is verified too: every fault turns the check that claims it red, and nothing that is right does.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the functions of a test may fail as it may"
)]

mod matrix;
mod programs;
mod support;

use std::path::Path;
use std::sync::{LazyLock, Mutex};
use std::thread;

use matrix::{FILTERS, RACES};
use programs::{built, faulty, output};
use regex::Regex;
use serde_json::Value;
use support::{report, report_on};

/// How many plugins are tried side by side. They mostly wait: for deadlines that a fault does not keep.
const SIDE_BY_SIDE: usize = 6;

/// The same on every machine; and no plugin here needs the half minute that an attach may take.
const OPTIONS: [&str; 4] = ["--jobs", "3", "--within", "10"];

/// How the green plugin is run.
const SCENARIO: [&str; 2] = ["--scenario", "faulty/scenario.toml"];

/// Tries many plugins, and answers in their order.
fn each<P: Sync, T: Send>(plugins: &[P], work: impl Fn(&P) -> T + Sync) -> Vec<T> {
    let waiting = Mutex::new(plugins.iter().enumerate());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let Some((at, plugin)) = waiting.lock().unwrap().next() else { return };
                    let result = work(plugin);
                    done.lock().unwrap().push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What `faulty list --json` says of one kind: `fault`, `dialect` or `null`.
fn manners(kind: &str) -> Vec<Value> {
    let list = output(faulty(), ["list", "--json"]).stdout;
    let all: Vec<Value> = serde_json::from_slice(&list).unwrap();
    all.into_iter().filter(|manner| manner["kind"] == kind).collect()
}

/// A member that is a text.
fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("{member} is no text in {value}"))
}

fn names(kind: &str) -> Vec<String> {
    manners(kind).iter().map(|manner| text(manner, "name").to_owned()).collect()
}

/// The results that are neither a pass nor without meaning for the plugin: their ids, and how they stand. What is
/// flaky on a busy machine is tried once more, as what is late is.
fn red(report: &Value) -> Vec<(String, String)> {
    let told =
        results(report).map(|result| (text(result, "id").to_owned(), text(result, "status").to_owned()));
    told.filter(|(_, status)| ["fail", "warn", "error", "flaky"].contains(&status.as_str())).collect()
}

fn results(report: &Value) -> impl Iterator<Item = &Value> {
    report["results"].as_array().unwrap().iter()
}

/// Chapters whose checks look at the same part of a run.
const PARTS: [&[&str]; 4] = [
    &["comm"],
    &["cancel", "exit", "resource", "env", "log"],
    &["artifact", "ui", "stream", "limits", "text"],
    &["ledger", "recovery", "cache"],
];

/// How the suite is asked to look at the same part of a plugin's life as the rule does. A program that may never attach
/// is not asked for anything by name: that would be tried all the same.
fn near(rule: &str, checks: &[Value]) -> Vec<String> {
    let class = |check: &Value| match text(check, "class") {
        "library" => "declared".to_owned(),
        class => class.to_owned(),
    };
    let of_rule = checks.iter().find(|check| text(check, "id") == rule).map(class).unwrap();
    let part =
        |id: &str| PARTS.iter().position(|part| part.contains(&id.split('.').next().unwrap_or_default()));
    let is_near = |check: &&Value| {
        class(check) == of_rule && (of_rule != "scenario" || part(text(check, "id")) == part(rule))
    };
    let (near, far): (Vec<&Value>, Vec<&Value>) = checks.iter().partition(is_near);
    let (option, named) = if of_rule == "any" { ("--skip", far) } else { ("--only", near) };
    let mut options: Vec<String> =
        named.into_iter().flat_map(|check| [option, text(check, "id")]).map(str::to_owned).collect();
    if of_rule == "scenario" {
        options.extend(SCENARIO.map(str::to_owned));
    }
    options
}

/// The suite on one plugin; then, if more is red than was expected, only what is red and what was expected: a
/// deadline that was missed because the machine was busy is not missed again.
fn trial(name: &str, tried: &[&str], expected: &[&str]) -> Value {
    let whole = report(&[&OPTIONS, tried].concat(), name);
    let red = red(&whole);
    if red.iter().map(|(id, _)| id.as_str()).eq(expected.iter().copied()) {
        return whole;
    }
    let suspects = red.iter().map(|(id, _)| id.as_str()).filter(|id| !expected.contains(id));
    let only: Vec<&str> = suspects.chain(expected.iter().copied()).flat_map(|id| ["--only", id]).collect();
    let scenario: &[&str] = if tried.contains(&SCENARIO[1]) { &SCENARIO } else { &[] };
    if only.is_empty() { whole } else { report(&[&OPTIONS, scenario, &only[..]].concat(), name) }
}

#[test]
fn green_and_every_dialect_pass_every_check() {
    let names = [vec!["green".to_owned()], names("dialect")].concat();
    let reports = each(&names, |name| trial(name, &SCENARIO, &[]));
    for (name, report) in names.iter().zip(&reports) {
        let fine = |result: &&Value| ["pass", "skipped"].contains(&text(result, "status"));
        let other: Vec<&Value> = results(report).filter(|result| !fine(result)).collect();
        assert!(other.is_empty(), "{name}: {other:#?}");
    }
}

#[test]
fn the_reference_plugins_pass_every_check_that_applies_to_them() {
    let names = [
        "builder-file",
        "builder-null",
        "builder-rootfs",
        "command-docs",
        "communicator-local",
        "data-source-http",
        "hook-timings",
        "post-processor-checksum",
        "post-processor-compress",
        "post-processor-manifest",
        "provisioner-file",
        "provisioner-shell",
        "provisioner-shell-local",
    ];
    let programs = names.map(|name| {
        let scenario = format!("../reference-plugin/{name}/scenario.toml");
        (built(&format!("packer-{name}"), &format!("packer-{name}")), scenario)
    });
    let reports = each(&programs, |(program, scenario)| {
        let options = [&OPTIONS[..], &["--complete", "--scenario", scenario]].concat();
        report_on(&options, &[program.as_os_str()])
    });
    for ((program, scenario), first) in programs.iter().zip(&reports) {
        let late = strays(first);
        if late.is_empty() {
            continue;
        }
        eprintln!("{}: {late:#?}", program.display());
        // Once more, alone: what is wrong stays wrong, and what was late because six suites run here does not.
        let only = late.iter().flat_map(|result| ["--only", text(result, "id")]);
        let only: Vec<&str> = OPTIONS.into_iter().chain(["--scenario", scenario]).chain(only).collect();
        let second = report_on(&only, &[program.as_os_str()]);
        let left: Vec<&Value> =
            strays(&second).into_iter().filter(|result| result["status"] != "skipped").collect();
        assert!(left.is_empty(), "{}: {left:#?}", program.display());
    }
}

/// What is neither a pass nor without meaning for the plugin.
fn strays(report: &Value) -> Vec<&Value> {
    results(report).filter(|result| !["pass", "not-applicable"].contains(&text(result, "status"))).collect()
}

#[test]
fn what_is_done_before_the_end_of_the_session_is_heard_stays() {
    let directory = tempfile::tempdir().unwrap();
    for lines in [60, 80, 100] {
        let scenario = directory.path().join(format!("{lines}.toml"));
        let text = format!(
            r#"packwire-scenario = 1
            [builder.green]
            run = {{ name = "one", file = "${{work}}/image" }}
            slow = {{ name = "slow", lines = ["on"], repeat = {lines}, file = "${{work}}/image" }}
            clean = "test ! -e image"
            "#
        );
        std::fs::write(&scenario, text).unwrap();
        let options = ["--scenario", scenario.to_str().unwrap(), "--only", "exit.leave-while-running"];
        let report = report(&[&OPTIONS[..], &options].concat(), "dialect-late-end");
        assert_eq!(red(&report), [], "{report:#}");
    }
}

#[test]
fn examples_that_are_safe_to_run_are_run_without_a_scenario_and_others_are_not() {
    let status = |name: &str, id: &str, scenario: &[&str]| {
        let report = report(&[&OPTIONS, scenario, &["--only", id]].concat(), name);
        let result = results(&report).find(|result| result["id"] == id).unwrap();
        (text(result, "status").to_owned(), result["observed"].as_u64())
    };
    for id in ["run.once", "builder.outcome-set", "postproc.input-untouched", "cancel.any-time"] {
        let (said, observed) = status("dialect-safe-to-run", id, &[]);
        // The kinds without a configuration have no example.
        let expected = if id == "cancel.any-time" { "not-exercised" } else { "pass" };
        assert_eq!(said, expected, "{id}");
        assert!(observed > Some(0), "{id}");
        assert_eq!(status("green", id, &[]), ("not-exercised".to_owned(), Some(0)), "{id}");
    }
    assert_eq!(status("dialect-safe-to-run", "artifact.stable", &[]).0, "not-applicable");
}

/// Every run of every component fails as soon as it has begun.
const FAILING: &str = r#"packwire-scenario = 1
[builder.green]
run = { name = "failing", fail = true, file = "${work}/image" }
clean = "test ! -e image"
[provisioner.green]
run = { name = "failing", fail = true, commands = ["install"] }
leaves = []
[post-processor.green]
run = { name = "failing", fail = true }
[post-processor.green.input]
builder-id = "org.example.green"
id = "input"
files = { "input.txt" = "input" }
[data-source.green]
run = { name = "failing", fail = true }
[hook.green]
event = "packer_provision"
data = { command = "broken" }
[[hook.green.machine]]
command = "broken"
status = 3
[command.green]
arguments = ["exit", "1"]
[communicator.green]
run = { name = "failing", fail = true }
shell = "posix"
"#;

/// Where a run does nothing else than to fail, or nothing at all.
const SHOWN_BY_FAILING: [&str; 2] = ["hook.unknown-name", "ui.host-error"];

#[test]
fn components_whose_runs_all_fail_pass_no_rule_about_good_runs() {
    let checks = output(Path::new(env!("CARGO_BIN_EXE_conformance")), ["list", "--json"]).stdout;
    let checks: Vec<Value> = serde_json::from_slice(&checks).unwrap();
    let of_runs = checks.iter().filter(|check| text(check, "class") == "scenario");
    let only: Vec<&str> = of_runs.flat_map(|check| ["--only", text(check, "id")]).collect();
    let directory = tempfile::tempdir().unwrap();
    let scenario = directory.path().join("failing.toml");
    std::fs::write(&scenario, FAILING).unwrap();
    let options = [&OPTIONS[..], &["--scenario", scenario.to_str().unwrap()], &only].concat();
    let report = report(&options, "green");
    let passed = results(&report).filter(|result| result["status"] == "pass");
    let mut passed: Vec<&str> = passed.map(|result| text(result, "id")).collect();
    passed.sort_unstable();
    assert_eq!(passed, SHOWN_BY_FAILING);
}

#[test]
fn a_file_called_as_a_family_promises_that_all_names_begin_with_its_own() {
    let tried = |file: &str, manner: &str| {
        let place = tempfile::tempdir().unwrap();
        let plugin = place.path().join(file);
        std::os::unix::fs::symlink(faulty(), &plugin).unwrap();
        let report =
            report_on(&["--only", "attach.name-matches-file"], &[plugin.as_os_str(), manner.as_ref()]);
        let mut statuses = results(&report).map(|result| text(result, "status"));
        statuses.find(|status| *status != "skipped").map(str::to_owned)
    };
    assert_eq!(tried("packer-plugin-green", "green").as_deref(), Some("pass"));
    assert_eq!(tried("packer-plugin-green", "wrong-name-for-file").as_deref(), Some("warn"));
    assert_eq!(tried("packer-plugin-gree", "green").as_deref(), Some("warn"));
    assert_eq!(tried("packer-plugins", "green").as_deref(), Some("not-applicable"));
}

#[test]
fn a_null_plugin_is_never_conformant() {
    for name in names("null") {
        let said = support::conformance(&["--within", "3"], &name);
        assert_ne!(said.code, Some(0), "{name}: {}{}", said.text, said.errors);
        assert!(!said.text.contains(": conformant"), "{name}: {}", said.text);
    }
}

/// How one fault fared in the whole suite.
struct Row {
    fault: String,
    breaks: String,
    observed: String,
    caught: Vec<String>,
    /// What the checks reported.
    findings: Vec<Value>,
}

/// The matrix in the repository.
const KNOWN: &str = include_str!("snapshots/mutants__kill_matrix.snap");

/// More strange rows than these are a change of the suite, and not the machine's doing.
const STRANGE: usize = 8;

/// Tries those that fared otherwise than the matrix says once more, when nothing else keeps the machine busy, and tells
/// what was strange: a race that is seen once a month on somebody else's machine is found by that only.
fn try_strange_ones_alone(rows: &mut [Row], faults: &[Value], checks: &[Value]) {
    let strange: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].is_strange()).collect();
    for at in strange.iter().copied().take(STRANGE) {
        eprintln!("{}is not what the matrix says: {:#?}", rows[at].line(), rows[at].findings);
        if strange.len() <= STRANGE {
            rows[at] = Row::tried(&faults[at], checks);
        }
    }
}

impl Row {
    fn tried(fault: &Value, checks: &[Value]) -> Self {
        let breaks = text(fault, "requirement");
        let near = near(breaks, checks);
        let near: Vec<&str> = near.iter().map(String::as_str).collect();
        Self::of(fault, &trial(text(fault, "name"), &near, &[breaks]))
    }

    fn of(fault: &Value, report: &Value) -> Self {
        let (name, breaks) = (text(fault, "name").to_owned(), text(fault, "requirement").to_owned());
        let is_told = |(id, status): &(String, String)| {
            status != "flaky" && !RACES.contains(&(name.as_str(), id.as_str()))
        };
        let told = red(report).into_iter().filter(is_told);
        let caught = told.map(|(id, status)| match status.as_str() {
            "fail" => id,
            _ => format!("{id} ({status})"),
        });
        let caught = caught.collect();
        let has_any = |result: &&Value| result["findings"].as_array().is_some_and(|all| !all.is_empty());
        let findings = results(report).filter(has_any).map(|result| result["findings"].clone()).collect();
        Self { fault: name, observed: observed(&breaks, report), breaks, caught, findings }
    }

    /// Whether the matrix in the repository tells otherwise of this fault.
    fn is_strange(&self) -> bool {
        let begin = format!("| {} |", self.fault);
        let known = KNOWN.lines().find(|line| line.starts_with(&begin));
        known.is_some_and(|line| line != filtered(self.line().trim_end()))
    }

    fn line(&self) -> String {
        let Self { fault, breaks, observed, caught, .. } = self;
        format!("| {fault} | {breaks} | {observed} | {} |\n", caught.join(", "))
    }
}

/// A line as it stands in the matrix, without what varies.
fn filtered(line: &str) -> String {
    static VARYING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        FILTERS.iter().map(|(pattern, instead)| (Regex::new(pattern).unwrap(), *instead)).collect()
    });
    let without =
        |line: String, (varies, instead): &(Regex, &str)| varies.replace_all(&line, *instead).into_owned();
    VARYING.iter().fold(line.to_owned(), without)
}

/// What the check that claims the fault saw, if it saw what it is about.
fn observed(id: &str, report: &Value) -> String {
    let claiming = results(report).filter(|result| result["id"] == id);
    let findings = claiming.flat_map(|result| result["findings"].as_array().unwrap());
    let own = findings.filter(|finding| finding["prerequisite"] == false);
    let seen = |finding: &Value| format!("{} ⇒ {}", text(finding, "expected"), text(finding, "observed"));
    // The first in the alphabet: what is tried side by side is seen in any order.
    own.map(seen).min().unwrap_or_else(|| "NOT CAUGHT".to_owned()).replace('|', "¦")
}

#[test]
fn every_fault_is_caught_by_the_check_that_claims_it() {
    let faults = manners("fault");
    let checks = output(Path::new(env!("CARGO_BIN_EXE_conformance")), ["list", "--json"]).stdout;
    let checks: Vec<Value> = serde_json::from_slice(&checks).unwrap();
    let mut rows = each(&faults, |fault| Row::tried(fault, &checks));
    try_strange_ones_alone(&mut rows, &faults, &checks);
    let matrix: String = rows.iter().map(Row::line).collect();
    insta::with_settings!({
        description => "Each fault of the green plugin, tried by all checks that look at the same part of a plugin's \
            life: the rule that it breaks, what the check of that rule saw, and all rules that came out red.",
        omit_expression => true,
        filters => FILTERS.to_vec(),
    }, {
        insta::assert_snapshot!("kill_matrix", matrix);
    });
    let missed: Vec<&str> = rows.iter().filter(|row| !is_caught(row)).map(|row| row.fault.as_str()).collect();
    assert!(missed.is_empty(), "not caught by the check that claims them: {missed:?}");
}

fn is_caught(row: &Row) -> bool {
    let word = |id: &String| id.split(' ').next() == Some(row.breaks.as_str());
    row.observed != "NOT CAUGHT" && row.caught.iter().any(word)
}
