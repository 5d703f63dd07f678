//! Output that is taken slowly.

use std::time::Duration;

use super::COMMUNICATOR;
use crate::check::{Check, Checked, Class, Level};
use crate::rig::Rig;
use crate::stage::{Act, Actor, Cast, Opened, Outcome, Reply};

/// It fits into a pipe, so that the command can end before it is taken.
const LINE: &str = "printf first; sleep 0.3; dd if=/dev/zero bs=1000 count=50 2>/dev/null";
const BYTES: usize = 5 + 50 * 1000;
/// How long the first write is not answered: the command has ended long before.
const SLOW: Duration = Duration::from_millis(2500);

pub(super) const WHOLE: Check = Check {
    id: "comm.output-whole",
    level: Level::Must,
    class: Class::Scenario,
    title: "gives no output up that is taken slowly",
    why: "The last lines say why a command failed, and a terminal that scrolls slowly is no reason to lose them.",
    seen: "A command prints 50 kB and ends; no write is answered before 2.5 s have passed. Then all of it has to come.",
    budgets: &[],
    mutants: &["cuts-slow-output"],
    lasts: Duration::from_secs(3),
    run: |rig| Box::pin(whole(rig)),
};

async fn whole(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        if let Some(opened) = Opened::open(rig, &cast, actor).await? {
            taken_slowly(rig, &cast, actor, &opened).await?;
        }
    }
    cast.over()
}

async fn taken_slowly(rig: &Rig, cast: &Cast, actor: &Actor, opened: &Opened) -> Checked {
    let stage = actor.stage(rig)?;
    stage.writes.set(Reply::Held);
    let command = match opened.start(rig, &stage, LINE, false).await {
        Ok(command) => command,
        Err(error) => return cast.session.plugin.lacks("a command can be run", error.extra),
    };
    let comes = |acts: &[Act]| acts.iter().any(|act| act.name == "ByteStream.write");
    stage.diary.until(rig.stretch(actor.within()), comes).await;
    rig.sleep(SLOW).await;
    stage.writes.set(Reply::Now);
    let ended = command.running.end(rig, actor.within()).await;
    let came = command.stdout.bytes.borrow().total();
    let well = ended.as_ref().is_some_and(|ended| matches!(ended.outcome, Outcome::Status(0)));
    let told = ended.map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
    let observed = format!("{told}; {came} bytes of {BYTES}");
    cast.saw(
        actor,
        "carries all output of a command, though it is taken slowly",
        well && came == BYTES,
        observed,
    );
    Ok(())
}
