//! `cargo xtask trace`: rules, checks and faults belong together, and nobody has to remember that.
//!
//! SPEC.md has the rules, `conformance list` the checks, `faulty list` the faults, and the kill matrix, a snapshot that
//! the tests of `conformance` keep true, which check caught which fault.

mod matrix;
mod rules;

use std::collections::HashSet;

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::process::{self, ProcessError};
use crate::schema_files::{self, FileError};
use matrix::Row;
use rules::{Rule, RuleError};

const SPEC: &str = "SPEC.md";
const MATRIX: &str = "conformance/tests/snapshots/mutants__kill_matrix.snap";

/// What `cargo xtask trace` was asked for.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the whole trace as JSON
    #[arg(long)]
    json: bool,
}

/// Why there is no clean trace.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum TraceError {
    /// A list cannot be had.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Process(#[from] ProcessError),
    /// A file cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] FileError),
    /// The rules cannot be read.
    #[error("{SPEC} cannot be read")]
    Rules(#[from] RuleError),
    /// A list is not what it used to be.
    #[error("{what} is not what it used to be")]
    Shape {
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    /// Rules, checks and faults do not fit together.
    #[error("rules, checks and faults do not fit together:\n{}", .0.join("\n"))]
    #[diagnostic(help(
        "a rule is numbered in {SPEC}, tried by a check of conformance/src/checks, and proved by a fault of conformance/faulty"
    ))]
    Loose(Vec<String>),
}

/// A check, as `conformance list --json` tells it.
#[derive(Debug, Clone, Deserialize)]
struct Check {
    id: String,
    level: String,
    mutants: Vec<String>,
}

/// A manner of being, as `faulty list --json` tells it.
#[derive(Debug, Clone, Deserialize)]
struct Fault {
    name: String,
    kind: String,
    requirement: Option<String>,
}

/// All four lists.
struct Lists {
    rules: Vec<Rule>,
    checks: Vec<Check>,
    faults: Vec<Fault>,
    matrix: Vec<Row>,
}

/// What is left for `cargo xtask numbers` and for people.
#[derive(Debug, Serialize)]
struct Trace {
    musts_without_checks: Vec<String>,
    faults_not_caught: Vec<String>,
    problems: Vec<String>,
    requirements: Vec<Traced>,
}

/// One line of the index: a rule with what tries it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Traced {
    id: String,
    level: String,
    group: String,
    checked: bool,
    unobservable: Option<String>,
    mutants: Vec<String>,
}

/// Compares the lists, prints the index, leaves the trace in `target/`, and fails when something is loose.
pub(crate) fn run(args: &Args) -> Result<(), TraceError> {
    let root = schema_files::root();
    let text = String::from_utf8_lossy(&schema_files::read(&root.join(SPEC))?).into_owned();
    let matrix = root.join(MATRIX);
    let matrix = if matrix.exists() { schema_files::read(&matrix)? } else { Vec::new() };
    let lists = Lists {
        rules: rules::read(&text)?,
        checks: asked("packwire-conformance", "conformance", "the list of checks")?,
        faults: asked("packwire-faulty", "faulty", "the list of faults")?,
        matrix: matrix::read(&String::from_utf8_lossy(&matrix)),
    };
    let trace = lists.trace();
    let shown = serde_json::to_string_pretty(&trace)
        .map_err(|source| TraceError::Shape { what: "the trace", source })?;
    schema_files::write(&root.join("target/trace.json"), shown.as_bytes())?;
    if args.json {
        println!("{shown}")
    } else {
        print!("{}", index(&trace.requirements))
    }
    if trace.problems.is_empty() { Ok(()) } else { Err(TraceError::Loose(trace.problems)) }
}

fn asked<T: for<'a> Deserialize<'a>>(
    package: &str,
    binary: &str,
    what: &'static str,
) -> Result<Vec<T>, TraceError> {
    let arguments = ["run", "--quiet", "--package", package, "--bin", binary, "--", "list", "--json"];
    let answer = process::output("cargo", &arguments, &schema_files::root(), b"")?;
    serde_json::from_slice(&answer).map_err(|source| TraceError::Shape { what, source })
}

