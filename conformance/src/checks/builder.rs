//! Builders.

mod data;
mod existing;
mod machine;
mod on_error;

use std::time::Duration;

use crate::check::{Check, Checked, Class, Level};
use crate::components::Kind;
use crate::rig::Rig;
use crate::stage::{Cast, HookAnswer, Outcome, Stage};

const MOMENT: Duration = Duration::from_millis(200);
const BUILDER: &[Kind] = &[Kind::Builder];
const PROVISION: &str = "packer_provision";
const CLEANUP: &str = "packer_cleanup_provision";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "builder.outcome-set",
        level: Level::Must,
        class: Class::Scenario,
        title: "answers what it made",
        why: "What comes after a build depends on its outcome, and a null artifact is found too late.",
        seen: "A run that ends well, and one whose provisioning fails; their outcomes are read.",
        budgets: &[],
        mutants: &["null-artifact", "empty-failure"],
        lasts: MOMENT,
        run: |rig| Box::pin(outcome_set(rig)),
    },
    Check {
        id: "builder.hook-once",
        level: Level::Must,
        class: Class::Scenario,
        title: "has its machine provisioned once",
        why: "Provisioners run when the builder says so; a builder that forgets it makes an empty image.",
        seen: "The hook that is lent counts its calls and calls back the communicator that it is given.",
        budgets: &[],
        mutants: &["skips-hook", "dead-communicator", "single-thread-deadlock"],
        lasts: MOMENT,
        run: |rig| Box::pin(hook_once(rig)),
    },
    Check {
        id: "builder.hook-failure",
        level: Level::Must,
        class: Class::Scenario,
        title: "fails when the provisioning fails",
        why: "A half-provisioned image that counts as a success is shipped.",
        seen: "The hook that is lent fails; the outcome is read.",
        budgets: &[],
        mutants: &["success-after-hook-failure"],
        lasts: MOMENT,
        run: |rig| Box::pin(hook_failure(rig)),
    },
    Check {
        id: "builder.cleanup-hook",
        level: Level::Must,
        class: Class::Scenario,
        title: "calls the hook again to clean up",
        why: "A template's clean-up provisioner needs the machine, and only the builder knows when that goes.",
        seen: "The hook that is lent fails and writes down the events that it is called with.",
        budgets: &[],
        mutants: &["skips-cleanup-hook"],
        lasts: MOMENT,
        run: |rig| Box::pin(cleanup_hook(rig)),
    },
    Check {
        id: "builder.existing-target",
        level: Level::Must,
        class: Class::Scenario,
        title: "replaces only what it may",
        why: "What lies where a build is to go may be the image of last week, and the only one.",
        seen: "The build of which the scenario says what it makes runs three times in one directory, the third time with `force`; what it has made is looked at after each.",
        budgets: &[],
        mutants: &["replaces-unasked", "removes-what-exists", "ignores-force"],
        lasts: MOMENT,
        run: |rig| Box::pin(existing::existing_target(rig)),
    },
    machine::CLEANUP,
    machine::CLOSE,
    on_error::ON_ERROR,
    data::DATA,
];

async fn outcome_set(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, BUILDER).await?;
    for actor in &cast.actors {
        let ended = cast.runs_well(rig, actor, &actor.stage(rig)?).await?;
        let (made, nothing) = (ended.outcome.artifact().is_some(), matches!(ended.outcome, Outcome::Nothing));
        let (promise, held) = match actor.artifact {
            Some(true) => ("answers an artifact that is not null", made),
            Some(false) => ("answers `nothing`", nothing),
            None => ("answers an artifact that is not null, or `nothing`", made || nothing),
        };
        cast.saw(actor, promise, held, ended.outcome.told());
        let stage = actor.stage(rig)?;
        stage.provisioning.set(HookAnswer::Failed);
        let ended = actor.runs(rig, &cast.session, &stage).await?;
        // That it fails then is another rule.
        if matches!(&ended.outcome, Outcome::Failed(_)) {
            cast.saw(actor, "holds an error in `failed`", ended.outcome.is_failure(), ended.outcome.told());
        }
    }
    cast.over()
}

async fn hook_once(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, BUILDER).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        cast.runs_well(rig, actor, &stage).await?;
        let events = provisioning(&stage);
        cast.saw(actor, "calls the hook once, to provision", events == [PROVISION], format!("{events:?}"));
        let ui = stage.diary.texts("Hook.ui");
        cast.saw(actor, "lends the hook a Ui", ui.iter().all(|ui| ui == "there"), format!("{ui:?}"));
        let machines = stage.diary.texts("Hook.communicator");
        let alive = machines.iter().all(|machine| machine == "alive");
        cast.saw(actor, "lends the hook a communicator that lives, or none", alive, format!("{machines:?}"));
        let data = stage.diary.texts("Hook.data");
        let is_object = |data: &String| {
            data.is_empty()
                || serde_json::from_str::<serde_json::Value>(data).is_ok_and(|data| data.is_object())
        };
        cast.saw(
            actor,
            "gives the hook its generated data, an object",
            data.iter().all(is_object),
            format!("{data:?}"),
        );
    }
    cast.over()
}

/// The events that belong to provisioning, in their order; a builder may have others of its own.
fn provisioning(stage: &Stage) -> Vec<String> {
    let mut events = stage.diary.texts("Hook.run");
    events.retain(|event| [PROVISION, CLEANUP].contains(&event.as_str()));
    events
}

async fn hook_failure(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, BUILDER).await?;
    for actor in &cast.actors {
        // Who fails anyway shows nothing by failing.
        cast.runs_well(rig, actor, &actor.stage(rig)?).await?;
        let stage = actor.stage(rig)?;
        stage.provisioning.set(HookAnswer::Failed);
        let ended = actor.runs(rig, &cast.session, &stage).await?;
        if provisioning(&stage).is_empty() {
            cast.misses(actor, "calls its hook to provision", ended.outcome.told());
            continue;
        }
        cast.saw(actor, "fails as its provisioning did", ended.outcome.is_failure(), ended.outcome.told());
        cast.leaves_nothing(actor, &stage, "leaves nothing of it");
    }
    cast.over()
}

async fn cleanup_hook(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, BUILDER).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        stage.provisioning.set(HookAnswer::Failed);
        actor.runs(rig, &cast.session, &stage).await?;
        let events = provisioning(&stage);
        let promise = "calls the hook once more, to clean up";
        cast.saw(actor, promise, events == [PROVISION, CLEANUP], format!("{events:?}"));
    }
    cast.over()
}
