//! `cargo xtask trace`: rules, checks and faults belong together, and nobody has to remember that.
//!
//! SPEC.md has the rules, `conformance list` the checks, `faulty list` the faults, and the kill matrix, a snapshot that
//! the tests of `conformance` keep true, which check caught which fault. What SPEC.md copies, from the schema, from
//! examples and from the wire, is compared with where it comes from. `docs/requirements.md` is made of all of it.

mod configs;
mod document;
mod examples;
#[cfg(test)]
mod host_rules;
mod index;
mod lists;
mod matrix;
mod rules;
mod schema;
mod value;

use std::collections::{BTreeMap, HashSet};

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::process::{self, ProcessError};
use crate::schema_files::{self, FileError};
pub(crate) use document::{Block, blocks};
use lists::Lists;
use rules::RuleError;
use schema::Schema;

const SPEC: &str = "SPEC.md";
const MATRIX: &str = "conformance/tests/snapshots/mutants__kill_matrix.snap";
const INDEX: &str = "docs/requirements.md";

/// What `cargo xtask trace` was asked for.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the whole trace as JSON
    #[arg(long)]
    json: bool,
    /// Renew docs/requirements.md
    #[arg(long)]
    write: bool,
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
    /// Rules, checks and faults do not fit together, or a copy differs.
    #[error("the specification, its checks and their faults do not fit together:\n{}", .0.join("\n"))]
    #[diagnostic(help(
        "a rule is numbered in {SPEC}, tried by a check of conformance/src/checks, and proved by a fault of conformance/faulty"
    ))]
    Loose(Vec<String>),
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

/// Compares the lists and copies, prints the index, leaves the trace in `target/`, and fails when something is loose.
pub(crate) fn run(args: &Args) -> Result<(), TraceError> {
    let root = schema_files::root();
    let spec = text_of(SPEC)?;
    let lists = Lists {
        rules: rules::read(&spec)?,
        checks: asked("packwire-conformance", &["--bin", "conformance"], "the list of checks")?,
        faults: asked("packwire-faulty", &["--bin", "faulty"], "the list of faults")?,
        matrix: matrix::read(&text_of(MATRIX).unwrap_or_default()),
    };
    let mut trace = lists.trace();
    let declared = declared()?;
    trace.problems.extend(problems_of_document(&spec, &lists, &messages()?, &declared));
    let fresh = index::page(&lists);
    if args.write {
        schema_files::write(&root.join(INDEX), fresh.as_bytes())?;
    } else if text_of(INDEX).ok().as_ref() != Some(&fresh) {
        trace.problems.push(format!("{INDEX}: stale, `cargo xtask trace --write` renews it"));
    }
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

fn text_of(path: &str) -> Result<String, FileError> {
    let bytes = schema_files::read(&schema_files::root().join(path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn asked<T: for<'a> Deserialize<'a>>(
    package: &str,
    target: &[&str],
    what: &'static str,
) -> Result<Vec<T>, TraceError> {
    let list = ["--", "list", "--json"];
    printed(&[&["run", "--quiet", "--package", package], target, &list].concat(), what)
}

/// The messages whose bytes SPEC.md shows: name → hexadecimal digits.
fn messages() -> Result<BTreeMap<String, String>, TraceError> {
    let arguments = ["run", "--quiet", "--package", "packwire-conformance", "--example", "first_messages"];
    printed(&arguments, "the bytes of the first messages")
}

/// What the files of `schema/packwire` declare.
fn declared() -> Result<Schema, TraceError> {
    let files = schema_files::files_in(&schema_files::directory(), "capnp")?;
    let texts: Vec<_> = files.values().map(|bytes| String::from_utf8_lossy(bytes)).collect();
    Ok(Schema::read(texts.iter().map(|text| text.as_ref())))
}

fn printed<T: for<'a> Deserialize<'a>>(arguments: &[&str], what: &'static str) -> Result<T, TraceError> {
    let answer = process::output("cargo", arguments, &schema_files::root(), b"")?;
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

fn problems_of_document(
    spec: &str,
    lists: &Lists,
    messages: &BTreeMap<String, String>,
    declared: &Schema,
) -> Vec<String> {
    let ids: HashSet<&str> = lists.rules.iter().map(|rule| rule.id.as_str()).collect();
    let read = |path: &str| text_of(path).ok();
    let blocks = document::blocks(spec);
    let copies = document::copies(&blocks, read, messages);
    let members = examples::unknown_members(&document::prose(spec), declared);
    let examples = examples::problems(spec, &blocks, declared);
    let problems = document::problems(spec, &ids).into_iter().chain(copies).chain(members).chain(examples);
    problems.map(|problem| format!("{SPEC}, {problem}")).collect()
}
