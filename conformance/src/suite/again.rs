//! What failed only against the clock is run again, alone: a busy machine is no fault of the plugin's.
//!
//! A check that then keeps its limits is flaky: told apart from a failure, and no pass either, since a host may be as
//! busy as the suite was.

use std::collections::HashMap;
use std::time::Duration;

use super::{Context, run_one};
use crate::check::Status;
use crate::check::{Check, Outcome, Verdict};
use crate::judge::Ran;

/// How long all second runs may take together, judged by the first ones, before `--slow` stretches it.
const AT_MOST: Duration = Duration::from_secs(20);

/// Runs again what was late, one check at a time, and answers for which that was enough, with the words for it.
pub(super) async fn run_again(
    context: &Context<'_>,
    ran: &[Ran],
    mut progress: impl FnMut(usize),
) -> HashMap<&'static str, String> {
    let known = |check: &Check| context.options.expect.as_ref().is_some_and(|known| known.holds(check.id));
    let late = ran.iter().filter_map(|(check, result)| Some((*check, result.as_ref().ok()?)));
    let late: Vec<_> = late.filter(|(check, outcome)| is_late(outcome) && !known(check)).collect();
    let (mut flaky, mut left) = (HashMap::new(), AT_MOST.mul_f64(context.options.slow));
    for (index, (check, first)) in late.iter().enumerate() {
        progress(late.len() - index);
        let Some(rest) = left.checked_sub(Duration::from_millis(first.took_ms)) else { continue };
        left = rest;
        if let (_, Ok(second)) = run_one(context, check).await
            && is_met(&second)
        {
            flaky.insert(check.id, both(first, &second));
        }
    }
    flaky
}

/// Gives those verdicts their status.
pub(super) fn tell_apart(verdicts: &mut [Verdict], flaky: &HashMap<&'static str, String>) {
    for verdict in verdicts {
        if let Some(words) = flaky.get(verdict.id.as_str()) {
            verdict.status = Status::Flaky;
            verdict.reason = Some(words.clone());
        }
    }
}

/// Whether everything that it missed was a limit of time.
fn is_late(outcome: &Outcome) -> bool {
    let mut broken = outcome.observations.iter().filter(|observation| !observation.held).peekable();
    let late = |measured: &crate::check::Measured| measured.took_ms >= measured.limit_ms;
    broken.peek().is_some() && broken.all(|observation| observation.measured.as_ref().is_some_and(late))
}

fn is_met(outcome: &Outcome) -> bool {
    let observations = &outcome.observations;
    outcome.stop.is_none() && !observations.is_empty() && observations.iter().all(|seen| seen.held)
}

fn both(first: &Outcome, second: &Outcome) -> String {
    let worst = |outcome: &Outcome| {
        let measured = outcome.observations.iter().filter_map(|seen| seen.measured.as_ref());
        measured.max_by_key(|measured| 1000 * measured.took_ms / measured.limit_ms.max(1)).cloned()
    };
    let told = |outcome: &Outcome| {
        worst(outcome).map(|it| format!(" ({} ms of {} ms)", it.took_ms, it.limit_ms)).unwrap_or_default()
    };
    format!("missed a limit of time{}; run again alone it kept it{}", told(first), told(second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Measured, Observation};

    fn seen(held: bool, took_ms: Option<u64>) -> Observation {
        let (expected, observed) = ("a".to_owned(), "b".to_owned());
        let measured = took_ms.map(|took_ms| Measured { limit_ms: 100, took_ms });
        Observation { expected, observed, held, measured, prerequisite: false, process: None }
    }

    fn outcome(observations: Vec<Observation>) -> Outcome {
        Outcome { observations, ..Outcome::default() }
    }

    #[test]
    fn only_what_missed_a_limit_and_nothing_else_is_tried_again() {
        assert!(is_late(&outcome(vec![seen(true, None), seen(false, Some(100))])));
        assert!(!is_late(&outcome(vec![seen(false, Some(100)), seen(false, None)])));
        // In time, and wrong all the same.
        assert!(!is_late(&outcome(vec![seen(false, Some(20))])));
        assert!(!is_late(&outcome(vec![seen(true, Some(100))])));
    }

    #[test]
    fn a_second_run_counts_only_if_it_looked_at_something_and_all_of_it_held() {
        assert!(is_met(&outcome(vec![seen(true, Some(20))])));
        assert!(!is_met(&outcome(vec![])) && !is_met(&outcome(vec![seen(true, None), seen(false, None)])));
        let words = both(&outcome(vec![seen(false, Some(120))]), &outcome(vec![seen(true, Some(3))]));
        assert_eq!(
            words,
            "missed a limit of time (120 ms of 100 ms); run again alone it kept it (3 ms of 100 ms)"
        );
    }
}
