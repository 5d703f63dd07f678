//! Members of unions that a plugin does not know.

use crate::check::Checked;
use crate::components::Kind;
use crate::rig::{Answer, Manners, Rig};
use crate::stage::{Cast, Ending, HookAnswer};

use super::ENDS;

/// `attach` is answered with what says nothing.
pub(super) async fn unknown_end(rig: &Rig) -> Checked {
    let answers = [("a member that it does not know", Answer::Foreign), ("`unset`", Answer::Unset)];
    for (what, answer) in answers {
        let session = rig.attach(Manners::default()).await?;
        session.host.answer(answer);
        session.plugin.exits_as(&format!("answered with {what}, it "), 4, ENDS).await;
    }
    Ok(())
}

/// A run is told of its hook, or of its command, what says nothing.
pub(super) async fn unknown_variant(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &[Kind::Builder, Kind::Provisioner]).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        stage.provisioning.set(HookAnswer::Foreign);
        stage.ending.set(Ending::Foreign);
        let outcome = actor.runs(rig, &cast.session, &stage).await?.outcome;
        let told = stage.diary.count("Hook.run") + stage.diary.count("RemoteProcess.run");
        if told == 0 {
            cast.lacks(actor, "run with a hook or a command");
            continue;
        }
        cast.saw(actor, "fails when it is told what it does not know", outcome.is_failure(), outcome.told());
    }
    cast.over()
}
