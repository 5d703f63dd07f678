//! The probe of a scenario, `clean`: whether it fails where something is there. One that cannot fail proves nothing.

use super::cancel::{begin_long_run, cancel};
use crate::check::{Checked, Stop};
use crate::rig::Rig;
use crate::stage::{Actor, Cast, Reply};

/// Tries that a component's probe fails when a run has ended well, or while one goes on: one of both has something.
pub(super) async fn can_fail(rig: &Rig, cast: &Cast, actor: &Actor) -> Checked {
    let stage = actor.stage(rig)?;
    let running = actor.start(rig, &cast.session, &stage, &actor.good()).await?;
    let ended = running.end(rig, actor.within()).await;
    if actor.is_clean(&stage) != Some(true) || is_seen_to_fail_meanwhile(rig, cast, actor).await? {
        return Ok(());
    }
    let outcome = ended.map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
    cast.doubts(format!(
        "the scenario's `clean` for the {} cannot fail: it succeeds after a whole run ({outcome}), and while a run goes on",
        actor.title
    ));
    Ok(())
}

async fn is_seen_to_fail_meanwhile(rig: &Rig, cast: &Cast, actor: &Actor) -> Result<bool, Stop> {
    let stage = actor.stage(rig)?;
    let Some(running) = begin_long_run(rig, cast, actor, &stage).await? else { return Ok(false) };
    let clean = actor.is_clean(&stage);
    cancel(rig, &stage).await;
    for gate in [&stage.hook, &stage.commands] {
        gate.set(Reply::Now);
    }
    running.end(rig, actor.grace()).await;
    Ok(clean == Some(false))
}
