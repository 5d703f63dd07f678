//! The report for people: what was not as it should be, in full; everything else in one line a chapter.

use std::fmt::{Display, Write};

use anstyle::{AnsiColor, Style};

use super::printable;
use crate::check::{Finding, Measured, Requirement, Status, Verdict};
use crate::checks;
use crate::ending;
use crate::preflight::{Introduction, Preflight};
use crate::subject::Subject;
use crate::suite::Run;

/// The report as text, with colours or without.
pub fn human(run: &Run, subject: &Subject, colour: bool) -> String {
    let mut page = Page { text: String::new(), colour };
    page.line(format_args!("conformance {} of {}", super::SUITE, subject.typed.join(" ")));
    match &run.met {
        Preflight::Attached(Introduction { name, version, protocol, components }, _) => {
            let told = format!("plugin {name} {version} · protocol {protocol} · {}", components.join(", "));
            page.line(printable(&told));
        }
        Preflight::NeverAttached { .. } | Preflight::CannotStart(_) => page.never_attached(&run.met),
    }
    if run.count(Status::NotExercised) < run.results.len() {
        page.chapters(run);
        page.details(run, subject);
    }
    page.ending(run);
    page.text
}

struct Page {
    text: String,
    colour: bool,
}

impl Page {
    fn line(&mut self, line: impl Display) {
        // Writing into a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn paint(&self, status: Status, words: impl Display) -> String {
        let style = match status {
            Status::Pass => AnsiColor::Green.on_default(),
            Status::Fail | Status::UnexpectedPass | Status::Error => AnsiColor::Red.on_default().bold(),
            Status::Warn | Status::Flaky => AnsiColor::Yellow.on_default().bold(),
            _ => Style::new().dimmed(),
        };
        if self.colour { format!("{style}{words}{style:#}") } else { words.to_string() }
    }

    /// A line for each chapter, and below it one for each requirement that is not simply met.
    fn chapters(&mut self, run: &Run) {
        let mut groups: Vec<&str> =
            run.results.iter().map(|(requirement, _)| requirement.group.as_str()).collect();
        groups.dedup();
        self.line("");
        for group in groups {
            let of_group = || run.results.iter().filter(|(requirement, _)| requirement.group == group);
            if of_group().all(|(_, verdict)| verdict.status == Status::Skipped) {
                continue;
            }
            let counts =
                super::counts(|status| of_group().filter(|(_, verdict)| verdict.status == status).count());
            self.line(format_args!("  {group:<30} {counts}"));
            let silent = |verdict: &Verdict| {
                matches!(verdict.status, Status::Pass | Status::Skipped) || needs_scenario(verdict)
            };
            for (_, verdict) in of_group().filter(|(_, verdict)| !silent(verdict)) {
                self.one_line(verdict);
            }
            self.needy(of_group().map(|(_, verdict)| verdict).filter(|verdict| needs_scenario(verdict)));
        }
    }

    fn one_line(&mut self, verdict: &Verdict) {
        let title = checks::find(&verdict.id).map_or("", |check| check.title);
        let word = self.paint(verdict.status, format_args!("{:<14}", verdict.status.word()));
        let said = verdict.reason.as_deref().and_then(|reason| reason.lines().next()).unwrap_or(title);
        self.line(format_args!("    {word} {:<26} {}", verdict.id, printable(said)));
    }

