//! Post-processors, data sources, hooks and commands.

use std::time::Duration;

use serde_json::Value;

use crate::check::{Check, Checked, Class, Level};
use crate::components::Kind;
use crate::rig::Rig;
use crate::scenario::{End, Key};
use crate::stage::{Cast, Lent, Offer, Outcome, TEXT, start_command, start_hook};
use crate::talk::Schema;

const MOMENT: Duration = Duration::from_millis(200);
const UNKNOWN_EVENT: &str = "packwire_conformance_invented";
const RUN: Duration = Duration::from_secs(60);

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "postproc.input-untouched",
        level: Level::Must,
        class: Class::Scenario,
        title: "leaves its input alone",
        why: "The template may keep the input, and another post-processor may need it.",
        seen: "The artifact that goes in counts the calls of destroy, and its files are compared afterwards.",
        budgets: &[],
        mutants: &["destroys-input", "changes-input"],
        lasts: MOMENT,
        run: |rig| Box::pin(input_untouched(rig)),
    },
    Check {
        id: "postproc.keep-explicit",
        level: Level::Must,
        class: Class::Scenario,
        title: "says what becomes of its input",
        why: "A forgotten fate read as `discard` deletes somebody's image.",
        seen: "The outcome of a run that ends well.",
        budgets: &[],
        mutants: &["keep-default"],
        lasts: MOMENT,
        run: |rig| Box::pin(keep_explicit(rig)),
    },
    Check {
        id: "data-source.output-matches-schema",
        level: Level::Must,
        class: Class::Scenario,
        title: "yields what it declared",
        why: "Templates are checked against the declared shape before anything is looked up.",
        seen: "The value of a run is validated against the outputSchema, and compared with the scenario's.",
        budgets: &[],
        mutants: &["wrong-type", "extra-field"],
        lasts: MOMENT,
        run: |rig| Box::pin(output_matches_schema(rig)),
    },
    Check {
        id: "data-source.failure-is-diagnostic",
        level: Level::Must,
        class: Class::Scenario,
        title: "says why it found nothing",
        why: "A value that means `nothing` is built into an image before anybody notices.",
        seen: "The outcome of a run that the scenario lets fail.",
        budgets: &[],
        mutants: &["null-on-failure"],
        lasts: MOMENT,
        run: |rig| Box::pin(failure_is_diagnostic(rig)),
    },
    Check {
        id: "hook.unknown-name",
        level: Level::Must,
        class: Class::Scenario,
        title: "does nothing for an event that it does not know",
        why: "Later versions have more events, and older hooks must not stop builds.",
        seen: "The hook is called with an invented event; its outcome is read and its calls are counted.",
        budgets: &[],
        mutants: &["unknown-hook-fails"],
        lasts: MOMENT,
        run: |rig| Box::pin(unknown_name(rig)),
    },
    Check {
        id: "hook.errors-reported",
        level: Level::Must,
        class: Class::Scenario,
        title: "says why its hook failed",
        why: "A build goes on after a hook that is done; a silent failure is found when the image is used.",
        seen: "The hook is called with the data of which the scenario says that it fails with them.",
        budgets: &[],
        mutants: &["hook-swallows-error"],
        lasts: MOMENT,
        run: |rig| Box::pin(errors_reported(rig)),
    },
    Check {
        id: "command.arguments-verbatim",
        level: Level::Must,
        class: Class::Scenario,
        title: "takes its arguments as they were typed",
        why: "A shell has split and unquoted them already; doing it again is how files get lost.",
        seen: "Arguments with blanks, quotes, nothing at all and several scripts, which the command shows.",
        budgets: &[],
        mutants: &["shell-splits-args"],
        lasts: MOMENT,
        run: |rig| Box::pin(arguments_verbatim(rig)),
    },
    Check {
        id: "command.exit-status",
        level: Level::Must,
        class: Class::Scenario,
        title: "tells how its work ended",
        why: "Scripts decide by the status, and many programs have more than two of them.",
        seen: "The command is run with all arguments of which the scenario says how it ends.",
        budgets: &[],
        mutants: &["status-flattened"],
        lasts: MOMENT,
        run: |rig| Box::pin(exit_status(rig)),
    },
];

async fn input_untouched(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &[Kind::PostProcessor]).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        let expected: Vec<(String, Option<Vec<u8>>)> = actor
            .part
            .input
            .iter()
            .flat_map(|input| &input.files)
            .map(|(name, text)| (name.clone(), Some(stage.filled_text(text).into_bytes())))
            .collect();
        cast.runs_well(rig, actor, &stage).await?;
        let destroyed = stage.diary.count("Artifact.destroy");
        cast.saw(
            actor,
            "does not destroy its input",
            destroyed == 0,
            format!("it called destroy {destroyed} times"),
        );
        let changed: Vec<String> = stage
            .input_files()
            .into_iter()
            .zip(expected)
            .filter(|(now, before)| now != before)
            .map(|((name, _), _)| name)
            .collect();
        cast.saw(
            actor,
            "leaves the files of its input as they are",
            changed.is_empty(),
            format!("changed: {changed:?}"),
        );
    }
    cast.over()
}

