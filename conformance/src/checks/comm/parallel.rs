//! Commands at the same time.

use futures::future::join_all;

use super::{COMMUNICATOR, MOMENT};
use crate::check::{Check, Checked, Class, Level};
use crate::rig::Rig;
use crate::stage::{Actor, Cast, Ended, Opened, Outcome};

pub(super) const PARALLEL: Check = Check {
    id: "comm.parallel",
    level: Level::Must,
    class: Class::Scenario,
    title: "runs commands side by side",
    why: "A provisioner that asks whether its long script goes on would wait for it to end.",
    seen: "Two commands begin, each of which waits until the other is there, too.",
    budgets: &[],
    mutants: &["serial-commands"],
    lasts: MOMENT,
    run: |rig| Box::pin(parallel(rig)),
};

async fn parallel(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let meet = async |directory: &str| meet(rig, &cast, actor, &opened, directory).await;
        opened.in_directory(rig, &cast, actor, meet).await?;
    }
    cast.over()
}

/// Both commands end by themselves only if they run at the same time; then they are cancelled.
async fn meet(rig: &Rig, cast: &Cast, actor: &Actor, opened: &Opened, directory: &str) -> Checked {
    let mut commands = Vec::new();
    for (own, other) in [("one", "other"), ("other", "one")] {
        let stage = actor.stage(rig)?;
        let line = format!(": > {directory}/{own}; {}", waiting_for(directory, other));
        match opened.start(rig, &stage, &line, false).await {
            Ok(command) => commands.push((command, stage)),
            Err(error) => return cast.session.plugin.lacks("two commands can be begun", error.extra),
        }
    }
    let ends = join_all(commands.iter().map(|(command, _)| command.running.end(rig, actor.within()))).await;
    let met = ends.iter().flatten().filter(|ended| matches!(ended.outcome, Outcome::Status(0))).count();
    let told = |ended: &Option<Ended>| {
        ended.as_ref().map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told())
    };
    let observed = ends.iter().map(told).collect::<Vec<_>>().join("; ");
    cast.saw(actor, "runs two commands that wait for each other", met == 2, observed);
    for (command, stage) in commands {
        stage.cancel();
        command.running.end(rig, actor.grace()).await;
    }
    Ok(())
}

/// A line that ends when the other command is there; also when the directory is gone, lest it goes on for ever.
fn waiting_for(directory: &str, other: &str) -> String {
    format!(
        "while test -d {directory} && test ! -e {directory}/{other}; do sleep 0.1; done; test -e {directory}/{other}"
    )
}
