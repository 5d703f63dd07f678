//! `docs/requirements.md`: every rule with its check and the faults that prove it, for people.

use super::document::anchor;
use super::rules::Rule;
use super::{Lists, SPEC};

const BEGINNING: &str = "\
# Requirements and what tries them

Made by `cargo xtask trace --write` of SPEC.md, `conformance list`, `faulty list` and the kill matrix; not to be edited.
An id leads to the chapter of the rule.
*Seen* says where a check looks, or why none can.
*Faults* are the deliberate mistakes (`faulty NAME`) that the check of this rule has been seen to catch.
";

/// The whole page.
pub(super) fn page(lists: &Lists) -> String {
    let mut text = BEGINNING.to_owned();
    let checked =
        lists.rules.iter().filter(|rule| lists.checks.iter().any(|check| check.id == rule.id)).count();
    let hosts = lists.rules.iter().filter(|rule| rule.binds == "host").count();
    text.push_str(&format!(
        "\n{} rules, {hosts} of them for hosts; {checked} checks; {} faults.\n",
        lists.rules.len(),
        lists.faults().count()
    ));
    let mut chapter = "";
    for rule in &lists.rules {
        if rule.group != chapter {
            chapter = &rule.group;
            text.push_str(&format!(
                "\n## {chapter}\n\n| Id | Level | Binds | Seen | Faults |\n| --- | --- | --- | --- | --- |\n"
            ));
        }
        text.push_str(&row(rule, lists));
    }
    text
}

fn row(rule: &Rule, lists: &Lists) -> String {
    let Rule { id, level, group, binds, seen, .. } = rule;
    let mutants = lists.checks.iter().find(|check| check.id == *id).map(|check| check.mutants.as_slice());
    let faults: Vec<String> = mutants.unwrap_or_default().iter().map(|name| format!("`{name}`")).collect();
    let seen = seen.replace('|', "\\|");
    format!(
        "| [`{id}`](../{SPEC}#{}) | {level} | {binds} | {seen} | {} |\n",
        anchor(group),
        faults.join(", ")
    )
}
