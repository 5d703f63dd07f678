//! Expectations: the rules that a plugin is known to break, each with the reason why that is borne for now.
//!
//! They let a plugin that is not conformant yet be guarded against getting worse. What stands there has to fail: an
//! entry that no longer does is stale, and the run says so, so that the list only ever shrinks.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::check::{Requirement, Status, Verdict};
use crate::{select, writable};

/// What `--expect FILE` holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations(BTreeMap<String, String>);

/// The file as TOML.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "packwire-expect")]
    version: u32,
    #[serde(default)]
    fails: BTreeMap<String, String>,
}

/// An entry that should be taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stale {
    /// The id that stands in the file.
    pub id: String,
    /// Why it does not belong there.
    pub why: String,
}

/// Why a file holds no expectations.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[expect(missing_docs, reason = "each variant is said by its message")]
pub enum ExpectError {
    #[error("the expectations {} cannot be read", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the expectations {} are not understood: {problem}", .path.display())]
    #[diagnostic(help("`conformance --write-expect FILE …` writes such a file"))]
    NotUnderstood { path: PathBuf, problem: String },
    #[error("the expectations cannot be written to {}", .path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
}

/// Finds out before a run whether its failures can be written down; what stands in the file stays until then.
pub(crate) fn can_be_written(path: &Path) -> Result<(), ExpectError> {
    writable::probe(path).map_err(|source| ExpectError::Unwritable { path: path.to_owned(), source })
}

impl Expectations {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ExpectError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ExpectError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|problem| ExpectError::NotUnderstood { path: path.to_owned(), problem })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let File { version, fails } =
            toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        if version != 1 {
            return Err(format!("packwire-expect is {version}, and this suite knows version 1"));
        }
        match fails.iter().find(|(_, reason)| reason.trim().is_empty()) {
            Some((id, _)) => Err(format!("{id} has no reason")),
            None => Ok(Self(fails)),
        }
    }

    /// Whether this rule is known to be broken.
    pub(crate) fn holds(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// Tells what fails as expected from what does not, and answers which entries are stale.
    pub(crate) fn apply(&self, results: &mut [(Requirement, Verdict)]) -> Vec<Stale> {
        let ids: Vec<String> = results.iter().map(|(requirement, _)| requirement.id.clone()).collect();
        let mut stale = Vec::new();
        for (id, reason) in &self.0 {
            let why = match results.iter_mut().find(|(requirement, _)| requirement.id == *id) {
                Some((_, verdict)) => meet(verdict, reason),
                None => Some(unknown(id, &ids)),
            };
            stale.extend(why.map(|why| Stale { id: id.clone(), why }));
        }
        stale
    }
}

/// Gives a verdict the status that an expectation makes of it, and says why the entry is stale, if it is.
fn meet(verdict: &mut Verdict, reason: &str) -> Option<String> {
    match verdict.status {
        Status::Fail | Status::Warn | Status::Flaky => {
            verdict.status = Status::ExpectedFail;
            verdict.reason = Some(format!("expected: {reason}"));
            None
        }
        Status::Pass => {
            verdict.status = Status::UnexpectedPass;
            verdict.reason = Some(format!("it passes, and is expected to fail: {reason}"));
            Some("it passes now".to_owned())
        }
        Status::NotApplicable => Some("it does not apply to this plugin".to_owned()),
        _ => None,
    }
}

fn unknown(id: &str, ids: &[String]) -> String {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let hint = select::did_you_mean(id, &ids).map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("there is no such rule for plugins{hint}")
}

/// Writes what fails in a run as expectations; reasons that were given before are kept.
pub fn write(
    path: &Path,
    results: &[(Requirement, Verdict)],
    known: Option<&Expectations>,
) -> Result<(), ExpectError> {
    std::fs::write(path, text(results, known))
        .map_err(|source| ExpectError::Unwritable { path: path.to_owned(), source })
}

