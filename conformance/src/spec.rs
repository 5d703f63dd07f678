//! SPEC.md → requirements.
//!
//! A requirement is three lines: `r[dotted.id]`; one sentence with exactly one BCP 14 keyword; and
//! `*Binds: plugin|host. Seen: wire|process|fs|scenario|unobservable: reason.*`. The heading of level two above it is
//! its group.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The specification that this suite was built with.
pub const SPEC: &str = include_str!("../SPEC.md");

/// One numbered sentence of SPEC.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Requirement {
    /// Dotted words; born in SPEC.md and never reused.
    pub id: String,
    /// How strong the sentence is.
    pub level: Level,
    /// The sentence.
    pub sentence: String,
    /// The heading that it stands under.
    pub group: String,
    /// Whom it binds.
    pub binds: Party,
    /// How it is seen from outside.
    pub seen: Seen,
}

impl Requirement {
    /// The heading's anchor in SPEC.md, as Markdown renderers make it.
    pub fn anchor(&self) -> String {
        let kept = self.group.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
    }
}

/// The strength of a requirement, from its keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// MUST, MUST NOT, REQUIRED, SHALL, SHALL NOT.
    Must,
    /// SHOULD, SHOULD NOT, RECOMMENDED, NOT RECOMMENDED.
    Should,
    /// MAY, OPTIONAL.
    May,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        })
    }
}

/// Whom a requirement binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// The plugin.
    Plugin,
    /// The host.
    Host,
}

/// How a requirement is seen from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    /// In the messages.
    Wire,
    /// In the process: exit status, signals, output, descendants.
    Process,
    /// In the file system.
    Fs,
    /// Only while a scenario of the author runs.
    Scenario,
    /// Not at all, for this reason.
    Unobservable(String),
}

/// Why a text is not a specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the specification: {problem}")]
pub struct SpecError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a requirement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is said by its message")]
pub enum Problem {
    #[error("`{0}` is not a dotted id of lower-case words")]
    BadId(String),
    #[error("the id {id} was already given in line {first}")]
    RepeatedId { id: String, first: usize },
    #[error("the requirement {0} has no sentence below it")]
    NoSentence(String),
    #[error("the sentence of {id} has {count} BCP 14 keywords, not one")]
    Keywords { id: String, count: usize },
    #[error("the requirement {0} stands under no heading")]
    NoHeading(String),
    #[error("below the sentence of {0} there is no line `*Binds: … Seen: ….*`")]
    NoBinding(String),
    #[error("`{0}` is neither plugin nor host")]
    BadParty(String),
    #[error("`{0}` is not wire, process, fs, scenario or `unobservable: reason`")]
    BadSeen(String),
}

/// The requirements of a specification, in its order.
pub fn requirements(text: &str) -> Result<Vec<Requirement>, SpecError> {
    let lines: Vec<&str> = text.lines().collect();
    let mut group = None;
    let mut first_seen: HashMap<String, usize> = HashMap::new();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if let Some(heading) = line.strip_prefix("## ") {
            group = Some(heading_text(heading));
        }
        let Some(marker) = line.strip_prefix("r[") else { continue };
        let at = |problem| SpecError { line: index + 1, problem };
        let id = dotted_id(marker).map_err(at)?;
        if let Some(first) = first_seen.insert(id.clone(), index + 1) {
            return Err(at(Problem::RepeatedId { id, first }));
        }
        let group = group.clone().ok_or_else(|| at(Problem::NoHeading(id.clone())))?;
        found.push(requirement(id, group, lines.get(index + 1), lines.get(index + 2)).map_err(at)?);
    }
    Ok(found)
}

fn requirement(
    id: String,
    group: String,
    sentence: Option<&&str>,
    binding: Option<&&str>,
) -> Result<Requirement, Problem> {
    let sentence = sentence.map(|s| s.trim()).filter(|s| !s.is_empty());
    let sentence = sentence.ok_or_else(|| Problem::NoSentence(id.clone()))?;
    let level = level_of(sentence).map_err(|count| Problem::Keywords { id: id.clone(), count })?;
    let binding = binding.and_then(|line| line.trim().strip_prefix("*Binds: ")?.strip_suffix(".*"));
    let binding = binding.and_then(|line| line.split_once(". Seen: "));
    let (party, seen) = binding.ok_or_else(|| Problem::NoBinding(id.clone()))?;
    Ok(Requirement {
        level,
        sentence: sentence.to_owned(),
        group,
        binds: party_of(party)?,
        seen: seen_of(seen)?,
        id,
    })
}

