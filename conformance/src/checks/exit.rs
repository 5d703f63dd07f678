//! Shutdown, crash, orphans.

use std::time::Duration;

use crate::check::{Budget, Check, Checked, Class, Level};
use crate::rig::{Answer, Manners, Rig};

const LEAVE: Duration = Duration::from_secs(5);

pub(super) const CHECKS: &[Check] = &[Check {
    id: "exit.leave",
    level: Level::Must,
    class: Class::Any,
    title: "exits 0 when the session is over",
    why: "A host that is done waits for its plugins; one that lingers, or that reports a failure, turns a good build into a bad one.",
    seen: "The host answers `attach` with `leave` and a stopwatch runs until the process has exited.",
    budgets: &[Budget { what: "from `leave` to the exit", limit: LEAVE }],
    mutants: &["lives-after-leave", "exit-1-on-leave"],
    lasts: Duration::from_millis(50),
    run: |rig| Box::pin(leave(rig)),
}];

async fn leave(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    session.host.answer(Answer::Leave);
    session.plugin.exits_with(0, LEAVE).await;
    Ok(())
}
