//! Cancellation.

use std::rc::Rc;
use std::time::Duration;

use rustix::process::Signal;

use super::probe;
use crate::check::{Check, Checked, Class, Level, Stop};
use crate::components::Kind;
use crate::rig::{Answer, Manners, Rig};
use crate::scenario::Key;
use crate::stage::{Actor, Cast, Ended, Outcome, Reply, Running, Stage};

const MOMENT: Duration = Duration::from_millis(300);
/// How long a plugin is watched that should do nothing.
const WATCHED: Duration = Duration::from_secs(2);
/// How long a run may take to reach the point where it is kept waiting.
pub(super) const REACHED: Duration = Duration::from_secs(10);

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "cancel.ends-run",
        level: Level::Must,
        class: Class::Scenario,
        title: "ends a run that is cancelled",
        why: "An interrupted build whose machine goes on costs money.",
        seen: "A run is kept busy, or waiting, and its cancellation answered.",
        budgets: &[],
        mutants: &["cancel-ignored"],
        lasts: MOMENT,
        run: |rig| Box::pin(ends_run(rig)),
    },
    Check {
        id: "cancel.cleans-up",
        level: Level::Must,
        class: Class::Scenario,
        title: "cleans up after a cancelled run",
        why: "What is half made is of no use to anybody and in the way of the next run.",
        seen: "The same; then the scenario's probe is run, and the children are counted.",
        budgets: &[],
        mutants: &["cancel-leaks"],
        lasts: MOMENT,
        run: |rig| Box::pin(cleans_up(rig)),
    },
    Check {
        id: "cancel.any-time",
        level: Level::Must,
        class: Class::Scenario,
        title: "bears a cancellation at any time, or never",
        why: "A user can interrupt before a run has begun; and most runs are never cancelled.",
        seen: "A run that is cancelled when it begins, and one that nobody cancels.",
        budgets: &[],
        mutants: &["cancel-before-run-hangs", "run-waits-for-cancel-to-end"],
        lasts: MOMENT,
        run: |rig| Box::pin(any_time(rig)),
    },
    Check {
        id: "cancel.while-blocked",
        level: Level::Must,
        class: Class::Scenario,
        title: "hears its cancellation while it waits",
        why: "Most of its time a run waits: for a hook, for a command, for the user.",
        seen: "The Ui, the hook and the machine that are lent keep the run waiting in turn; hook and machine end only by the cancellation that they were given.",
        budgets: &[],
        mutants: &["cancel-deaf-in-hook"],
        lasts: Duration::from_millis(900),
        run: |rig| Box::pin(while_blocked(rig)),
    },
    Check {
        id: "cancel.only-this-one",
        level: Level::Must,
        class: Class::Scenario,
        title: "cancels one run and no other",
        why: "Builds run side by side; one that times out takes no other with it.",
        seen: "Two runs are kept waiting, one is cancelled, then the other goes on to its end.",
        budgets: &[],
        mutants: &["cancels-all"],
        lasts: Duration::from_millis(900),
        run: |rig| Box::pin(only_this_one(rig)),
    },
    Check {
        id: "cancel.revoked-is-not-cancel",
        level: Level::Must,
        class: Class::Scenario,
        title: "does nothing when the cancellation is taken back",
        why: "What was lent fails when the run has answered; whoever takes that for a cancellation destroys what is done.",
        seen: "After a run that ended well all its waits fail; artifact and process are watched for two seconds.",
        budgets: &[],
        mutants: &["revoked-kills-group"],
        lasts: WATCHED,
        run: |rig| Box::pin(revoked_is_not_cancel(rig)),
    },
    Check {
        id: "cancel.ctrl-c",
        level: Level::Should,
        class: Class::Any,
        title: "leaves SIGINT to its host",
        why: "Under a debugger both get the interrupt, and the host cancels in order.",
        seen: "SIGINT is sent to the attached process, which has to be there half a second later.",
        budgets: &[],
        mutants: &["dies-on-sigint"],
        lasts: MOMENT,
        run: |rig| Box::pin(ctrl_c(rig)),
    },
];

