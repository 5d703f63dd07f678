//! The rules of SPEC.md: three lines each, the id, the sentence, whom it binds and how it is seen.

use thiserror::Error;

/// One numbered sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) id: String,
    /// MUST, SHOULD or MAY; a NOT is left out.
    pub(super) level: String,
    /// The heading of the second level that it stands under.
    pub(super) group: String,
    /// `plugin` or `host`.
    pub(super) binds: String,
    /// `wire`, `process`, `fs`, `scenario`, or why no check can see it kept.
    pub(super) seen: String,
    /// Why no check can see it kept, where none can.
    pub(super) unobservable: Option<String>,
}

/// A rule that is not written as rules are.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("r[{id}]: {problem}")]
pub(crate) struct RuleError {
    id: String,
    problem: &'static str,
}

/// Reads all rules, in their order.
pub(super) fn read(text: &str) -> Result<Vec<Rule>, RuleError> {
    let mut lines = text.lines();
    let mut group = "";
    let mut rules = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            group = heading;
        }
        if let Some(id) = line.strip_prefix("r[").and_then(|rest| rest.strip_suffix(']')) {
            rules.push(rule(id, group, lines.next(), lines.next())?);
        }
    }
    Ok(rules)
}

fn rule(id: &str, group: &str, sentence: Option<&str>, binding: Option<&str>) -> Result<Rule, RuleError> {
    let wrong = |problem| RuleError { id: id.to_owned(), problem };
    let level = level(sentence.unwrap_or_default())
        .ok_or_else(|| wrong("its sentence has not exactly one keyword"))?;
    let seen = binding.and_then(|line| line.strip_prefix('*')?.strip_suffix(".*")?.split_once(" Seen: "));
    let (binds, seen) = seen.ok_or_else(|| wrong("no line says whom it binds and how it is seen"))?;
    let unobservable = seen.strip_prefix("unobservable: ").map(str::to_owned);
    let binds = binds.trim_start_matches("Binds: ").trim_end_matches('.').to_owned();
    let (id, level, group, seen) = (id.to_owned(), level.to_owned(), group.to_owned(), seen.to_owned());
    Ok(Rule { id, level, group, binds, seen, unobservable })
}

/// The one keyword of a sentence.
fn level(sentence: &str) -> Option<&'static str> {
    let words = sentence.split(|letter: char| !letter.is_ascii_alphanumeric());
    let mut found =
        words.filter_map(|word| ["MUST", "SHOULD", "MAY"].into_iter().find(|level| *level == word));
    let level = found.next()?;
    found.next().is_none().then_some(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# T\n## Exit\n\nr[exit.leave]\nA plugin MUST exit.\n*Binds: plugin. Seen: process.*\n\nProse.\n\
        r[host.x]\nA host MUST NOT, ever.\n*Binds: host. Seen: unobservable: it drives plugins, not hosts.*\n";

    #[test]
    fn rules_are_read_with_their_chapter() {
        let told: Vec<_> =
            read(TEXT).unwrap().into_iter().map(|r| (r.id, r.level, r.group, r.unobservable)).collect();
        let owned = |text: &str| text.to_owned();
        let all = read(TEXT).unwrap();
        assert_eq!((all[0].binds.as_str(), all[0].seen.as_str()), ("plugin", "process"));
        assert_eq!(told[0], (owned("exit.leave"), owned("MUST"), owned("Exit"), None));
        assert_eq!(told[1].3, Some(owned("it drives plugins, not hosts")));
    }

    #[test]
    fn a_rule_that_is_no_rule_is_told() {
        let told = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(told("r[a.b]\nIt may."), "r[a.b]: its sentence has not exactly one keyword");
        assert_eq!(told("r[a.b]\nIt MUST, and MUST.\n"), "r[a.b]: its sentence has not exactly one keyword");
        assert_eq!(told("r[a.b]\nIt MUST.\n"), "r[a.b]: no line says whom it binds and how it is seen");
    }
}