    /// What nobody could try, in as few lines as will do: the reason is always the same.
    fn needy<'a>(&mut self, verdicts: impl Iterator<Item = &'a Verdict>) {
        let mut lines: Vec<String> = Vec::new();
        for id in verdicts.map(|verdict| &verdict.id) {
            match lines.last_mut().filter(|line| line.len() + id.len() < 80) {
                Some(line) => line.push_str(&format!(", {id}")),
                None => lines.push(id.clone()),
            }
        }
        for (index, line) in lines.iter().enumerate() {
            let word = if index == 0 { "needs --scenario" } else { "" };
            let word = self.paint(Status::NotExercised, format_args!("{word:<16}"));
            self.line(format_args!("    {word} {line}"));
        }
    }

    fn details(&mut self, run: &Run, subject: &Subject) {
        let shown = [Status::Fail, Status::Error, Status::Flaky, Status::Warn, Status::ExpectedFail];
        for wanted in shown {
            for (requirement, verdict) in run.results.iter().filter(|(_, verdict)| verdict.status == wanted) {
                self.detail(requirement, verdict, run, subject);
            }
        }
    }

    fn detail(&mut self, requirement: &Requirement, verdict: &Verdict, run: &Run, subject: &Subject) {
        let word = self.paint(verdict.status, verdict.status.word());
        self.line(format_args!("\n{word} {} ({})", verdict.id, requirement.level));
        self.line(format_args!("  {}", requirement.sentence));
        if let Some(reason) = &verdict.reason {
            self.field("reason", reason);
        }
        let mut shown = None;
        for finding in &verdict.findings {
            self.finding(finding, shown == Some(&finding.evidence));
            shown = Some(&finding.evidence);
        }
        self.field("to blame", super::blame(verdict.blame));
        self.field("rule", format_args!("SPEC.md#{}, r[{}]", requirement.anchor(), requirement.id));
        self.field("again", super::again(&verdict.id, &run.options.flags, &subject.typed));
    }

    fn finding(&mut self, finding: &Finding, evidence_shown: bool) {
        self.field("expected", &finding.expected);
        self.field("observed", &finding.observed);
        if let Some(check) = &finding.seen_in {
            self.field("seen in", format_args!("the check {check}"));
        }
        if evidence_shown {
            return;
        }
        self.block("messages", &finding.evidence.transcript);
        self.block("its log", &finding.evidence.log);
    }

    fn field(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("  {name:<9} {}", printable(&value.to_string())));
    }

    fn block(&mut self, name: &str, lines: &[String]) {
        for (index, line) in lines.iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            self.field(name, line);
        }
    }

    fn never_attached(&mut self, met: &Preflight) {
        let Preflight::NeverAttached { end, waited_ms, connections, packer, log } = met else { return };
        let waited = format!("{:.1} s", *waited_ms as f64 / 1000.0);
        let happened = match (end, connections) {
            (Some(end), 0) => format!("it {end} after {waited}, without connecting"),
            (Some(end), _) => format!("it connected, did not attach, and {end} after {waited}"),
            (None, 0) => format!("after {waited} it was still running and had not connected"),
            (None, _) => format!("after {waited} it was still running: connected, but not attached"),
        };
        let word = self.paint(Status::Fail, "never attached");
        self.line(format_args!("\n{word}: {happened}"));
        self.block("it said", log);
        self.field("hint", match packer {
            true => "this is a plugin of Packer's own protocol, not of Packwire; it needs a bridge between the two",
            false => "a plugin reads PACKER_PLUGIN_ADDRESS, dials it and calls Host.attach (SPEC.md, `Connection and attach`)",
        });
    }

    fn ending(&mut self, run: &Run) {
        self.line("");
        for stale in &run.stale {
            self.line(format_args!("stale expectation {}: {}", printable(&stale.id), printable(&stale.why)));
        }
        let bad = [Status::Fail, Status::Error, Status::Flaky, Status::ExpectedFail];
        let worst = bad.into_iter().find(|status| run.count(*status) > 0);
        let attached = run.introduction();
        let status = worst.unwrap_or(if attached.is_some() { Status::Pass } else { Status::Fail });
        let verdict = self.paint(status, super::verdict(run));
        let protocol = attached.map(|plugin| format!(" · protocol {}", plugin.protocol)).unwrap_or_default();
        self.line(format_args!("{verdict}{protocol} · suite {} · seed {}", super::SUITE, run.options.seed));
        if attached.is_some() {
            let seconds = run.took.as_secs_f64();
            self.line(format_args!("{} in {seconds:.1} s", super::counts(|status| run.count(status))));
            self.nearest(run);
        }
        if let Some(why) = ending::of(run).because() {
            self.line(why);
        }
    }

    /// The measured time that came nearest to its limit.
    fn nearest(&mut self, run: &Run) {
        let measured = run
            .results
            .iter()
            .flat_map(|(_, verdict)| verdict.measured.iter().map(|measured| (verdict.id.as_str(), measured)));
        let share = |measured: &Measured| measured.took_ms as f64 / (measured.limit_ms.max(1)) as f64;
        if let Some((id, nearest)) = measured.max_by(|a, b| share(a.1).total_cmp(&share(b.1))) {
            let Measured { took_ms, limit_ms } = nearest;
            self.line(format_args!("nearest to its limit: {id}, {took_ms} ms of {limit_ms} ms"));
        }
    }
}

fn needs_scenario(verdict: &Verdict) -> bool {
    let says_so = |reason: &String| reason.starts_with("no --scenario ");
    verdict.status == Status::NotExercised && verdict.reason.as_ref().is_some_and(says_so)
}