/// A heading without the number that chapters may carry.
fn heading_text(heading: &str) -> String {
    let text = heading.trim();
    let unnumbered = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').trim_start();
    if unnumbered.is_empty() { text.to_owned() } else { unnumbered.to_owned() }
}

fn dotted_id(marker: &str) -> Result<String, Problem> {
    let id = marker.trim_end().strip_suffix(']').unwrap_or(marker);
    let (words, revision) = id.split_once('+').map_or((id, None), |(words, rest)| (words, Some(rest)));
    let word = |w: &str| {
        !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let revised = revision.is_none_or(|r| !r.is_empty() && r.bytes().all(|b| b.is_ascii_digit()));
    let good =
        marker.trim_end().ends_with(']') && words.contains('.') && words.split('.').all(word) && revised;
    if good { Ok(id.to_owned()) } else { Err(Problem::BadId(id.to_owned())) }
}

/// The level of a sentence, or how many keywords it has.
fn level_of(sentence: &str) -> Result<Level, usize> {
    let words = sentence.split(|c: char| !c.is_ascii_alphanumeric());
    let levels: Vec<Level> = words
        .filter_map(|word| match word {
            "MUST" | "REQUIRED" | "SHALL" => Some(Level::Must),
            "SHOULD" | "RECOMMENDED" => Some(Level::Should),
            "MAY" | "OPTIONAL" => Some(Level::May),
            _ => None,
        })
        .collect();
    match levels[..] {
        [level] => Ok(level),
        _ => Err(levels.len()),
    }
}

fn party_of(word: &str) -> Result<Party, Problem> {
    match word {
        "plugin" => Ok(Party::Plugin),
        "host" => Ok(Party::Host),
        other => Err(Problem::BadParty(other.to_owned())),
    }
}

fn seen_of(words: &str) -> Result<Seen, Problem> {
    match words {
        "wire" => Ok(Seen::Wire),
        "process" => Ok(Seen::Process),
        "fs" => Ok(Seen::Fs),
        "scenario" => Ok(Seen::Scenario),
        other => match other.strip_prefix("unobservable:").map(str::trim) {
            Some(reason) if !reason.is_empty() => Ok(Seen::Unobservable(reason.to_owned())),
            _ => Err(Problem::BadSeen(other.to_owned())),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "## 3. Shutdown, crash, orphans\n\nr[exit.leave]\nA plugin MUST exit.\n*Binds: plugin. Seen: process.*\n";

    #[test]
    fn a_requirement_is_three_lines_under_a_heading() {
        let read = requirements(GOOD).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].id.as_str(), read[0].level), ("exit.leave", Level::Must));
        assert_eq!(read[0].group, "Shutdown, crash, orphans");
        assert_eq!(read[0].anchor(), "shutdown-crash-orphans");
        assert_eq!((read[0].binds, &read[0].seen), (Party::Plugin, &Seen::Process));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let said = |text: &str| requirements(text).unwrap_err().to_string();
        let said: Vec<String> = [
            GOOD.replace("exit.leave", "Exit"),
            GOOD.replace("MUST exit", "MUST leave and SHOULD exit"),
            GOOD.replace("MUST", "must"),
            GOOD.replace("plugin. Seen", "everybody. Seen"),
            GOOD.replace("process.*", "unobservable:.*"),
            GOOD.replace("*Binds", "Binds"),
            GOOD.replace("## 3", "3"),
            format!("{GOOD}{GOOD}"),
        ]
        .iter()
        .map(|text| said(text))
        .collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn our_specification_can_be_read() {
        let all = requirements(SPEC).unwrap();
        assert!(all.iter().any(|requirement| requirement.id == "exit.leave"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(lines in proptest::collection::vec("(r\\[|## |\\*Binds: |MUST |plugin|\\. Seen: |\\.\\*|\\]|\\PC){0,8}", 0..12)) {
            drop(requirements(&lines.join("\n")));
        }
    }
}
