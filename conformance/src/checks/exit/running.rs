//! The end of a session in the middle of a run, and what is left when it is over.

use rustix::process::Signal;

use super::GONE;
use crate::check::Checked;
use crate::checks::cancel::begin_long_run;
use crate::components::Kind;
use crate::rig::{Answer, Rig};
use crate::scenario::Key;
use crate::stage::{Cast, Reply};

/// How a session ends in the middle of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Leave,
    Disconnect,
    Terminate,
}

/// Ends the session while one run of each component is open; each gets a session of its own.
pub(super) async fn ends_while_running(rig: &Rig, how: How) -> Checked {
    let first = Cast::assemble(rig, &Kind::ALL).await?;
    for at in 0..first.actors.len() {
        let cast = if at == 0 { None } else { Some(Cast::assemble(rig, &Kind::ALL).await?) };
        let cast = cast.as_ref().unwrap_or(&first);
        let actor = &cast.actors[at];
        let stage = actor.stage(rig)?;
        let Some(running) = begin_long_run(rig, cast, actor, &stage).await? else {
            first.needs(actor, Key::Slow);
            continue;
        };
        // What is to be said from now on waits: the run is not done before the session is over.
        for gate in [&stage.ui, &stage.hook, &stage.commands] {
            gate.set(Reply::Held);
        }
        if running.ended().is_some() {
            first.needs(actor, Key::Slow);
            continue;
        }
        let (host, plugin) = (&cast.session.host, &cast.session.plugin);
        let (word, code) = match how {
            How::Leave => ("leave", 0),
            How::Disconnect => ("the loss of the link", 4),
            How::Terminate => ("SIGTERM", 4),
        };
        match how {
            How::Leave => host.answer(Answer::Leave),
            How::Disconnect => {
                host.stop_listening();
                host.disconnect();
            }
            How::Terminate => plugin.signal(Signal::TERM),
        }
        // A host that says leave takes back what it lent, and one that knows of no end is not slow for ever: nothing
        // keeps the run waiting.
        rig.sleep(super::MOMENT).await;
        stage.ui.set(Reply::Now);
        stage.hook.set(Reply::Fails);
        stage.commands.set(Reply::Fails);
        let case = format!("after {word} in a run of the {} it ", actor.title);
        plugin.exits_as(&case, code, actor.grace().max(GONE)).await;
        // What was done before the plugin heard of the end stays.
        let done = running.end(rig, super::MOMENT).await.is_some_and(|ended| ended.outcome.is_good());
        if !done {
            cast.leaves_nothing(actor, &stage, &format!("leaves nothing after {word}"));
        }
        let left = rig.left_of(plugin).await;
        let observed = format!("left: {left:?}");
        cast.saw(actor, &format!("leaves no process after {word}"), left.is_empty(), observed);
    }
    first.over()
}

/// Runs everything, leaves, and looks around.
pub(super) async fn no_descendants(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        cast.runs_well(rig, actor, &actor.stage(rig)?).await?;
    }
    cast.session.host.answer(Answer::Leave);
    cast.session.plugin.exit(GONE).await;
    let left: Vec<String> = rig.left_behind().await.into_iter().map(|relative| relative.command).collect();
    cast.session.plugin.saw("nothing outlives the plugin", left.is_empty(), format!("left: {left:?}"));
    cast.over()
}
