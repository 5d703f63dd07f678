//! Diagnostics, outcomes, exceptions.

use std::time::Duration;

use super::prepare::{Tried, schema_of};
use super::runs::PREPARING;
use crate::check::{Check, Checked, Class, Level};
use crate::rig::{Manners, Rig};
use crate::scenario::Key;
use crate::stage::Cast;
use crate::talk::diagnostic::shortened;
use crate::talk::prepare::call_unknown;
use crate::talk::{Diagnostic, preparers};

const MOMENT: Duration = Duration::from_millis(200);
const LONGEST_SUMMARY: usize = 500;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "error.unimplemented",
        level: Level::Should,
        class: Class::Library,
        title: "refuses methods that it does not know",
        why: "A peer of a later version may try; a refusal is an answer, and a crash is none.",
        seen: "A method number and an interface that nobody has are called on every component, then prepare.",
        budgets: &[],
        mutants: &["session-dies-on-unknown-method"],
        lasts: MOMENT,
        run: |rig| Box::pin(unimplemented(rig)),
    },
    Check {
        id: "error.readable",
        level: Level::Must,
        class: Class::Declared,
        title: "says in one line what is wrong",
        why: "A summary is the one line that a user sees first, in a terminal and in editors.",
        seen: "All diagnostics of all configurations that prepare is tried with.",
        budgets: &[],
        mutants: &["empty-summary", "multi-page-summary"],
        lasts: MOMENT,
        run: |rig| Box::pin(readable(rig)),
    },
    Check {
        id: "error.no-internals",
        level: Level::Should,
        class: Class::Declared,
        title: "speaks to users, not to its authors",
        why: "The reader wrote a template; a stack trace tells them nothing and may tell others too much.",
        seen: "All diagnostics are searched for the marks of stack traces, source files and dumps.",
        budgets: &[],
        mutants: &["traceback-in-summary"],
        lasts: MOMENT,
        run: |rig| Box::pin(no_internals(rig)),
    },
    Check {
        id: "error.no-panic-exit",
        level: Level::Should,
        class: Class::Scenario,
        title: "survives its own bugs",
        why: "One bug in one call is not worth the other builds that the same process works for.",
        seen: "A run of which the scenario says that it meets a bug, and a good one after it.",
        budgets: &[],
        mutants: &["panic-ends-session"],
        lasts: MOMENT,
        run: |rig| Box::pin(no_panic_exit(rig)),
    },
    Check {
        id: "error.session-survives",
        level: Level::Must,
        class: Class::Declared,
        title: "goes on after a refusal",
        why: "One mistake in a template does not end the other builds of the same plugin.",
        seen: "A good and a bad configuration take turns; the answers to the good one are compared.",
        budgets: &[],
        mutants: &["poisoned-after-error"],
        lasts: MOMENT,
        run: |rig| Box::pin(session_survives(rig)),
    },
];

async fn unimplemented(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let plugin = &session.plugin;
    for component in preparers(&session)? {
        let (capability, interface) = component.untyped();
        for (what, interface, method) in [
            ("the method 4711", interface, 4711),
            ("a method of an unknown interface", 0x1234_5678_9abc_def0, 0),
        ] {
            let answer = call_unknown(rig, &capability, interface, method).await;
            let observed = match &answer {
                Some(Ok(())) => "it answered".to_owned(),
                Some(Err(error)) => format!("it threw: {}", shortened(error)),
                None => "no answer came".to_owned(),
            };
            let expected = format!("the {} answers {what} with an exception", component.title);
            plugin.saw(expected, matches!(answer, Some(Err(_))), observed);
        }
        let answer = component.prepare(rig, b"{}").await;
        let expected = format!("the {} goes on afterwards", component.title);
        plugin.saw(expected, answer.given().is_some(), answer.told());
    }
    Ok(())
}

