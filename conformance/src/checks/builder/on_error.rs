//! What becomes of the half-made, as the context's `onError` says.

use std::rc::Rc;

use rustix::process::Signal;

use super::{BUILDER, MOMENT, provisioning};
use crate::check::{Check, Checked, Class, Level, Stop};
use crate::checks::cancel::{REACHED, end_by_cancelling};
use crate::rig::Rig;
use crate::scenario::Key;
use crate::stage::{Actor, Cast, HookAnswer, Offer, Reply, Running, Stage};
use crate::talk::Wish;

pub(super) const ON_ERROR: Check = Check {
    id: "builder.on-error",
    level: Level::Must,
    class: Class::Scenario,
    title: "leaves what it made only to who wants it",
    why: "Whoever looks for the reason of a failure wants the machine; everybody else pays for it.",
    seen: "Its provisioning fails by `abort`, by `ask` with nobody to ask, and by an `onError` that is unset; by `abort` it is \
           cancelled as well. The scenario's probe looks for what is left, except after a failure by `abort`.",
    budgets: &[],
    mutants: &["refused-question-keeps", "abort-keeps-cancelled"],
    lasts: MOMENT,
    run: |rig| Box::pin(on_error(rig)),
};

async fn on_error(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, BUILDER).await?;
    for actor in &cast.actors {
        // Who fails anyway shows nothing by failing.
        cast.runs_well(rig, actor, &actor.stage(rig)?).await?;
        for (wish, word, goes) in [
            (Wish::Abort, "`abort`", false),
            (Wish::Ask, "`ask`, with nobody to ask,", true),
            (Wish::Unset, "an unset `onError`", true),
        ] {
            let stage = actor.stage(rig)?;
            stage.provisioning.set(HookAnswer::Failed);
            let Some(running) = begin(rig, &cast, actor, &stage, wish).await? else { continue };
            let outcome = actor.ends(rig, &cast.session, &running).await?.outcome;
            if provisioning(&stage).is_empty() {
                cast.misses(actor, "calls its hook to provision", outcome.told());
                continue;
            }
            let promise = format!("fails by {word} as its provisioning did");
            cast.saw(actor, &promise, outcome.is_failure(), outcome.told());
            if goes {
                is_gone(&cast, actor, &stage, &format!("leaves nothing when it fails by {word}"));
            }
        }
        cancelled(rig, &cast, actor).await?;
    }
    // What stays on purpose is no litter: nobody looks for any where a process was killed.
    cast.session.plugin.signal(Signal::KILL);
    cast.session.plugin.exit(MOMENT).await;
    cast.over()
}

/// It is cancelled while it waits for its hook.
async fn cancelled(rig: &Rig, cast: &Cast, actor: &Actor) -> Checked {
    let stage = actor.stage(rig)?;
    stage.hook.set(Reply::Held);
    let Some(running) = begin(rig, cast, actor, &stage, Wish::Abort).await? else { return Ok(()) };
    let waits = stage.diary.until(rig.stretch(REACHED), |acts| {
        acts.iter().any(|act| act.name == "Hook.run" && !act.is_answered())
    });
    if !waits.await {
        return Ok(());
    }
    let ended = end_by_cancelling(rig, cast, actor, &running, "its traces").await?;
    // What was done before it heard of the cancellation stays.
    if !ended.outcome.is_good() {
        is_gone(cast, actor, &stage, "leaves nothing when it is cancelled by `abort`");
    }
    Ok(())
}

/// Begins a run by such a wish.
async fn begin(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    stage: &Rc<Stage>,
    wish: Wish,
) -> Result<Option<Running>, Stop> {
    let Offer::Prepares(preparer) = &actor.offer else { return Ok(None) };
    let answer = preparer.prepare_by(rig, &stage.filled(&actor.good()), stage.setting(), wish).await;
    match answer.given().and_then(|prepared| prepared.object.clone()) {
        Some(object) => {
            object.start(rig, stage).map(Some).map_err(|error| Stop::rig("a run cannot begin", error))
        }
        None => {
            let promise = "prepares what it prepared before, whatever `onError` is";
            cast.saw(actor, promise, false, answer.told());
            Ok(None)
        }
    }
}

fn is_gone(cast: &Cast, actor: &Actor, stage: &Stage, promise: &str) {
    if actor.part.clean.is_none() {
        cast.needs(actor, Key::Clean);
    }
    cast.leaves_nothing(actor, stage, promise);
}
