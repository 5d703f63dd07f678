//! The report as Markdown: for the summary of a build, or a comment beside a change.

use std::fmt::{Display, Write};

use crate::check::{Finding, Requirement, Status, Verdict};
use crate::preflight::{Introduction, Preflight};
use crate::subject::Subject;
use crate::suite::Run;

/// The verdict first, then a table of what was not simply met, then the details of what was broken.
pub fn markdown(run: &Run, subject: &Subject) -> String {
    let mut page = String::new();
    let plugin = run.introduction().map_or_else(|| subject.typed.join(" "), |met| met.name.clone());
    line(&mut page, format_args!("## Conformance of {}\n", plain(&plugin)));
    line(&mut page, format_args!("**{}**\n", plain(&super::verdict(run))));
    line(&mut page, format_args!("{}\n", about(run)));
    table(&mut page, run);
    details(&mut page, run, subject);
    page
}

fn line(page: &mut String, line: impl Display) {
    // Writing into a string cannot fail.
    let _ = writeln!(page, "{line}");
}

fn about(run: &Run) -> String {
    let (suite, seed) = (super::SUITE, run.options.seed);
    let counts = super::counts(|status| run.count(status));
    match &run.met {
        Preflight::Attached(Introduction { version, protocol, components, .. }, _) => format!(
            "{counts} · version {} · protocol {protocol} · {} · suite {suite} · seed {seed}",
            plain(version),
            plain(&components.join(", "))
        ),
        _ => format!("suite {suite} · seed {seed}"),
    }
}

fn table(page: &mut String, run: &Run) {
    let silent = [Status::Pass, Status::Skipped, Status::NotApplicable, Status::NotExercised];
    let mut told = run.results.iter().filter(|(_, verdict)| !silent.contains(&verdict.status)).peekable();
    if told.peek().is_some() {
        line(page, "| | rule | level | |\n| --- | --- | --- | --- |");
        for (rule, verdict) in told {
            let said = verdict.reason.as_deref().unwrap_or(&rule.sentence);
            let (status, id, level) = (verdict.status.word(), &rule.id, rule.level);
            line(page, format_args!("| {status} | `{id}` | {level} | {} |", plain(said)));
        }
        line(page, "");
    }
    for stale in &run.stale {
        line(
            page,
            format_args!("- stale expectation `{}`: {}", stale.id.replace('`', "'"), plain(&stale.why)),
        );
    }
}

fn details(page: &mut String, run: &Run, subject: &Subject) {
    for (rule, verdict) in run.results.iter().filter(|(_, verdict)| !verdict.findings.is_empty()) {
        let (status, id) = (verdict.status.word(), &rule.id);
        line(page, format_args!("<details><summary>{status} <code>{id}</code></summary>\n"));
        line(page, format_args!("{}\n", plain(&rule.sentence)));
        line(page, block(&detail(rule, verdict, run, subject)));
        line(page, "</details>\n");
    }
}

fn detail(rule: &Requirement, verdict: &Verdict, run: &Run, subject: &Subject) -> String {
    let mut text = String::new();
    for Finding { expected, observed, evidence, .. } in &verdict.findings {
        line(&mut text, format_args!("expected  {expected}\nobserved  {observed}"));
        evidence.transcript.iter().for_each(|message| line(&mut text, message));
        evidence.log.iter().for_each(|said| line(&mut text, format_args!("| {said}")));
    }
    line(&mut text, format_args!("to blame  {}", super::blame(verdict.blame)));
    line(&mut text, format_args!("again     {}", super::again(&rule.id, &run.options.flags, &subject.typed)));
    text
}

/// A text on one line in which nothing is markup.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => safe.push(' '),
            c if "\\`*_{}[]<>#|&~!$@".contains(c) => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
    safe
}

/// A text as it is, behind a fence longer than any within it.
fn block(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let lines: Vec<String> = text.lines().map(super::printable).collect();
    format!("{fence}text\n{}\n{fence}\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_plugin_says_is_markup() {
        assert_eq!(plain("<b>|a_b|\n@team #1"), r"\<b\>\|a\_b\| \@team \#1");
        assert_eq!(block("a ```` b\x1b"), "`````text\na ```` b\u{fffd}\n`````\n");
    }
}
