//! Rules, checks, faults and the kill matrix, side by side.

use std::collections::HashSet;

use serde::Deserialize;

use super::matrix::Row;
use super::rules::Rule;
use super::{SPEC, Trace, Traced};

/// Chapters whose rules are about attaching, by how their ids begin: a fault there may keep a plugin from it.
const BEFORE_ATTACH: [&str; 4] = ["launch.", "attach.", "version.", "token."];

/// A check, as `conformance list --json` tells it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Check {
    pub(super) id: String,
    pub(super) level: String,
    pub(super) mutants: Vec<String>,
}

/// A manner of being, as `faulty list --json` tells it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Fault {
    name: String,
    kind: String,
    requirement: Option<String>,
}

impl Fault {
    fn is_about_attaching(&self) -> bool {
        let id = self.requirement.as_deref().unwrap_or_default();
        BEFORE_ATTACH.iter().any(|chapter| id.starts_with(chapter))
    }
}

/// All four lists.
pub(super) struct Lists {
    pub(super) rules: Vec<Rule>,
    pub(super) checks: Vec<Check>,
    pub(super) faults: Vec<Fault>,
    pub(super) matrix: Vec<Row>,
}

impl Lists {
    pub(super) fn trace(&self) -> Trace {
        let problems = [
            self.rules_without_checks(),
            self.checks_gone_wrong(),
            self.faults_gone_wrong(),
            self.rows_gone_wrong(),
        ];
        let problems = problems.concat();
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

    pub(super) fn faults(&self) -> impl Iterator<Item = &Fault> {
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

    /// Rows of the kill matrix that no fault has, or whose fault kept the plugin from attaching for no good reason: what
    /// was seen then says nothing of the rule.
    fn rows_gone_wrong(&self) -> Vec<String> {
        let wrong = |row: &Row| match self.faults().find(|fault| fault.name == row.fault) {
            None => {
                Some(format!("fault {}: the kill matrix shows it, and `faulty` does not know it", row.fault))
            }
            Some(fault) if row.never_attached() && !fault.is_about_attaching() => Some(format!(
                "fault {}: it never attaches, and {} is not about attaching",
                fault.name,
                fault.requirement.as_deref().unwrap_or_default()
            )),
            Some(_) => None,
        };
        self.matrix.iter().filter_map(wrong).collect()
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
    use super::super::index;
    use super::*;

    fn rule(id: &str, level: &str, unobservable: Option<&str>) -> Rule {
        let (id, level, group) = (id.to_owned(), level.to_owned(), "Chapter".to_owned());
        let (binds, seen) = ("plugin".to_owned(), unobservable.unwrap_or("wire").to_owned());
        Rule { id, level, group, binds, seen, unobservable: unobservable.map(str::to_owned) }
    }

    fn check(id: &str, level: &str, mutants: &[&str]) -> Check {
        let mutants = mutants.iter().map(|name| (*name).to_owned()).collect();
        Check { id: id.to_owned(), level: level.to_owned(), mutants }
    }

    fn fault(name: &str, requirement: &str) -> Fault {
        Fault { name: name.to_owned(), kind: "fault".to_owned(), requirement: Some(requirement.to_owned()) }
    }

    fn caught(fault: &str, by: &str) -> Row {
        let observed = "it does ⇒ it does not".to_owned();
        Row { fault: fault.to_owned(), observed, caught: vec![by.to_owned()] }
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

    #[test]
    fn a_fault_that_keeps_the_plugin_from_attaching_is_told_unless_its_rule_is_about_that() {
        let late = |fault: &str, by: &str| {
            let observed = "it ends ⇒ it exited with status 2 before it attached".to_owned();
            Row { observed, ..caught(fault, by) }
        };
        let lists = Lists {
            rules: vec![rule("launch.a", "MUST", None), rule("exit.b", "MUST", None)],
            checks: vec![check("launch.a", "MUST", &["no-start"]), check("exit.b", "MUST", &["no-end"])],
            faults: vec![fault("no-start", "launch.a"), fault("no-end", "exit.b")],
            matrix: vec![late("no-start", "launch.a"), late("no-end", "exit.b"), late("gone", "exit.b")],
        };
        insta::assert_snapshot!(lists.trace().problems.join("\n"), @r"
        fault no-end: it never attaches, and exit.b is not about attaching
        fault gone: the kill matrix shows it, and `faulty` does not know it
        ");
    }
}
