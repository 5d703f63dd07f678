//! A process that crashes in a run: whether somebody notices.

use std::time::Instant;

use super::CRASH;
use crate::check::Checked;
use crate::checks::runs::PREPARING;
use crate::rig::{End, Rig};
use crate::scenario::Key;
use crate::stage::{Actor, Cast};

/// The statuses that mean something else.
const PLANNED: [i32; 4] = [0, 2, 3, 4];

/// Has each component crash that can, in a session of its own.
pub(super) async fn visible(rig: &Rig) -> Checked {
    let first = Cast::assemble(rig, PREPARING).await?;
    for actor in &first.actors {
        if actor.part.crash.is_none() {
            first.needs(actor, Key::Crash);
            continue;
        }
        let cast = Cast::assemble(rig, PREPARING).await?;
        if let Some(again) = cast.actors.iter().find(|again| again.title == actor.title) {
            crashes(rig, &cast, again).await?;
        }
    }
    first.over()
}

async fn crashes(rig: &Rig, cast: &Cast, actor: &Actor) -> Checked {
    let Some(crash) = &actor.part.crash else { return Ok(()) };
    let plugin = &cast.session.plugin;
    plugin.may_crash();
    let silent = plugin.stderr().len();
    let began = Instant::now();
    let _running = actor.start(rig, &cast.session, &actor.stage(rig)?, crash).await?;
    let end = plugin.exit(CRASH).await;
    let as_a_crash = match end {
        Some(End::Code(code)) => !PLANNED.contains(&code),
        Some(End::Signal(_)) => true,
        None => false,
    };
    let observed = end.map_or_else(|| "it was still running then".to_owned(), |end| format!("it {end}"));
    let expected = format!(
        "a crash in the {} ends the plugin by a signal or with a status of its own within {} s",
        actor.title,
        CRASH.as_secs()
    );
    plugin.saw_in(expected, as_a_crash, observed, CRASH, began.elapsed());
    let said = plugin.stderr().get(silent..).unwrap_or_default().trim().to_owned();
    cast.saw(actor, "says on stderr that it crashed", !said.is_empty(), format!("it said {said:?}"));
    Ok(())
}
