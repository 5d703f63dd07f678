//! The verdict in words. It never says more than was tried.
//!
//! There are two profiles: the core, which any plugin can be tried on, and its components, which need to be prepared
//! and run. "Conformant" is said of neither while the other one is broken.

use serde::Serialize;

use crate::check::{Class, Level, Requirement, Status, Verdict};
use crate::checks;
use crate::preflight::Preflight;
use crate::suite::Run;

/// More components than these are counted, not named.
const NAMED: usize = 3;

/// One profile of the specification, and how the plugin did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Profile {
    /// `core`, or the components.
    pub(crate) name: String,
    /// How it stands, in words.
    pub(crate) verdict: String,
    /// How many rules belong to it.
    pub(crate) rules: usize,
    /// How many of them have an answer.
    pub(crate) tried: usize,
}

/// Both profiles in one line.
pub(crate) fn verdict(run: &Run) -> String {
    let profiles = profiles(run);
    if profiles.is_empty() {
        return "not tested, the program never attached".to_owned();
    }
    let told = profiles.iter().map(|profile| format!("{}: {}", profile.name, profile.verdict));
    told.collect::<Vec<_>>().join(" · ")
}

/// The profiles of a plugin that attached, the core first.
pub(crate) fn profiles(run: &Run) -> Vec<Profile> {
    let Preflight::Attached(introduction, _) = &run.met else { return Vec::new() };
    let (core, rest): (Vec<_>, Vec<_>) =
        run.results.iter().partition(|(requirement, _)| is_core(requirement));
    let (core, rest) = (Tally(core), Tally(rest));
    let name = name(&introduction.components);
    vec![core.profile("core".to_owned(), rest.is_broken()), rest.profile(name, core.is_broken())]
}

fn name(components: &[String]) -> String {
    match components.len() {
        0 => "components".to_owned(),
        1..=NAMED => crate::report::printable(&components.join(", ")),
        more => format!("its {more} components"),
    }
}

/// Whether a rule is one for any plugin, whatever its components are.
fn is_core(requirement: &Requirement) -> bool {
    let class = checks::find(&requirement.id).map(|check| check.class);
    matches!(class, None | Some(Class::Any | Class::Library))
}

/// The results of one profile.
struct Tally<'a>(Vec<&'a (Requirement, Verdict)>);

impl Tally<'_> {
    fn profile(&self, name: String, broken_elsewhere: bool) -> Profile {
        let (rules, tried) = (self.0.len(), self.tried());
        Profile { name, verdict: self.words(broken_elsewhere), rules, tried }
    }

    fn words(&self, broken_elsewhere: bool) -> String {
        let (all, tried) = (self.0.len(), self.tried());
        let (failed, known) = (self.count(Status::Fail), self.musts(Status::ExpectedFail));
        let (errors, flaky) = (self.count(Status::Error), self.musts(Status::Flaky));
        let needy = self.count(Status::NotExercised);
        match () {
            () if failed > 0 && known > 0 => {
                format!("not conformant ({} of {all} rules broken, {known} as expected)", failed + known)
            }
            () if failed > 0 => format!("not conformant ({failed} of {all} rules broken)"),
            () if known > 0 => format!("not conformant ({known} of {all} rules broken, as expected)"),
            () if errors > 0 => format!("no verdict (an error of the suite in {errors} of {all} rules)"),
            () if flaky > 0 => format!("no verdict ({flaky} of {all} rules flaky)"),
            () if tried == 0 && needy == all => format!("not tested (all {all} rules need --scenario)"),
            () if tried == 0 => "not tested".to_owned(),
            () if broken_elsewhere => format!("nothing broken ({tried} of {all} rules tried)"),
            () if tried == all => format!("conformant (all {all} rules)"),
            () if needy > 0 && needy + tried == all => {
                format!("conformant as far as tested ({needy} of {all} rules need --scenario)")
            }
            () if needy > 0 => {
                format!("conformant as far as tested ({tried} of {all} rules tried; {needy} need --scenario)")
            }
            () => format!("conformant as far as tested ({tried} of {all} rules tried)"),
        }
    }

    /// Whether anything here keeps the other profile from being called conformant.
    fn is_broken(&self) -> bool {
        let counts = [self.count(Status::Fail), self.count(Status::Error)];
        let musts = [self.musts(Status::ExpectedFail), self.musts(Status::Flaky)];
        counts.iter().chain(&musts).any(|count| *count > 0)
    }

    fn tried(&self) -> usize {
        self.0.iter().filter(|(_, verdict)| verdict.status.is_an_answer()).count()
    }

    fn count(&self, status: Status) -> usize {
        self.0.iter().filter(|(_, verdict)| verdict.status == status).count()
    }

    fn musts(&self, status: Status) -> usize {
        let is = |(rule, verdict): &&&(Requirement, Verdict)| {
            rule.level == Level::Must && verdict.status == status
        };
        self.0.iter().filter(is).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Blame;
    use crate::{judge, suite};

    /// All rules passed, but the first of each profile.
    fn words(core: Status, rest: Status) -> String {
        let rules = suite::requirements().unwrap();
        let mut first = [Some(core), Some(rest)];
        let result = |rule: Requirement| {
            let status = first[usize::from(!is_core(&rule))].take().unwrap_or(Status::Pass);
            let verdict = judge::empty(&rule.id, status, None, Blame::Plugin);
            (rule, verdict)
        };
        let results: Vec<_> = rules.into_iter().map(result).collect();
        let (core, rest): (Vec<_>, Vec<_>) = results.iter().partition(|(rule, _)| is_core(rule));
        let (core, rest) = (Tally(core), Tally(rest));
        let told = format!("{}, {}", core.words(rest.is_broken()), rest.words(core.is_broken()));
        let mut chars: Vec<char> = told.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
        chars.dedup_by(|one, before| *one == '#' && *before == '#');
        String::from_iter(chars).replace('#', "n")
    }

    #[test]
    fn conformant_is_said_only_where_all_was_tried_and_nothing_is_broken() {
        use Status::{Error, ExpectedFail, Fail, Flaky, NotExercised, Pass, Skipped, UnexpectedPass, Warn};
        let told = [
            (Pass, Pass),
            (Warn, UnexpectedPass),
            (Pass, NotExercised),
            (Skipped, Pass),
            (Fail, Pass),
            (Pass, Fail),
            (Pass, ExpectedFail),
            (Flaky, Pass),
            (Error, Pass),
        ]
        .map(|(core, rest)| format!("{} + {} = {}", core.word(), rest.word(), words(core, rest)));
        insta::assert_snapshot!(told.join("\n"));
    }
}
