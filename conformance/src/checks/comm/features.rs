//! What is asked for without the feature for it.

use std::rc::Rc;

use super::{COMMUNICATOR, MOMENT};
use crate::check::{Check, Checked, Class, Level};
use crate::rig::Rig;
use crate::stage::{Actor, Cast, Opened, Outcome, Sink, Stage, read_outcome};

/// Where nobody listens on most machines.
const DISCARD: u16 = 9;

pub(super) const UNLISTED: Check = Check {
    id: "comm.unlisted-feature",
    level: Level::Must,
    class: Class::Scenario,
    title: "fails what it has no feature for",
    why: "Who asks for a terminal has a command that needs one, and who is told that a tunnel is done waits for the other side.",
    seen: "A command is run on a terminal, and a tunnel is opened, as far as the communicator does not list the feature.",
    budgets: &[],
    mutants: &["ignores-pty", "tunnel-to-nowhere"],
    lasts: MOMENT,
    run: |rig| Box::pin(unlisted(rig)),
};

async fn unlisted(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let (pty, dial) = (opened.has("pty").await, opened.has("dial").await);
        if pty && dial {
            cast.offers_no(actor, "feature to do without: it lists `pty` and `dial`");
        }
        if !pty {
            let terminal = async |directory: &str| terminal(rig, &cast, actor, &opened, directory).await;
            opened.in_directory(rig, &cast, actor, terminal).await?;
        }
        if !dial {
            tunnel(rig, &cast, actor, &opened).await?;
        }
    }
    cast.over()
}

async fn terminal(rig: &Rig, cast: &Cast, actor: &Actor, opened: &Opened, directory: &str) -> Checked {
    let stage = actor.stage(rig)?;
    let line = format!(": > {directory}/ran");
    let outcome = match opened.start_on_terminal(rig, &stage, &line).await {
        Ok(command) => command.running.end(rig, actor.within()).await.map(|ended| ended.outcome),
        Err(error) => Some(Outcome::Threw(error.extra)),
    };
    let ran = opened.run(rig, actor, &format!("test -e {directory}/ran"), None).await?.exit;
    let ran = matches!(ran, Outcome::Status(0));
    let held = matches!(outcome, Some(Outcome::Failed(_))) && !ran;
    let word = if ran { "the command ran" } else { "the command did not run" };
    let promise =
        "answers `failed` to a command on a terminal, without the feature `pty`, and does not run it";
    cast.saw(actor, promise, held, format!("{}; {word}", told(outcome)));
    Ok(())
}

async fn tunnel(rig: &Rig, cast: &Cast, actor: &Actor, opened: &Opened) -> Checked {
    let stage = actor.stage(rig)?;
    let outcome = match tokio::time::timeout(rig.stretch(actor.within()), dial(opened, &stage)).await {
        Ok(answered) => Some(answered.unwrap_or_else(|error| Outcome::Threw(error.extra))),
        Err(_) => None,
    };
    let held = matches!(outcome, Some(Outcome::Failed(_)));
    cast.saw(actor, "answers `failed` to a tunnel, without the feature `dial`", held, told(outcome));
    Ok(())
}

fn told(outcome: Option<Outcome>) -> String {
    outcome.map_or_else(|| "no answer came".to_owned(), |outcome| outcome.told())
}

/// Opens a tunnel to a port of the machine itself.
async fn dial(opened: &Opened, stage: &Rc<Stage>) -> capnp::Result<Outcome> {
    let mut request = opened.client.dial_request();
    request.get().set_host("127.0.0.1");
    request.get().set_port(DISCARD);
    let answer = request.send().promise.await?;
    let tunnel = answer.get()?.get_tunnel()?;
    let mut request = tunnel.run_request();
    request.get().set_incoming(stage.lend_stream(&Rc::<Sink>::default()));
    request.get().set_cancellation(stage.lend_cancellation());
    let outcome = read_outcome(request.send().promise.await?.get()?.get_outcome()?);
    tunnel.close_request().send().promise.await?;
    outcome
}