/// A run of a component that goes on until it is cancelled: by its own configuration, or since it is kept waiting.
/// None if it ended before.
pub(super) async fn begin_long_run(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    stage: &Rc<Stage>,
) -> Result<Option<Running>, Stop> {
    if let Some(slow) = &actor.part.slow {
        let running = actor.start(rig, &cast.session, stage, slow).await?;
        rig.sleep(MOMENT).await;
        let Some(ended) = running.ended() else { return Ok(Some(running)) };
        if !ended.outcome.is_good() {
            cast.misses(actor, "with `slow` goes on until it is cancelled", ended.outcome.told());
        }
        return Ok(None);
    }
    let (gate, name) = match actor.kind {
        Kind::Builder => (&stage.hook, "Hook.run"),
        Kind::Provisioner if actor.needs_communicator() => (&stage.commands, "RemoteProcess.run"),
        _ => (&stage.ui, "Ui."),
    };
    gate.set(Reply::Held);
    begin_waiting(rig, cast, actor, stage, name).await
}

/// A run that is kept waiting in a call with such a name; none if it never came there.
async fn begin_waiting(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    stage: &Rc<Stage>,
    name: &str,
) -> Result<Option<Running>, Stop> {
    let running = actor.start(rig, &cast.session, stage, &actor.good()).await?;
    let waits = stage.diary.until(rig.stretch(REACHED), |acts| {
        acts.iter().any(|act| act.name.starts_with(name) && !act.is_answered())
    });
    tokio::select! {
        true = waits => Ok(Some(running.clone())),
        ended = running.end(rig, REACHED) => {
            // Who has nothing of the kind to do does all of it without; who fails before has done nothing.
            if let Some(ended) = &ended {
                cast.is_well(actor, &ended.outcome);
            }
            Ok(None)
        }
    }
}

/// Cancels a run, as a host does: what is lent answers soon afterwards.
pub(super) async fn cancel(rig: &Rig, stage: &Stage) {
    stage.cancel();
    rig.sleep(MOMENT).await;
    stage.ui.set(Reply::Now);
    stage.writes.set(Reply::Now);
}

/// Cancels it and waits for its end, without which nothing can be looked for afterwards.
pub(super) async fn end_by_cancelling(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    running: &Running,
    sought: &str,
) -> Result<Ended, Stop> {
    cancel(rig, &running.stage).await;
    match running.end(rig, actor.grace()).await {
        Some(ended) => Ok(ended),
        None => cast.session.plugin.lacks(
            format!("the {} ends when it is cancelled, so that {sought} can be looked for", actor.title),
            "it did not end",
        ),
    }
}

/// Cancels it and waits for its end; records whether that was in time and as it should be.
async fn ends_cancelled(rig: &Rig, cast: &Cast, actor: &Actor, running: &Running, promise: &str) {
    cancel(rig, &running.stage).await;
    let grace = actor.grace();
    let ended = running.end(rig, grace).await;
    let fine = ended.as_ref().is_some_and(|ended| ended.outcome.is_cancelled() || ended.outcome.is_good());
    let observed = ended.map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
    let promise = format!("{promise} within {} s", grace.as_secs_f64());
    cast.saw(actor, &promise, fine, observed);
}

async fn ends_run(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        match begin_long_run(rig, &cast, actor, &actor.stage(rig)?).await? {
            Some(running) => ends_cancelled(rig, &cast, actor, &running, "ends cancelled").await,
            None => cast.needs(actor, Key::Slow),
        }
    }
    cast.over()
}

async fn cleans_up(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let (stage, children) = (actor.stage(rig)?, cast.session.plugin.descendants().len());
        let Some(running) = begin_long_run(rig, &cast, actor, &stage).await? else {
            cast.needs(actor, Key::Slow);
            continue;
        };
        let can_fail = actor.is_clean(&stage) == Some(false);
        let ended = end_by_cancelling(rig, &cast, actor, &running, "its traces").await?;
        // What was done before it heard of the cancellation stays.
        let undone = !ended.outcome.is_good();
        if actor.part.clean.is_none() && actor.is_maker() {
            cast.needs(actor, Key::Clean);
        }
        if undone && cast.leaves_nothing(actor, &stage, "leaves nothing when it was cancelled") && !can_fail {
            probe::can_fail(rig, &cast, actor).await?;
        }
        let left = cast.session.plugin.descendants().len().saturating_sub(children);
        cast.saw(actor, "leaves no process when it was cancelled", left == 0, format!("{left} are left"));
    }
    cast.over()
}

