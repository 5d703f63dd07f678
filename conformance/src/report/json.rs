//! The report for programs: stable names, everything that was seen.

use serde::Serialize;

use super::verdict::Profile;
use crate::check::{Requirement, Status, Verdict};
use crate::expect::Stale;
use crate::preflight::{Introduction, Preflight};
use crate::subject::Subject;
use crate::suite::Run;

#[derive(Serialize)]
struct Report<'a> {
    suite: &'a str,
    command: &'a [String],
    verdict: String,
    profiles: Vec<Profile>,
    seed: u64,
    plugin: Option<&'a Introduction>,
    never_attached: Option<NeverAttached<'a>>,
    counts: serde_json::Map<String, serde_json::Value>,
    results: Vec<Result<'a>>,
    stale: &'a [Stale],
    took_ms: u128,
}

#[derive(Serialize)]
struct NeverAttached<'a> {
    end: Option<&'a str>,
    waited_ms: u64,
    connections: usize,
    packer: bool,
    log: &'a [String],
}

#[derive(Serialize)]
struct Result<'a> {
    #[serde(flatten)]
    requirement: &'a Requirement,
    #[serde(flatten)]
    verdict: Answer<'a>,
    again: String,
}

/// A verdict without its id, which the requirement has said.
#[derive(Serialize)]
struct Answer<'a> {
    status: Status,
    reason: Option<&'a str>,
    blame: crate::check::Blame,
    findings: &'a [crate::check::Finding],
    observed: usize,
    components: &'a [String],
    measured: &'a [crate::check::Measured],
    took_ms: u64,
}

/// The report as JSON.
pub fn json(run: &Run, subject: &Subject) -> serde_json::Result<String> {
    let report = Report {
        suite: super::SUITE,
        command: &subject.typed,
        verdict: super::verdict(run),
        profiles: super::verdict::profiles(run),
        seed: run.options.seed,
        plugin: run.introduction(),
        never_attached: never_attached(&run.met),
        counts: Status::ALL
            .map(|status| (status.word().to_owned(), run.count(status).into()))
            .into_iter()
            .collect(),
        results: run
            .results
            .iter()
            .map(|(requirement, verdict)| result(requirement, verdict, run, subject))
            .collect(),
        stale: &run.stale,
        took_ms: run.took.as_millis(),
    };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

fn never_attached(met: &Preflight) -> Option<NeverAttached<'_>> {
    let Preflight::NeverAttached { end, waited_ms, connections, packer, log } = met else { return None };
    Some(NeverAttached {
        end: end.as_deref(),
        waited_ms: *waited_ms,
        connections: *connections,
        packer: *packer,
        log,
    })
}

fn result<'a>(
    requirement: &'a Requirement,
    verdict: &'a Verdict,
    run: &Run,
    subject: &Subject,
) -> Result<'a> {
    let Verdict { id, status, reason, findings, blame, observed, components, measured, took_ms } = verdict;
    let answer = Answer {
        status: *status,
        reason: reason.as_deref(),
        blame: *blame,
        findings,
        observed: *observed,
        components,
        measured,
        took_ms: *took_ms,
    };
    Result { requirement, verdict: answer, again: super::again(id, &run.options.flags, &subject.typed) }
}