async fn keep_explicit(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &[Kind::PostProcessor]).await?;
    for actor in &cast.actors {
        let ended = actor.runs(rig, &cast.session, &actor.stage(rig)?).await?;
        let observed = format!("{} with `input` {}", ended.outcome.told(), ended.fate);
        let known = ["discard", "keep", "forceKeep", "forceDiscard"].contains(&ended.fate.as_str());
        cast.saw(actor, "says what becomes of its input", ended.outcome.is_good() && known, observed);
    }
    cast.over()
}

async fn output_matches_schema(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &[Kind::DataSource]).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        let outcome = actor.runs(rig, &cast.session, &stage).await?.outcome;
        let value: Option<Value> = match &outcome {
            Outcome::Value(text) => serde_json::from_str(text).ok(),
            _ => None,
        };
        let Offer::Prepares(preparer) = &actor.offer else { continue };
        let schema = Schema::of(&preparer.output_schema);
        let fits = value.as_ref().is_some_and(|value| schema.is_some_and(|schema| schema.accepts(value)));
        cast.saw(actor, "yields a value of the shape that it declared", fits, outcome.told());
        if let Some(expected) = &actor.part.value {
            let expected = stage.filled(expected);
            cast.saw(actor, &format!("yields {expected}"), value.as_ref() == Some(&expected), outcome.told());
        }
    }
    cast.over()
}

async fn failure_is_diagnostic(rig: &Rig) -> Checked {
    told_to_fail(rig, Kind::DataSource, "answers `failed`, and why", Outcome::is_failure).await
}

/// What a component answers to what its scenario says is to fail.
async fn told_to_fail(rig: &Rig, kind: Kind, promise: &str, is_kept: fn(&Outcome) -> bool) -> Checked {
    let cast = Cast::assemble(rig, &[kind]).await?;
    for actor in &cast.actors {
        let Some(fails) = &actor.part.fails else {
            cast.needs(actor, Key::Fails);
            continue;
        };
        let running = actor.start(rig, &cast.session, &actor.stage(rig)?, fails).await?;
        let outcome = actor.ends(rig, &cast.session, &running).await?.outcome;
        cast.saw(actor, promise, is_kept(&outcome), outcome.told());
    }
    cast.over()
}

async fn unknown_name(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &[Kind::Hook]).await?;
    for actor in &cast.actors {
        let Offer::Hook(client) = &actor.offer else { continue };
        let stage = actor.stage(rig)?;
        let running = start_hook(rig, client, &stage, (UNKNOWN_EVENT, "{}"), Lent::Everything);
        let ended = running.end(rig, RUN).await;
        let done = ended.as_ref().is_some_and(|ended| matches!(ended.outcome, Outcome::Done));
        let observed = ended.map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
        cast.saw(actor, &format!("answers done to `{UNKNOWN_EVENT}`"), done, observed);
        let steps = stage.machine_steps();
        cast.saw(actor, "does nothing for it", steps == 0, format!("{steps} calls of the machine"));
    }
    cast.over()
}

async fn errors_reported(rig: &Rig) -> Checked {
    told_to_fail(rig, Kind::Hook, "fails, and says why", Outcome::says_why).await
}

async fn arguments_verbatim(rig: &Rig) -> Checked {
    const AWKWARD: [&str; 6] = ["two words", "it's \"quoted\"", "", "$HOME `x` \\n", "--flag=a,b", TEXT];
    let cast = Cast::assemble(rig, &[Kind::Command]).await?;
    for actor in &cast.actors {
        let (Offer::Command(client), Some(before)) = (&actor.offer, &actor.part.echo_arguments) else {
            cast.needs(actor, Key::EchoArguments);
            continue;
        };
        let stage = actor.stage(rig)?;
        let arguments: Vec<String> = before.iter().cloned().chain(AWKWARD.map(str::to_owned)).collect();
        let running = start_command(rig, client, &stage, &arguments, Lent::Everything);
        actor.ends(rig, &cast.session, &running).await?;
        let said = stage.said();
        let mut at = 0;
        let missing: Vec<&str> = AWKWARD
            .into_iter()
            .filter(|wanted| {
                let found = said[at..].find(wanted);
                at += found.map_or(0, |found| found + wanted.len());
                found.is_none()
            })
            .collect();
        cast.saw(
            actor,
            "shows its arguments as they were given",
            missing.is_empty(),
            format!("missing: {missing:?} in {said:?}"),
        );
    }
    cast.over()
}

async fn exit_status(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &[Kind::Command]).await?;
    for actor in &cast.actors {
        let Offer::Command(client) = &actor.offer else { continue };
        if actor.part.ends.is_empty() {
            cast.needs(actor, Key::Ends);
        }
        for End { arguments, status } in &actor.part.ends {
            let stage = actor.stage(rig)?;
            let filled: Vec<String> = arguments.iter().map(|one| stage.filled_text(one)).collect();
            let running = start_command(rig, client, &stage, &filled, Lent::Everything);
            let outcome = actor.ends(rig, &cast.session, &running).await?.outcome;
            let held = matches!(outcome, Outcome::Status(told) if told == i32::from(*status));
            let promise = format!("ends with the status {status} after the arguments {arguments:?}");
            cast.saw(actor, &promise, held, outcome.told());
        }
    }
    cast.over()
}
