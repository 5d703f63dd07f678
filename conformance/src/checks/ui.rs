//! Ui.

use std::collections::HashMap;
use std::time::Duration;

use crate::check::{Check, Checked, Class, Level};
use crate::components::Kind;
use crate::rig::Rig;
use crate::scenario::Key;
use crate::stage::{Act, Cast, Reply};

const MOMENT: Duration = Duration::from_millis(200);
/// How long each call of the Ui takes, where the order is looked at.
const LATE: Duration = Duration::from_millis(10);

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "ui.order",
        level: Level::Must,
        class: Class::Scenario,
        title: "says things in order",
        why: "A log whose lines are shuffled tells another story.",
        seen: "A run whose words the scenario knows, with a Ui that answers late.",
        budgets: &[],
        mutants: &["parallel-say", "loses-a-line"],
        lasts: MOMENT,
        run: |rig| Box::pin(order(rig)),
    },
    Check {
        id: "ui.ask-refused",
        level: Level::Must,
        class: Class::Scenario,
        title: "takes no answer for an answer",
        why: "Most builds run where nobody can be asked.",
        seen: "A run that asks, with a Ui that refuses every question.",
        budgets: &[],
        mutants: &["ask-loops"],
        lasts: MOMENT,
        run: |rig| Box::pin(ask_refused(rig)),
    },
    Check {
        id: "ui.host-error",
        level: Level::Must,
        class: Class::Scenario,
        title: "winds down when the Ui fails",
        why: "A host whose Ui fails is about to go; work that hangs on it outlives it.",
        seen: "Every call of the Ui that is lent throws.",
        budgets: &[],
        mutants: &["ignores-say-errors"],
        lasts: MOMENT,
        run: |rig| Box::pin(host_error(rig)),
    },
    Check {
        id: "ui.progress-finishes",
        level: Level::Should,
        class: Class::Scenario,
        title: "finishes what it shows the progress of",
        why: "A bar that stands still at 98 % looks like work that hangs.",
        seen: "Runs that end well and runs that fail: each progress they ask for is to be finished, to stay within its total, and never to go back.",
        budgets: &[],
        mutants: &["progress-left-open", "progress-past-total", "progress-goes-back"],
        lasts: MOMENT,
        run: |rig| Box::pin(progress_finishes(rig)),
    },
];

async fn order(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        if actor.part.says.is_empty() {
            cast.needs(actor, Key::Says);
            continue;
        }
        let stage = actor.stage(rig)?;
        stage.ui.set(Reply::After(LATE));
        cast.runs_well(rig, actor, &stage).await?;
        let said = stage.said();
        let mut at = 0;
        let missing = actor.part.says.iter().map(|one| stage.filled_text(one)).find(|wanted| {
            let found = said[at..].find(wanted.as_str());
            at += found.map_or(0, |found| found + wanted.len());
            found.is_none()
        });
        let observed = match &missing {
            None => "it did".to_owned(),
            Some(missing) => format!("{missing:?} is missing or too early in {said:?}"),
        };
        cast.saw(actor, "says everything in order", missing.is_none(), observed);
    }
    cast.over()
}

async fn ask_refused(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let Some(asks) = &actor.part.asks else {
            cast.needs(actor, Key::Asks);
            continue;
        };
        let stage = actor.stage(rig)?;
        let running = actor.start(rig, &cast.session, &stage, asks).await?;
        let ended = running.end(rig, actor.grace()).await;
        let count = stage.diary.count("Ui.ask");
        let observed =
            ended.as_ref().map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
        let observed = format!("{observed}, after {count} questions");
        cast.saw(actor, "ends though its question is refused", ended.is_some() && count > 0, observed);
    }
    cast.over()
}

async fn host_error(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        stage.ui.set(Reply::Fails);
        let running = actor.start(rig, &cast.session, &stage, &actor.good()).await?;
        let ended = running.end(rig, actor.grace()).await;
        if !stage.diary.acts().iter().any(|act| act.name.starts_with("Ui.")) {
            cast.lacks(actor, "run that says something");
            continue;
        }
        let observed =
            ended.as_ref().map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
        let data = ended.as_ref().is_some_and(|ended| !ended.outcome.threw());
        cast.saw(actor, "ends with an outcome when its Ui fails", data, observed);
    }
    cast.over()
}

async fn progress_finishes(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let mut shown = false;
        for config in [Some(actor.good()), actor.part.fails.clone()].into_iter().flatten() {
            let stage = actor.stage(rig)?;
            let running = actor.start(rig, &cast.session, &stage, &config).await?;
            let ended = actor.ends(rig, &cast.session, &running).await?;
            if config == actor.good() {
                cast.is_well(actor, &ended.outcome);
            }
            let count = stage.diary.count("Progress.made");
            if count == 0 {
                continue;
            }
            shown = true;
            let open = stage.diary.unclosed("Progress.made", "Progress.finish").len();
            let observed = format!("{}; {open} of {count} were not finished", ended.outcome.told());
            cast.saw(actor, "has finished each progress when its run answers", open == 0, observed);
            let beyond = beyond(&stage.diary.acts());
            let observed = format!("beyond: {beyond:?}");
            cast.saw(actor, "stays within the total of each progress", beyond.is_empty(), observed);
            let back = back(&stage.diary.acts());
            let observed = format!("back: {back:?}");
            cast.saw(actor, "never goes back with a progress", back.is_empty(), observed);
        }
        if !shown {
            cast.lacks(actor, "run that shows any progress");
        }
    }
    cast.over()
}

/// The updates of a progress that are smaller than the one before, which may still be unanswered.
fn back(acts: &[Act]) -> Vec<String> {
    let number = |act: &Act| act.text.parse::<u64>().unwrap_or_default();
    let mut reached: HashMap<usize, u64> = HashMap::new();
    let updates = acts.iter().filter(|act| act.name == "Progress.update");
    let steps = updates.map(|update| {
        let before = reached.insert(update.lane, number(update)).unwrap_or_default();
        (before, number(update))
    });
    steps.filter(|(before, now)| now < before).map(|(before, now)| format!("{now} after {before}")).collect()
}

/// The updates of a progress that are larger than its total, where it has one.
fn beyond(acts: &[Act]) -> Vec<String> {
    let number = |act: &Act| act.text.parse::<u64>().unwrap_or_default();
    let total = |update: &Act| {
        let made = acts.iter().find(|act| act.name == "Progress.made" && act.lane == update.lane);
        made.map(number).filter(|total| *total > 0)
    };
    let updates = acts.iter().filter(|act| act.name == "Progress.update");
    let beyond = updates.filter_map(|update| total(update).map(|total| (number(update), total)));
    beyond.filter(|(done, total)| done > total).map(|(done, total)| format!("{done} of {total}")).collect()
}
