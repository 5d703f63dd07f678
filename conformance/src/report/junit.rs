//! The report as JUnit's XML, which most build servers read. It is well-formed whatever the plugin says.

use std::fmt::Write;

use crate::check::{Level, Requirement, Status, Verdict};
use crate::preflight::Preflight;
use crate::subject::Subject;
use crate::suite::Run;

/// One test suite for each chapter, one test case for each rule.
pub fn junit(run: &Run, subject: &Subject) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let command = xml(&subject.typed.join(" "));
    let seconds = run.took.as_secs_f64();
    let Tally { tests, failures, errors, .. } = Tally::of_run(run);
    line(
        &mut text,
        format_args!(
            "<testsuites name=\"conformance of {command}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{seconds:.3}\">"
        ),
    );
    if run.introduction().is_none() {
        never_attached(&mut text, run);
    }
    let mut groups: Vec<&str> = run.results.iter().map(|(rule, _)| rule.group.as_str()).collect();
    groups.dedup();
    for group in groups {
        let cases: Vec<_> = run.results.iter().filter(|(rule, _)| rule.group == group).collect();
        suite(&mut text, group, &cases, run, subject);
    }
    line(&mut text, "</testsuites>");
    text
}

fn line(text: &mut String, line: impl std::fmt::Display) {
    // Writing into a string cannot fail.
    let _ = writeln!(text, "{line}");
}

/// A program that never attached has one case of its own: otherwise a server would see nothing but skipped cases.
fn never_attached(text: &mut String, run: &Run) {
    let Preflight::NeverAttached { log, waited_ms, .. } = &run.met else { return };
    let seconds = *waited_ms as f64 / 1000.0;
    line(
        text,
        format_args!(
            "<testsuite name=\"the first meeting\" tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\" time=\"{seconds:.3}\">"
        ),
    );
    let said = xml(&log.join("\n"));
    line(
        text,
        format_args!(
            "<testcase classname=\"packwire\" name=\"attach\" time=\"{seconds:.3}\">\
             <failure message=\"the program never attached\" type=\"never-attached\">{said}</failure></testcase>"
        ),
    );
    line(text, "</testsuite>");
}

fn suite(text: &mut String, group: &str, cases: &[&(Requirement, Verdict)], run: &Run, subject: &Subject) {
    let Tally { tests, failures, errors, skipped, took_ms } =
        Tally::of(cases.iter().copied(), run.options.strict);
    let (name, seconds) = (xml(group), took_ms as f64 / 1000.0);
    line(
        text,
        format_args!(
            "<testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{seconds:.3}\">"
        ),
    );
    for (rule, verdict) in cases {
        case(text, rule, verdict, run, subject);
    }
    line(text, "</testsuite>");
}

fn case(text: &mut String, rule: &Requirement, verdict: &Verdict, run: &Run, subject: &Subject) {
    let (class, name) = (xml(&rule.group), xml(&rule.id));
    let seconds = verdict.took_ms as f64 / 1000.0;
    let head = format!("<testcase classname=\"packwire.{class}\" name=\"{name}\" time=\"{seconds:.3}\">");
    let (word, message) = (verdict.status.word(), xml(&message(rule, verdict)));
    let body = || xml(&body(rule, verdict, run, subject));
    let inside = match Kind::of(rule, verdict, run.options.strict) {
        Kind::Passed if verdict.status == Status::Pass => String::new(),
        Kind::Passed => format!("<system-out>{word}: {message}\n{}</system-out>", body()),
        Kind::Skipped => format!("<skipped message=\"{word}: {message}\"/>"),
        Kind::Failure => format!("<failure message=\"{message}\" type=\"{word}\">{}</failure>", body()),
        Kind::Error => format!("<error message=\"{message}\" type=\"{word}\">{}</error>", body()),
    };
    line(text, format_args!("{head}{inside}</testcase>"));
}

/// What a build server compares with the cases that it reads.
#[derive(Default)]
struct Tally {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    took_ms: u64,
}

impl Tally {
    fn of<'a>(cases: impl Iterator<Item = &'a (Requirement, Verdict)>, strict: bool) -> Self {
        let mut tally = Self::default();
        for (rule, verdict) in cases {
            let kind = Kind::of(rule, verdict, strict);
            tally.tests += 1;
            tally.failures += usize::from(kind == Kind::Failure);
            tally.errors += usize::from(kind == Kind::Error);
            tally.skipped += usize::from(kind == Kind::Skipped);
            tally.took_ms += verdict.took_ms;
        }
        tally
    }

    /// With the case of a program that never attached.
    fn of_run(run: &Run) -> Self {
        let of_rules = Self::of(run.results.iter(), run.options.strict);
        let never = usize::from(matches!(run.met, Preflight::NeverAttached { .. }));
        Self { tests: of_rules.tests + never, failures: of_rules.failures + never, ..of_rules }
    }
}

/// What JUnit knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Passed,
    Skipped,
    Failure,
    Error,
}

impl Kind {
    fn of(rule: &Requirement, verdict: &Verdict, strict: bool) -> Self {
        match verdict.status {
            Status::Pass => Self::Passed,
            Status::Fail | Status::UnexpectedPass => Self::Failure,
            Status::Warn | Status::Flaky if strict || rule.level == Level::Must => Self::Failure,
            Status::Warn | Status::Flaky => Self::Passed,
            Status::ExpectedFail | Status::NotApplicable | Status::NotExercised | Status::Skipped => {
                Self::Skipped
            }
            Status::Error => Self::Error,
        }
    }
}

fn message(rule: &Requirement, verdict: &Verdict) -> String {
    let first = verdict.findings.first().map(|finding| finding.observed.clone());
    verdict.reason.clone().or(first).unwrap_or_else(|| rule.sentence.clone())
}

fn body(rule: &Requirement, verdict: &Verdict, run: &Run, subject: &Subject) -> String {
    let mut text = format!("{} ({})\n", rule.sentence, rule.level);
    for finding in &verdict.findings {
        line(&mut text, format_args!("expected  {}\nobserved  {}", finding.expected, finding.observed));
        finding.evidence.transcript.iter().for_each(|message| line(&mut text, message));
        finding.evidence.log.iter().for_each(|said| line(&mut text, format_args!("| {said}")));
    }
    line(&mut text, format_args!("to blame  {}", super::blame(verdict.blame)));
    line(&mut text, format_args!("again     {}", super::again(&rule.id, &run.options.flags, &subject.typed)));
    text
}

/// A text as XML may hold it: what XML 1.0 has no character for is replaced.
fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'.. => safe.push(c),
            _ => safe.push('\u{fffd}'),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_well_formed_xml(said in any::<String>()) {
            let written = format!("<a b=\"{}\">{}</a>", xml(&said), xml(&said));
            let read = roxmltree::Document::parse(&written);
            prop_assert!(read.is_ok(), "{:?} in {written}", read.err());
        }

        #[test]
        fn a_printable_text_comes_out_as_it_went_in(said in "[ -~äöü€😀\n]{1,20}") {
            let written = format!("<a>{}</a>", xml(&said));
            let read = roxmltree::Document::parse(&written).unwrap();
            prop_assert_eq!(read.root_element().text(), Some(&said[..]));
        }
    }
}