async fn readable(rig: &Rig) -> Checked {
    every_diagnostic(rig, "has summaries of one line", |one| {
        let Diagnostic { summary, is_utf8, .. } = one;
        let line = !summary.trim().is_empty() && !summary.chars().any(char::is_control);
        (*is_utf8 && line && summary.len() <= LONGEST_SUMMARY).then_some(())
    })
    .await
}

async fn no_internals(rig: &Rig) -> Checked {
    every_diagnostic(rig, "tells nothing of its insides", |one| {
        let text = format!("{}\n{}", one.summary, one.detail);
        (!shows_internals(&text)).then_some(())
    })
    .await
}

async fn every_diagnostic(rig: &Rig, promise: &str, holds: impl Fn(&Diagnostic) -> Option<()>) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    for tried in Tried::all(rig, &session).await? {
        tried.record(&session, promise, |_, answer| {
            answer.diagnostics().iter().find(|one| holds(one).is_none()).map(Diagnostic::told)
        });
    }
    Ok(())
}

/// The marks of what several languages print for programmers.
fn shows_internals(text: &str) -> bool {
    const MARKS: [&str; 8] = [
        "Traceback (most recent call last)",
        "panicked at ",
        "stack backtrace",
        "goroutine ",
        "RUST_BACKTRACE",
        "Exception in thread",
        "node:internal/",
        ".py\", line ",
    ];
    let places = [".rs:", ".go:", ".js:", ".ts:", ".cpp:", ".java:"];
    let followed_by_digit = |mark: &str| {
        text.match_indices(mark)
            .any(|(at, _)| text[at + mark.len()..].chars().next().is_some_and(|next| next.is_ascii_digit()))
    };
    MARKS.iter().any(|mark| text.contains(mark)) || places.iter().any(|mark| followed_by_digit(mark))
}

async fn no_panic_exit(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, PREPARING).await?;
    for actor in &cast.actors {
        let Some(bug) = &actor.part.bug else {
            cast.needs(actor, Key::Bug);
            continue;
        };
        let running = actor.start(rig, &cast.session, &actor.stage(rig)?, bug).await?;
        let outcome = actor.ends(rig, &cast.session, &running).await?.outcome;
        let failed = outcome.is_failure() || outcome.threw();
        cast.saw(actor, "fails the run that meets a bug", failed, outcome.told());
        rig.sleep(MOMENT).await;
        let alive = cast.session.plugin.ended().is_none() && cast.session.host.open_connections() > 0;
        let observed = if alive { "it does" } else { "its session is over" };
        if !cast.saw(actor, "goes on afterwards", alive, observed.to_owned()) {
            break;
        }
        let outcome = actor.runs(rig, &cast.session, &actor.stage(rig)?).await?.outcome;
        cast.saw(actor, "does its next run well", outcome.is_good(), outcome.told());
    }
    cast.over()
}

async fn session_survives(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    for component in preparers(&session)? {
        let good = schema_of(&component).bases().into_iter().next().map(serde_json::Value::Object);
        let good = good.unwrap_or_default().to_string();
        let first = component.prepare(rig, good.as_bytes()).await;
        let mut differences = Vec::new();
        for bad in ["", "{\"packwire-conformance-invented\": [}", "null"] {
            drop(component.prepare(rig, bad.as_bytes()).await);
            let again = component.prepare(rig, good.as_bytes()).await;
            if again.essence() != first.essence() {
                differences.push(format!("first {}, after {bad:?} {}", first.told(), again.told()));
            }
        }
        let expected = format!("the {} answers as before after each refusal", component.title);
        session.plugin.saw_of_all(expected, 3, differences);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_programmers_are_told_from_words() {
        for text in ["thread 'main' panicked at x", "at src/main.rs:7:3", "  File \"a.py\", line 3, in run"] {
            assert!(shows_internals(text), "{text}");
        }
        for text in ["key must be a string at line 1 column 3", "the script a.rs: not there", "a.js:x"] {
            assert!(!shows_internals(text), "{text}");
        }
    }
}
