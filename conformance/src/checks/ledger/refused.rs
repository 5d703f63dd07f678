//! What becomes of a run whose host gives it no entry of the ledger, or another service.

use std::time::Duration;

use rustix::process::Signal;

use super::{MOMENT, RUNNING, is_remembering};
use crate::check::{Check, Checked, Class, Level};
use crate::checks::cancel::begin_long_run;
use crate::checks::probe;
use crate::components::Kind;
use crate::rig::Rig;
use crate::scenario::Key;
use crate::stage::{Actor, Cast, Outcome, Services, Stage, refusal};

/// How soon a long run has anything remembered.
const SOON: Duration = Duration::from_secs(5);
/// The ledger, as the stage speaks of it.
const LEDGER: &str = "ledger";
/// The services, by their call and as the stage speaks of them.
const SERVICES: &[(&str, &str)] = &[
    ("Environment.communicator", "communicator"),
    ("Environment.cache", "cache"),
    ("Environment.remember", LEDGER),
    ("Environment.tempDir", "directory"),
    ("Environment.port", "port"),
    ("Environment.keyPair", "keys"),
];

pub(super) const ENTRY: Check = Check {
    id: "ledger.refused",
    level: Level::Must,
    class: Class::Scenario,
    title: "makes nothing that the host would not remember",
    why: "A host that cannot write its ledger cannot have removed what a crash leaves.",
    seen: "The host refuses `remember`. After a run that fails the scenario's probe looks for what it made; where it ends \
           well, the process is killed in another one, and the probe looks for what did not go with it.",
    budgets: &[],
    mutants: &["ignores-refused-entry"],
    lasts: MOMENT,
    run: |rig| Box::pin(entry(rig)),
};

pub(super) const SERVICE: Check = Check {
    id: "service.refused",
    level: Level::Must,
    class: Class::Scenario,
    title: "says why the host refused what it needs",
    why: "The host knows what is wrong with the template, or with the machine; without its words nobody can mend it.",
    seen: "The services that a run asks for are refused one by one; the outcome is read. Of a command the words on its \
           Ui count.",
    budgets: &[],
    mutants: &["refusal-untold"],
    lasts: MOMENT,
    run: |rig| Box::pin(service(rig)),
};

async fn entry(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, RUNNING).await?;
    for actor in &cast.actors {
        // Who fails anyway shows nothing by failing.
        cast.runs_well(rig, actor, &actor.stage(rig)?).await?;
        let stage = actor.stage(rig)?;
        stage.services.set(Services::Without(LEDGER));
        let outcome = actor.runs(rig, &cast.session, &stage).await?.outcome;
        if !stage.diary.acts().iter().any(is_remembering) {
            cast.lacks(actor, "run that has anything remembered");
        } else if outcome.is_good() {
            goes_with_its_process(rig, &cast, actor).await?;
        } else if actor.part.clean.is_none() {
            cast.needs(actor, Key::Clean);
        } else if cast.leaves_nothing(actor, &stage, "leaves nothing when it was refused its entry") {
            probe::can_fail(rig, &cast, actor).await?;
        }
    }
    cast.over()
}

/// A run that can do without the ledger makes only what is gone when its process is.
async fn goes_with_its_process(rig: &Rig, cast: &Cast, actor: &Actor) -> Checked {
    let doomed = Cast::assemble(rig, &[actor.kind]).await?;
    let Some(same) = doomed.actors.iter().find(|other| other.title == actor.title) else {
        return doomed.session.plugin.lacks(format!("the {} is offered again", actor.title), "it is not");
    };
    let stage = same.stage(rig)?;
    stage.services.set(Services::Without(LEDGER));
    let running = begin_long_run(rig, &doomed, same, &stage).await?;
    let asks = match &running {
        Some(_) => stage.diary.until(rig.stretch(SOON), |acts| acts.iter().any(is_remembering)).await,
        None => false,
    };
    if asks {
        rig.sleep(MOMENT).await;
    }
    doomed.session.plugin.signal(Signal::KILL);
    doomed.session.plugin.exit(MOMENT).await;
    if !asks {
        cast.needs(actor, Key::Slow);
    } else if actor.part.clean.is_none() {
        cast.needs(actor, Key::Clean);
    } else {
        let promise = "leaves nothing when it was refused its entry, went on, and was killed";
        cast.leaves_nothing(actor, &stage, promise);
    }
    Ok(())
}

async fn service(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        cast.runs_well(rig, actor, &stage).await?;
        let mut needed = false;
        for (_, what) in SERVICES.iter().filter(|(call, _)| stage.diary.count(call) > 0) {
            let stage = actor.stage(rig)?;
            stage.services.set(Services::Without(what));
            let outcome = actor.runs(rig, &cast.session, &stage).await?.outcome;
            // Who can do without does so.
            if !outcome.is_good() {
                needed = true;
                let promise = format!("fails with the host's reason when it is refused the {what}");
                let told = outcome.is_failure() && is_told(actor, &stage, &outcome, &refusal(what));
                cast.saw(actor, &promise, told, outcome.told());
            }
        }
        if !needed {
            cast.lacks(actor, "run that cannot go on without a service of its host");
        }
    }
    cast.over()
}

/// Whether the reason is in the outcome, or on the Ui of what has no words in its outcome.
fn is_told(actor: &Actor, stage: &Stage, outcome: &Outcome, reason: &str) -> bool {
    let holds = |text: &str| text.to_lowercase().contains(reason);
    match outcome {
        Outcome::Failed(all) => all.iter().any(|one| holds(&one.summary) || holds(&one.detail)),
        _ => actor.kind == Kind::Command && holds(&stage.said()),
    }
}
