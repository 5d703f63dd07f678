//! What runs leave behind: nothing.

use std::time::Duration;

use super::WATCHED;
use crate::check::Checked;
use crate::checks::cancel::begin_long_run;
use crate::checks::runs::children_in_runs;
use crate::components::Kind;
use crate::rig::{Answer, Rig};
use crate::stage::Cast;

const MOMENT: Duration = Duration::from_millis(300);

/// Counts the calls after the answer.
pub(super) async fn revoked(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    let mut stages = Vec::new();
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        cast.runs_well(rig, actor, &stage).await?;
        let before = stage.diary.acts().len();
        stages.push((actor, stage, before));
    }
    rig.sleep(WATCHED).await;
    for (actor, stage, before) in stages {
        let late: Vec<&str> = stage.diary.acts().iter().skip(before).map(|act| act.name).collect();
        cast.saw(actor, "uses nothing after its answer", late.is_empty(), format!("it called {late:?}"));
    }
    cast.over()
}

/// Counts the children after a run, living and dead.
pub(super) async fn children_reaped(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    let plugin = &cast.session.plugin;
    for actor in &cast.actors {
        let before = plugin.children_of_any_state();
        cast.runs_well(rig, actor, &actor.stage(rig)?).await?;
        rig.sleep(MOMENT).await;
        let left = plugin.children_of_any_state().saturating_sub(before);
        cast.saw(actor, "leaves no process after a run", left == 0, format!("{left} are left"));
    }
    cast.over()
}

/// Looks at the descriptors of children while there are some.
pub(super) async fn socket_private(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    let link = cast.session.plugin.socket_inodes();
    let children = children_in_runs(rig, &cast).await?;
    let holding: Vec<&str> = children
        .iter()
        .filter(|child| child.sockets.iter().any(|inode| link.contains(inode)))
        .map(|child| child.command.as_str())
        .collect();
    let observed = format!("of {} children these do: {holding:?}", children.len());
    cast.session.plugin.saw("no child holds the socket of the link", holding.is_empty(), observed);
    cast.over()
}

/// Lists TMPDIR after everything.
pub(super) async fn temp_clean(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        cast.runs_well(rig, actor, &actor.stage(rig)?).await?;
        let stage = actor.stage(rig)?;
        if let Some(running) = begin_long_run(rig, &cast, actor, &stage).await? {
            stage.cancel();
            stage.ui.set(crate::stage::Reply::Now);
            running.end(rig, actor.grace()).await;
        }
    }
    cast.session.host.answer(Answer::Leave);
    cast.session.plugin.exit(Duration::from_secs(5)).await;
    let entries = std::fs::read_dir(&rig.places().temp);
    let left: Vec<_> = entries.into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    cast.session.plugin.saw("TMPDIR is empty afterwards", left.is_empty(), format!("left: {left:?}"));
    cast.over()
}
