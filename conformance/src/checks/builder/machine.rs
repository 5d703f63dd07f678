//! The machine that a builder lends: there for the clean-up, too, and for every borrower.

use super::{BUILDER, CLEANUP as CLEANS_UP, MOMENT, PROVISION};
use crate::check::{Check, Checked, Class, Level};
use crate::rig::Rig;
use crate::stage::{Actor, Cast, HookAnswer, RAN, Use};

pub(in crate::checks) const CLEANUP: Check = Check {
    id: "builder.cleanup-machine",
    level: Level::Must,
    class: Class::Scenario,
    title: "lends its machine to clean up",
    why: "What a clean-up provisioner has to save or to end is on the machine, and it reaches that in no other way.",
    seen: "The hook that is lent fails; it runs a command that does nothing when it is called to provision, and one when it is called to clean up.",
    budgets: &[],
    mutants: &["cleanup-without-machine", "machine-gone-before-cleanup"],
    lasts: MOMENT,
    run: |rig| Box::pin(cleanup(rig)),
};

pub(in crate::checks) const CLOSE: Check = Check {
    id: "builder.lent-close",
    level: Level::Must,
    class: Class::Scenario,
    title: "takes a `close` for a borrower's",
    why: "Many provisioners borrow one communicator, and the first that closes it is not the last that needs it.",
    seen: "The hook that is lent runs a command that does nothing, calls `close` of the communicator, and runs another one.",
    budgets: &[],
    mutants: &["close-ends-lent-machine"],
    lasts: MOMENT,
    run: |rig| Box::pin(close(rig)),
};

const WORKS: &str = "the status 0";

async fn cleanup(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, BUILDER).await?;
    for actor in &cast.actors {
        let ran = used(rig, &cast, actor, Use::Runs, HookAnswer::Failed).await?;
        if !works(&cast, actor, &ran) {
            continue;
        }
        let cleaning = ran.iter().find(|(event, _)| event == CLEANS_UP).map(|(_, told)| told.as_str());
        let promise = "lends the hook a communicator that works to clean up, as it did to provision";
        let observed = cleaning.unwrap_or("no communicator").to_owned();
        cast.saw(actor, promise, cleaning == Some(WORKS), observed);
    }
    cast.over()
}

async fn close(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, BUILDER).await?;
    for actor in &cast.actors {
        let ran = used(rig, &cast, actor, Use::RunsAndCloses, HookAnswer::Done).await?;
        if !works(&cast, actor, &ran) {
            continue;
        }
        let closed = format!("{PROVISION}, closed");
        let after = ran.iter().find(|(event, _)| *event == closed);
        let observed = after.map_or("no second command", |(_, told)| told).to_owned();
        let promise = "runs commands on the communicator that it lends after a borrower closed it";
        cast.saw(actor, promise, observed == WORKS, observed);
    }
    cast.over()
}

/// What became of the commands in a run: each with the event in which it was run.
async fn used(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    machine_use: Use,
    answer: HookAnswer,
) -> Result<Vec<(String, String)>, crate::check::Stop> {
    let stage = actor.stage(rig)?;
    stage.machine_use.set(machine_use);
    stage.provisioning.set(answer);
    let ended = actor.runs(rig, &cast.session, &stage).await?;
    if super::provisioning(&stage).is_empty() {
        cast.misses(actor, "calls its hook to provision", ended.outcome.told());
    }
    let split = |one: String| one.split_once(": ").map(|(event, told)| (event.to_owned(), told.to_owned()));
    Ok(stage.diary.texts(RAN).into_iter().filter_map(split).collect())
}

/// Whether a command that does nothing succeeds on the machine while it is provisioned: there may be none, or one
/// without a shell.
fn works(cast: &Cast, actor: &Actor, ran: &[(String, String)]) -> bool {
    let works = ran.iter().any(|(event, told)| event == PROVISION && told == WORKS);
    if !works {
        cast.offers_no(actor, "machine on which `exit 0` succeeds");
    }
    works
}
