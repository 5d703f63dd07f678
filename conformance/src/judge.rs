//! What was seen → a verdict for each requirement.

use std::collections::HashMap;

use crate::check::{
    Blame, Check, Class, Finding, Level, Measured, Observation, Outcome, Sighting, Status, Stop, Verdict,
};
use crate::components::Kind;

/// What came of running one check: an outcome, or the reason why our side failed.
pub(crate) type Ran = (&'static Check, Result<Outcome, String>);

/// One verdict for each check that ran; sightings go to the requirement that they speak of.
pub(crate) fn judge(ran: Vec<Ran>) -> Vec<Verdict> {
    let mut strays = strays(&ran);
    ran.into_iter()
        .map(|(check, result)| match result {
            Ok(outcome) => verdict(check, outcome, strays.remove(check.id).unwrap_or_default()),
            Err(why) => {
                let blame = ours_or_the_machines(&why);
                empty(check.id, Status::Error, Some(why), blame)
            }
        })
        .collect()
}

/// A verdict on a requirement that nothing was run for.
pub(crate) fn empty(id: &str, status: Status, reason: Option<String>, blame: Blame) -> Verdict {
    Verdict {
        id: id.to_owned(),
        status,
        reason,
        findings: Vec::new(),
        blame,
        observed: 0,
        components: Vec::new(),
        measured: Vec::new(),
        took_ms: 0,
    }
}

/// The sightings of all checks, by the requirement that they speak of.
fn strays(ran: &[Ran]) -> HashMap<String, Vec<Finding>> {
    let mut found: HashMap<String, Vec<Finding>> = HashMap::new();
    for (check, result) in ran {
        let Ok(outcome) = result else { continue };
        for Sighting { id, observation } in &outcome.sightings {
            let id = id.as_deref().unwrap_or(check.id);
            let seen_in = (id != check.id).then(|| check.id.to_owned());
            found.entry(id.to_owned()).or_default().push(finding(observation, outcome, seen_in));
        }
    }
    found
}

fn verdict(check: &Check, outcome: Outcome, strays: Vec<Finding>) -> Verdict {
    let broken = outcome.observations.iter().filter(|observation| !observation.held);
    let mut findings: Vec<Finding> = broken.map(|observation| finding(observation, &outcome, None)).collect();
    // What the check found itself says more than what was seen by the way.
    if findings.is_empty() {
        findings = first_of_each_kind(strays);
    }
    let (status, reason) = status(check.level, &outcome, &findings);
    let blame = match (status, check.class) {
        (Status::Error, _) => ours_or_the_machines(reason.as_deref().unwrap_or_default()),
        (_, Class::Library) => Blame::Library,
        _ => Blame::Plugin,
    };
    let measured: Vec<Measured> =
        outcome.observations.iter().filter_map(|seen| seen.measured.clone()).collect();
    let (observed, took_ms) = (outcome.observations.len(), outcome.took_ms);
    let components = components(&outcome.observations);
    Verdict {
        id: check.id.to_owned(),
        status,
        reason,
        findings,
        blame,
        observed,
        components,
        measured,
        took_ms,
    }
}

/// The components that observations are about. What is expected of one names it first: ``the builder `x` answers``.
fn components(observations: &[Observation]) -> Vec<String> {
    let mut components = Vec::new();
    for component in observations.iter().filter_map(|observation| component(&observation.expected)) {
        if !components.contains(&component) {
            components.push(component);
        }
    }
    components
}

fn component(expected: &str) -> Option<String> {
    let named = Kind::ALL.iter().filter_map(|kind| {
        let (before, rest) = expected.split_once(&format!("the {} `", kind.word()))?;
        let (name, _) = rest.split_once('`')?;
        Some((before.len(), format!("{} {name}", kind.word())))
    });
    named.min().map(|(_, component)| component)
}

/// Who is to blame for an error of ours: the machine, if it had no room, memory, processes or descriptors left.
fn ours_or_the_machines(why: &str) -> Blame {
    const EXHAUSTED: [&str; 6] = [
        "(os error 11)",
        "(os error 12)",
        "(os error 23)",
        "(os error 24)",
        "(os error 28)",
        "(os error 122)",
    ];
    let exhausted = EXHAUSTED.iter().any(|code| why.contains(code));
    if exhausted { Blame::Environment } else { Blame::Suite }
}

fn status(level: Level, outcome: &Outcome, findings: &[Finding]) -> (Status, Option<String>) {
    let unmet = if level == Level::Must { Status::Fail } else { Status::Warn };
    match &outcome.stop {
        Some(Stop::Rig(why)) => (Status::Error, Some(why.clone())),
        _ if !findings.is_empty() => (unmet, None),
        Some(Stop::NotExercised(why)) => (Status::NotExercised, Some(why.clone())),
        Some(Stop::NotApplicable(why)) => (Status::NotApplicable, Some(why.clone())),
        _ if outcome.observations.is_empty() => {
            (Status::Error, Some("the check looked at nothing".to_owned()))
        }
        _ => (Status::Pass, None),
    }
}

fn finding(observation: &Observation, outcome: &Outcome, seen_in: Option<String>) -> Finding {
    let Observation { expected, observed, prerequisite, process, .. } = observation.clone();
    let evidence = process.and_then(|index| outcome.evidence.get(index).cloned());
    let evidence = evidence.unwrap_or_else(|| outcome.evidence.last().cloned().unwrap_or_default());
    Finding { expected, observed, prerequisite, seen_in, evidence: evidence.end() }
}

/// The first sighting of each kind, with a word on how many are like it.
fn first_of_each_kind(sightings: Vec<Finding>) -> Vec<Finding> {
    let mut kinds: Vec<(Finding, usize)> = Vec::new();
    for sighting in sightings {
        match kinds.iter_mut().find(|(first, _)| first.expected == sighting.expected) {
            Some((_, count)) => *count += 1,
            None => kinds.push((sighting, 0)),
        }
    }
    let told = |(mut first, more): (Finding, usize)| {
        if more > 0 {
            first.observed.push_str(&format!(" (and {more} more like it)"));
        }
        first
    };
    kinds.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks;

    #[test]
    fn the_component_that_is_named_first_is_the_one_that_it_is_about() {
        let of = |expected: &str| component(expected).unwrap_or_default();
        assert_eq!(of("the builder `x` refuses {\"a\":\"the provisioner `y`\"}"), "builder x");
        assert_eq!(of("a run of the post-processor `z` ends within 60 s"), "post-processor z");
        assert_eq!(of("no message is larger than 8 MiB"), "");
    }

    fn seen(held: bool) -> Observation {
        let (expected, observed) = ("a".to_owned(), "b".to_owned());
        Observation { expected, observed, held, measured: None, prerequisite: false, process: None }
    }

    fn status_of(outcome: Outcome) -> Status {
        let check = checks::find("exit.leave").unwrap();
        judge(vec![(check, Ok(outcome))])[0].status
    }

    #[test]
    fn a_check_that_looked_at_nothing_is_our_error_and_no_pass() {
        assert_eq!(status_of(Outcome::default()), Status::Error);
        assert_eq!(status_of(Outcome { observations: vec![seen(true)], ..Outcome::default() }), Status::Pass);
        assert_eq!(
            status_of(Outcome { observations: vec![seen(false)], ..Outcome::default() }),
            Status::Fail
        );
    }

    #[test]
    fn a_machine_that_is_full_is_not_our_fault() {
        let blame =
            |why: &str| judge(vec![(checks::find("exit.leave").unwrap(), Err(why.to_owned()))])[0].blame;
        assert_eq!(blame("no directory: No space left on device (os error 28)"), Blame::Environment);
        assert_eq!(blame("the supervisor answered nothing"), Blame::Suite);
    }

    #[test]
    fn a_sighting_goes_to_the_requirement_that_it_speaks_of() {
        let (leave, launch) =
            (checks::find("exit.leave").unwrap(), checks::find("launch.not-a-host").unwrap());
        let stray = Sighting { id: Some("launch.not-a-host".to_owned()), observation: seen(false) };
        let left = Outcome { observations: vec![seen(true)], sightings: vec![stray], ..Outcome::default() };
        let launched = Outcome { observations: vec![seen(true)], ..Outcome::default() };
        let verdicts = judge(vec![(leave, Ok(left)), (launch, Ok(launched))]);
        assert_eq!((verdicts[0].status, verdicts[1].status), (Status::Pass, Status::Fail));
        assert_eq!(verdicts[1].findings[0].seen_in.as_deref(), Some("exit.leave"));
    }
}
