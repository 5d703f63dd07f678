//! Output that is taken slowly, and output that has no end.

use std::time::Duration;

use super::COMMUNICATOR;
use crate::check::{Budget, Check, Checked, Class, Level};
use crate::rig::Rig;
use crate::stage::{Act, Actor, Cast, Opened, Outcome, Reply};

/// It fits into a pipe, so that the command can end before it is taken.
const LINE: &str = "printf first; sleep 0.3; dd if=/dev/zero bs=1000 count=50 2>/dev/null";
const BYTES: usize = 5 + 50 * 1000;
/// How long the first write is not answered: the command has ended long before.
const SLOW: Duration = Duration::from_millis(2500);

/// How long a command may seem to go on whose output has no end: 1 s, and as much as a busy machine adds to it.
const ANSWER: Duration = Duration::from_secs(6);

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

pub(super) const ENDS: Check = Check {
    id: "comm.output-ends",
    level: Level::Must,
    class: Class::Scenario,
    title: "does not wait for what goes on in the background",
    why: "A script that starts a service would never end.",
    seen: "A command leaves a child in the background that holds its output, and ends; then its status and what it printed have to come.",
    budgets: &[Budget { what: "from the start of the command to the answer of `run`", limit: ANSWER }],
    mutants: &["waits-for-background"],
    lasts: Duration::from_millis(1300),
    run: |rig| Box::pin(ends(rig)),
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

async fn ends(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let held = async |directory: &str| held_by_a_child(rig, &cast, actor, &opened, directory).await;
        opened.in_directory(rig, &cast, actor, held).await?;
    }
    cast.over()
}

/// The child goes on for as long as the directory is there: it is not left behind, whoever should have ended it.
async fn held_by_a_child(rig: &Rig, cast: &Cast, actor: &Actor, opened: &Opened, directory: &str) -> Checked {
    let stage = actor.stage(rig)?;
    let line = format!("while test -d {directory}; do sleep 0.2; done & echo begun");
    let command = match opened.start(rig, &stage, &line, false).await {
        Ok(command) => command,
        Err(error) => return cast.session.plugin.lacks("a command can be run", error.extra),
    };
    let ended = command.running.end(rig, ANSWER).await;
    let printed = String::from_utf8_lossy(command.stdout.bytes.borrow().kept()).into_owned();
    let held = printed == "begun\n"
        && ended.as_ref().is_some_and(|ended| matches!(ended.outcome, Outcome::Status(0)));
    let told = ended.map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
    let promise = "answers a command that has ended, though a child holds its output";
    cast.saw(actor, promise, held, format!("{told}; it printed {printed:?}"));
    stage.cancel();
    command.running.end(rig, actor.grace()).await;
    Ok(())
}