fn text(results: &[(Requirement, Verdict)], known: Option<&Expectations>) -> String {
    let mut text =
        "# The rules that this plugin is known to break, each with the reason why that is borne for now.\n\
                    # An entry that no longer fails ends `conformance --expect` with exit code 5.\n\
                    packwire-expect = 1\n\n[fails]\n"
            .to_owned();
    let broken = [Status::Fail, Status::Warn, Status::Flaky, Status::ExpectedFail];
    for (requirement, verdict) in results.iter().filter(|(_, verdict)| broken.contains(&verdict.status)) {
        let given = known.and_then(|known| known.0.get(&requirement.id).cloned());
        let reason = given.unwrap_or_else(|| unexplained(verdict));
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let (id, reason) = (quoted(&requirement.id), quoted(&reason));
        // Writing into a string cannot fail.
        let _ = write!(text, "# {} ({})\n{id} = {reason}\n", requirement.sentence, requirement.level);
    }
    text
}

fn unexplained(verdict: &Verdict) -> String {
    let observed = verdict.findings.first().map_or("", |finding| &finding.observed);
    let observed: String = observed.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    format!("not explained yet; observed: {observed}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::Blame;
    use crate::{judge, spec};

    fn results(statuses: &[(&str, Status)]) -> Vec<(Requirement, Verdict)> {
        let rules = spec::requirements(spec::SPEC).unwrap();
        let result = |(id, status): &(&str, Status)| {
            let rule = rules.iter().find(|rule| rule.id == *id).unwrap().clone();
            (rule, judge::empty(id, *status, None, Blame::Plugin))
        };
        statuses.iter().map(result).collect()
    }

    #[test]
    fn what_is_expected_must_fail_and_everything_else_is_stale() {
        let all = "packwire-expect = 1\n[fails]\n\"exit.leave\" = 'a'\n\"exit.no-redial\" = 'b'\n\
                   \"exit.half-clos\" = 'c'\n\"exit.disconnect-running\" = 'd'\n\"exit.half-close\" = 'e'\n";
        let mut results = results(&[
            ("exit.leave", Status::Fail),
            ("exit.disconnect-running", Status::NotExercised),
            ("exit.half-close", Status::NotApplicable),
            ("exit.no-redial", Status::Pass),
        ]);
        let stale = Expectations::parse(all).unwrap().apply(&mut results);
        let statuses: Vec<Status> = results.iter().map(|(_, verdict)| verdict.status).collect();
        let wanted =
            [Status::ExpectedFail, Status::NotExercised, Status::NotApplicable, Status::UnexpectedPass];
        assert_eq!(statuses, wanted);
        let stale: Vec<String> =
            stale.into_iter().map(|stale| format!("{}: {}", stale.id, stale.why)).collect();
        insta::assert_snapshot!(stale.join("\n"), @r"
        exit.half-clos: there is no such rule for plugins; did you mean `exit.half-close`?
        exit.half-close: it does not apply to this plugin
        exit.no-redial: it passes now
        ");
    }

    #[test]
    fn what_is_written_can_be_read_and_keeps_reasons() {
        let known = Expectations([("exit.leave".to_owned(), "\"we\" know\n".to_owned())].into());
        let results = results(&[
            ("exit.leave", Status::ExpectedFail),
            ("exit.half-close", Status::Fail),
            ("exit.no-redial", Status::Pass),
        ]);
        let written = Expectations::parse(&text(&results, Some(&known))).unwrap();
        assert_eq!(written.0["exit.leave"], "\"we\" know\n");
        assert!(written.0["exit.half-close"].starts_with("not explained yet"));
        assert_eq!(written.0.len(), 2);
    }

    #[test]
    fn an_entry_needs_a_reason_and_a_file_its_version() {
        let said = |text: &str| Expectations::parse(text).unwrap_err();
        assert_eq!(said("packwire-expect = 1\n[fails]\n\"exit.leave\" = ' '\n"), "exit.leave has no reason");
        assert!(said("packwire-expect = 2\n").contains("version 1"));
        assert!(said("[fails]\n").contains("packwire-expect"));
        assert!(said("packwire-expect = 1\nfail = 3\n").contains("unknown field"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(packwire-expect = 1\n)?(\\[fails\\]\n)?\\PC{0,40}") {
            drop(Expectations::parse(&text));
        }
    }
}