fn index(requirements: &[Traced]) -> String {
    let mut text = String::new();
    let mut last = "";
    for Traced { id, level, group, checked, unobservable, mutants } in requirements {
        if group != last {
            text.push_str(&format!("\n{group}\n"));
            last = group;
        }
        let tried = match unobservable {
            Some(reason) => format!("not seen: {reason}"),
            None if *checked => mutants.join(", "),
            None => "no check".to_owned(),
        };
        text.push_str(&format!("  {id:<30} {level:<7} {tried}\n"));
    }
    text
}

impl Lists {
    fn trace(&self) -> Trace {
        let problems =
            [self.rules_without_checks(), self.checks_gone_wrong(), self.faults_gone_wrong()].concat();
        let without = self.unchecked().filter(|rule| rule.level == "MUST").map(|rule| rule.id.clone());
        let missed = self.uncaught().map(|fault| fault.name.clone());
        Trace {
            musts_without_checks: without.collect(),
            faults_not_caught: missed.collect(),
            problems,
            requirements: self.rules.iter().map(|rule| self.traced(rule)).collect(),
        }
    }

    fn traced(&self, rule: &Rule) -> Traced {
        let check = self.checks.iter().find(|check| check.id == rule.id);
        Traced {
            id: rule.id.clone(),
            level: rule.level.clone(),
            group: rule.group.clone(),
            checked: check.is_some(),
            unobservable: rule.unobservable.clone(),
            mutants: check.map(|check| check.mutants.clone()).unwrap_or_default(),
        }
    }

    fn unchecked(&self) -> impl Iterator<Item = &Rule> {
        let checked = |rule: &&Rule| self.checks.iter().any(|check| check.id == rule.id);
        self.rules.iter().filter(|rule| rule.unobservable.is_none()).filter(move |rule| !checked(rule))
    }

    fn rules_without_checks(&self) -> Vec<String> {
        let missing = |rule: &Rule| format!("{}: no check tries it, and nothing says why none can", rule.id);
        self.unchecked().map(missing).collect()
    }

    fn checks_gone_wrong(&self) -> Vec<String> {
        self.checks.iter().flat_map(|check| self.problems_of(check)).collect()
    }

    fn problems_of(&self, check: &Check) -> Vec<String> {
        let Check { id, level, mutants } = check;
        let mut found = Vec::new();
        match self.rules.iter().find(|rule| rule.id == *id) {
            None => found.push(format!("{id}: a check cites it, and {SPEC} has no such rule")),
            Some(Rule { unobservable: Some(_), .. }) => {
                found.push(format!("{id}: a check tries it, and {SPEC} says that it cannot be seen"));
            }
            Some(rule) if rule.level != *level => {
                found.push(format!("{id}: {level} in its check, {} in {SPEC}", rule.level));
            }
            Some(_) => {}
        }
        if mutants.is_empty() {
            found.push(format!("{id}: no fault proves its check"));
        }
        found.extend(mutants.iter().filter_map(|mutant| self.mismatch(id, mutant)));
        found
    }

    fn mismatch(&self, id: &str, mutant: &str) -> Option<String> {
        match self.faults().find(|fault| fault.name == mutant) {
            None => Some(format!("{id}: its check claims the fault {mutant}, which `faulty` does not know")),
            Some(fault) if fault.requirement.as_deref() != Some(id) => {
                let breaks = fault.requirement.as_deref().unwrap_or("nothing");
                Some(format!("{id}: its check claims the fault {mutant}, which breaks {breaks}"))
            }
            Some(_) => None,
        }
    }

    fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(|fault| fault.kind == "fault")
    }

    fn faults_gone_wrong(&self) -> Vec<String> {
        let claimed: HashSet<&str> =
            self.checks.iter().flat_map(|check| &check.mutants).map(String::as_str).collect();
        let unclaimed = self.faults().filter(|fault| !claimed.contains(fault.name.as_str()));
        let unclaimed = unclaimed.map(|fault| format!("fault {}: no check claims it", fault.name));
        let uncaught = self
            .uncaught()
            .map(|fault| format!("fault {}: the kill matrix does not show it caught", fault.name));
        unclaimed.chain(uncaught).collect()
    }

    /// Faults that no test runs, or that the check which claims them does not catch.
    fn uncaught(&self) -> impl Iterator<Item = &Fault> {
        let caught = |fault: &Fault| {
            let row = self.matrix.iter().find(|row| row.fault == fault.name);
            row.is_some_and(|row| fault.requirement.as_ref().is_some_and(|id| row.caught.contains(id)))
        };
        self.faults().filter(move |fault| !caught(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, level: &str, unobservable: Option<&str>) -> Rule {
        let (id, level, group) = (id.to_owned(), level.to_owned(), "Chapter".to_owned());
        Rule { id, level, group, unobservable: unobservable.map(str::to_owned) }
    }

    fn check(id: &str, level: &str, mutants: &[&str]) -> Check {
        let mutants = mutants.iter().map(|name| (*name).to_owned()).collect();
        Check { id: id.to_owned(), level: level.to_owned(), mutants }
    }

    fn fault(name: &str, requirement: &str) -> Fault {
        Fault { name: name.to_owned(), kind: "fault".to_owned(), requirement: Some(requirement.to_owned()) }
    }

    fn caught(fault: &str, by: &str) -> Row {
        Row { fault: fault.to_owned(), caught: vec![by.to_owned()] }
    }

    #[test]
    fn lists_that_fit_have_no_problem() {
        let lists = Lists {
            rules: vec![rule("a.b", "MUST", None), rule("host.c", "MUST", Some("drives plugins"))],
            checks: vec![check("a.b", "MUST", &["breaks-b"])],
            faults: vec![fault("breaks-b", "a.b")],
            matrix: vec![caught("breaks-b", "a.b")],
        };
        let Trace { musts_without_checks, faults_not_caught, problems, requirements } = lists.trace();
        assert_eq!((musts_without_checks, faults_not_caught, problems), (vec![], vec![], vec![]));
        insta::assert_snapshot!(index(&requirements), @r"

        Chapter
          a.b                            MUST    breaks-b
          host.c                         MUST    not seen: drives plugins
        ");
    }

    #[test]
    fn everything_that_is_loose_is_told() {
        let lists = Lists {
            rules: vec![
                rule("a.b", "MUST", None),
                rule("a.c", "SHOULD", None),
                rule("a.h", "MUST", Some("why")),
            ],
            checks: vec![
                check("a.c", "MUST", &[]),
                check("a.d", "MUST", &["breaks-d", "breaks-e", "unknown"]),
                check("a.h", "MUST", &["breaks-h"]),
            ],
            faults: vec![
                fault("breaks-d", "a.d"),
                fault("breaks-e", "a.e"),
                fault("idle", "a.c"),
                fault("breaks-h", "a.h"),
            ],
            matrix: vec![caught("breaks-d", "a.d"), caught("breaks-e", "a.d"), caught("breaks-h", "a.h")],
        };
        insta::assert_snapshot!(lists.trace().problems.join("\n"), @r"
        a.b: no check tries it, and nothing says why none can
        a.c: MUST in its check, SHOULD in SPEC.md
        a.c: no fault proves its check
        a.d: a check cites it, and SPEC.md has no such rule
        a.d: its check claims the fault breaks-e, which breaks a.e
        a.d: its check claims the fault unknown, which `faulty` does not know
        a.h: a check tries it, and SPEC.md says that it cannot be seen
        fault idle: no check claims it
        fault breaks-e: the kill matrix does not show it caught
        fault idle: the kill matrix does not show it caught
        ");
    }
}