async fn any_time(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        stage.cancel();
        let config = actor.part.slow.clone().unwrap_or_else(|| actor.good());
        let early = actor.start(rig, &cast.session, &stage, &config).await?;
        let ended = early.end(rig, actor.grace()).await;
        let fine =
            ended.as_ref().is_some_and(|ended| ended.outcome.is_cancelled() || ended.outcome.is_good());
        let observed = ended.map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
        cast.saw(actor, "ends when it is cancelled before it begins", fine, observed);
        let never = actor.start(rig, &cast.session, &actor.stage(rig)?, &actor.good()).await?;
        let ended = never.end(rig, actor.within()).await;
        let observed =
            ended.as_ref().map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
        cast.saw(actor, "ends though nobody cancels it", ended.is_some(), observed);
        if let Some(ended) = &ended {
            cast.is_well(actor, &ended.outcome);
        }
    }
    cast.over()
}

async fn while_blocked(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let mut waited = false;
        for (place, name) in [("its Ui", "Ui."), ("its hook", "Hook.run"), ("a command", "RemoteProcess.run")]
        {
            let stage = actor.stage(rig)?;
            match name {
                "Ui." => stage.ui.set(Reply::Held),
                "Hook.run" => stage.hook.set(Reply::Held),
                _ => stage.commands.set(Reply::Held),
            }
            if let Some(running) = begin_waiting(rig, &cast, actor, &stage, name).await? {
                waited = true;
                let promise = format!("ends cancelled while it waits for {place}");
                ends_cancelled(rig, &cast, actor, &running, &promise).await;
            }
        }
        if !waited {
            cast.lacks(actor, "run that waits for anything");
        }
    }
    cast.over()
}

async fn only_this_one(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let (one, other) = (actor.stage(rig)?, actor.stage(rig)?);
        let first = begin_long_run(rig, &cast, actor, &one).await?;
        let second = begin_long_run(rig, &cast, actor, &other).await?;
        let (Some(first), Some(second)) = (first, second) else {
            cast.needs(actor, Key::Slow);
            continue;
        };
        cancel(rig, &one).await;
        first.end(rig, actor.grace()).await;
        rig.sleep(MOMENT).await;
        let ended = second.ended();
        let observed = ended.as_ref().map_or_else(|| "it goes on".to_owned(), |ended| ended.outcome.told());
        cast.saw(actor, "goes on with a run when another is cancelled", ended.is_none(), observed);
        for gate in [&other.ui, &other.hook, &other.commands] {
            gate.set(Reply::Now);
        }
        if actor.part.slow.is_some() {
            other.cancel();
        }
        let ended = second.end(rig, actor.grace().max(actor.within())).await;
        let fine = ended.as_ref().is_some_and(|ended| match actor.part.slow {
            Some(_) => ended.outcome.is_cancelled() || ended.outcome.is_good(),
            None => ended.outcome.is_good(),
        });
        let observed = ended.map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
        cast.saw(actor, "ends that other run well", fine, observed);
    }
    cast.over()
}

async fn revoked_is_not_cancel(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    let plugin = &cast.session.plugin;
    let mut made = Vec::new();
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        let ended = cast.runs_well(rig, actor, &stage).await?;
        made.push((actor, stage.files_made(), ended));
        rig.sleep(MOMENT).await;
        if plugin.ended().is_some() {
            break;
        }
    }
    rig.sleep(WATCHED).await;
    let observed = plugin.ended().map_or_else(|| "it runs".to_owned(), |end| format!("it {end}"));
    plugin.saw("the plugin lives on", plugin.ended().is_none(), observed);
    for (actor, files, ended) in made {
        let gone: Vec<_> = files.iter().filter(|path| !path.exists()).collect();
        cast.saw(actor, "keeps the files that it made", gone.is_empty(), format!("gone: {gone:?}"));
        if let Outcome::Artifact(Some(artifact)) = &ended.outcome {
            let alive = artifact.describe_request().send().promise.await;
            let observed =
                alive.as_ref().map_or_else(|error| error.extra.clone(), |_| "it answers".to_owned());
            cast.saw(actor, "keeps its artifact", alive.is_ok(), observed);
        }
    }
    cast.over()
}

async fn ctrl_c(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    session.plugin.signal(Signal::INT);
    rig.sleep(Duration::from_millis(500)).await;
    let ended = session.plugin.ended();
    let observed = ended.map_or_else(|| "it is there".to_owned(), |end| format!("it {end}"));
    if session.plugin.saw("it goes on after SIGINT", ended.is_none(), observed) {
        session.host.answer(Answer::Leave);
        session.plugin.exits_with(0, Duration::from_secs(5)).await;
    }
    Ok(())
}
