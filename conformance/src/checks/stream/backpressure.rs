//! Writes that the plugin takes, and cannot pass on.

use std::time::{Duration, Instant};

use crate::check::{Checked, Stop};
use crate::components::Kind;
use crate::rig::Rig;
use crate::stage::{Actor, Cast, Opened, write};

/// What is written, unless the answers stay away before.
const MUCH: usize = 64 << 20;
const PIECE: usize = 256 << 10;
/// What may be held of it.
const HELD: usize = 32 << 20;
/// How long an answer is waited for: then it is withheld.
const WITHHELD: Duration = Duration::from_secs(1);
/// How long is written at most; who takes less in this time holds less.
const LONGEST: Duration = Duration::from_secs(10);

pub(super) async fn withheld(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &[Kind::Communicator]).await?;
    for actor in &cast.actors {
        if let Some(opened) = Opened::open(rig, &cast, actor).await? {
            into_a_deaf_command(rig, &cast, actor, &opened).await?;
        }
    }
    cast.over()
}

async fn into_a_deaf_command(rig: &Rig, cast: &Cast, actor: &Actor, opened: &Opened) -> Checked {
    let stage = actor.stage(rig)?;
    let command = opened.start(rig, &stage, "sleep 60", true).await;
    let command = command.map_err(|error| Stop::rig("a command cannot be run", error.extra))?;
    let Some(stdin) = &command.stdin else {
        cast.lacks(actor, "command with a standard input");
        return Ok(());
    };
    let (before, began, piece) = (cast.session.plugin.memory(), Instant::now(), vec![0; PIECE]);
    let mut taken = 0;
    while taken < MUCH && began.elapsed() < rig.stretch(LONGEST) {
        match tokio::time::timeout(rig.stretch(WITHHELD), write(stdin, &piece)).await {
            Ok(Ok(())) => taken += PIECE,
            Ok(Err(_)) | Err(_) => break,
        }
    }
    let more = cast.session.plugin.memory().saturating_sub(before);
    stage.cancel();
    let observed = format!("{} KiB were taken, and {} KiB more are held", taken >> 10, more >> 10);
    cast.saw(actor, "holds less than 32 MiB of what nobody reads", more < HELD, observed);
    command.running.end(rig, actor.grace()).await;
    Ok(())
}
