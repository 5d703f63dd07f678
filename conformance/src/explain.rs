//! `list` and `explain`: what the suite knows, without a plugin.

mod snippets;

use serde::Serialize;

use crate::check::{Check, Class, Requirement};
use crate::select;
use crate::spec::{Level, Party, Seen};
use crate::{checks, spec};

/// One line of `list --json`; `cargo xtask trace` reads it.
#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    level: Level,
    class: Class,
    group: &'a str,
    title: &'a str,
    mutants: &'a [&'a str],
}

/// An id that is no requirement.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("there is no requirement `{id}`")]
pub(crate) struct UnknownId {
    id: String,
    #[help]
    hint: Option<String>,
}

/// All checks, for people.
pub(crate) fn list(requirements: &[Requirement]) -> String {
    let mut text = String::new();
    let mut group = "";
    for check in checks::all() {
        let chapter = group_of(check, requirements);
        if chapter != group {
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}{chapter}\n"));
            group = chapter;
        }
        text.push_str(&format!("  {:<26} {:<7} {}\n", check.id, check.level.to_string(), check.title));
    }
    text
}

/// All checks, for programs.
pub(crate) fn list_json(requirements: &[Requirement]) -> serde_json::Result<String> {
    let listed = |check: &'static Check| {
        let Check { id, level, class, title, mutants, .. } = *check;
        Listed { id, level, class, group: group_of(check, requirements), title, mutants }
    };
    let all: Vec<Listed<'_>> = checks::all().map(listed).collect();
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

fn group_of<'a>(check: &Check, requirements: &'a [Requirement]) -> &'a str {
    requirements
        .iter()
        .find(|requirement| requirement.id == check.id)
        .map_or("", |requirement| &requirement.group)
}

/// All that there is to say about one requirement.
pub(crate) fn explain(id: &str, requirements: &[Requirement]) -> Result<String, UnknownId> {
    let Some(requirement) = requirements.iter().find(|requirement| requirement.id == id) else {
        let ids: Vec<&str> = requirements.iter().map(|requirement| requirement.id.as_str()).collect();
        return Err(UnknownId { id: id.to_owned(), hint: select::did_you_mean(id, &ids) });
    };
    let check = checks::find(id);
    let mut text =
        format!("{id}  {}  {}\n\n{}\n", requirement.level, requirement.group, requirement.sentence);
    let mut paragraph = |heading: &str, body: &str| text.push_str(&format!("\n{heading}\n  {body}\n"));
    match check {
        Some(check) => {
            paragraph("Why", check.why);
            paragraph("How it is seen", check.seen);
            for budget in check.budgets {
                let limit = format!(
                    "{}: at most {} s (--slow stretches it)",
                    budget.what,
                    budget.limit.as_secs_f64()
                );
                paragraph("Budget", &limit);
            }
            paragraph("Faults that prove the check", &check.mutants.join(", "));
        }
        None => paragraph("How it is seen", &unseen(requirement)),
    }
    for snippet in snippets::of(id) {
        paragraph(&snippet.heading, &snippet.code.join("\n  "));
    }
    paragraph("In the specification", &format!("SPEC.md#{}, after the line r[{id}]", requirement.anchor()));
    Ok(text)
}

fn unseen(requirement: &Requirement) -> String {
    match (&requirement.seen, requirement.binds) {
        (Seen::Unobservable(reason), _) => format!("Not at all: {reason}"),
        (_, Party::Host) => "It binds hosts, and this suite tries plugins.".to_owned(),
        (_, Party::Plugin) => "This version of the suite has no check for it.".to_owned(),
    }
}

/// The requirements of the specification that this suite was built with.
pub(crate) fn requirements() -> Result<Vec<Requirement>, spec::SpecError> {
    spec::requirements(spec::SPEC)
}
