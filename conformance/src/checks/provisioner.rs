//! Provisioners.

use std::time::Duration;

use crate::check::{Check, Checked, Class, Level, Stop};
use crate::components::Kind;
use crate::rig::Rig;
use crate::scenario::Key;
use crate::stage::{Actor, Cast, Ending, Lent, Outcome, Stage};

const MOMENT: Duration = Duration::from_millis(200);
/// A status that stands in no text by chance.
const STATUS: i32 = 87;
const PROVISIONER: &[Kind] = &[Kind::Provisioner];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "provisioner.only-communicator",
        level: Level::Must,
        class: Class::Scenario,
        title: "works on the machine only",
        why: "What a provisioner changes on the host's machine by mistake is somebody's work place.",
        seen: "A run on a machine that the suite plays: files and children here are compared, the calls there counted; then a run without a machine.",
        budgets: &[],
        mutants: &["runs-locally", "ignores-null-communicator"],
        lasts: MOMENT,
        run: |rig| Box::pin(only_communicator(rig)),
    },
    Check {
        id: "provisioner.exit-status",
        level: Level::Must,
        class: Class::Scenario,
        title: "fails with its commands",
        why: "A script that fails silently is an image that fails loudly.",
        seen: "Every command on the suite's machine ends with status 87.",
        budgets: &[],
        mutants: &["ignores-exit-status", "status-unnamed"],
        lasts: MOMENT,
        run: |rig| Box::pin(exit_status(rig)),
    },
    Check {
        id: "provisioner.broken-communicator",
        level: Level::Must,
        class: Class::Scenario,
        title: "fails when the machine is lost",
        why: "Machines crash and networks break; that is no bug of the plugin, and no success either.",
        seen: "The suite's machine throws at its first calls, in turn, or loses a command.",
        budgets: &[],
        mutants: &["panics-on-comm-error", "success-on-truncated-output"],
        lasts: Duration::from_millis(500),
        run: |rig| Box::pin(broken_communicator(rig)),
    },
    Check {
        id: "provisioner.leaves-nothing",
        level: Level::Should,
        class: Class::Scenario,
        title: "takes its tools with it",
        why: "What is left on the machine is in every image made of it, passwords in scripts included.",
        seen: "The files that the suite's machine was sent, less those that it was told to remove, after a run and after failures.",
        budgets: &[],
        mutants: &["leaves-remote-script"],
        lasts: MOMENT,
        run: |rig| Box::pin(leaves_nothing(rig)),
    },
];

async fn only_communicator(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, PROVISIONER).await?;
    for actor in &cast.actors {
        if !actor.needs_communicator() {
            cast.lacks(actor, "machine that is needed");
            continue;
        }
        on_the_machine(rig, &cast, actor).await?;
        let running =
            actor.start_with(rig, &cast.session, &actor.stage(rig)?, &actor.good(), Lent::NoMachine).await?;
        let outcome = actor.ends(rig, &cast.session, &running).await?.outcome;
        cast.saw(actor, "fails without a machine", outcome.is_failure(), outcome.told());
    }
    cast.over()
}

async fn on_the_machine(rig: &Rig, cast: &Cast, actor: &Actor) -> Result<(), Stop> {
    let (stage, plugin) = (actor.stage(rig)?, &cast.session.plugin);
    let children = plugin.descendants().len();
    let watch = cast.watch_children(rig);
    cast.runs_well(rig, actor, &stage).await?;
    let started = watch.seen().len().saturating_sub(children);
    cast.saw(actor, "starts no process here", started == 0, format!("{started} were seen"));
    let litter = rig.places().litter();
    cast.saw(actor, "makes no file here", litter.is_empty(), format!("new: {litter:?}"));
    let steps = stage.machine_steps();
    // Of an example nobody says that it has something to do there.
    if !actor.is_example() {
        cast.saw(actor, "uses its machine", steps > 0, format!("{steps} calls came there"));
    }
    Ok(())
}

async fn exit_status(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, PROVISIONER).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        stage.ending.set(Ending::Status(STATUS));
        let ended = actor.runs(rig, &cast.session, &stage).await?;
        if stage.diary.count("RemoteProcess.run") == 0 {
            if cast.is_well(actor, &ended.outcome) {
                cast.lacks(actor, "run with a command");
            }
            continue;
        }
        let named = match &ended.outcome {
            Outcome::Failed(all) => {
                all.iter().any(|one| names_status(&one.summary) || names_status(&one.detail))
            }
            _ => false,
        };
        cast.saw(actor, &format!("fails and names the status {STATUS}"), named, ended.outcome.told());
    }
    cast.over()
}

/// Whether a text holds the status as a number of its own, and not as digits of a path.
fn names_status(text: &str) -> bool {
    text.split(|one: char| !one.is_ascii_digit()).any(|number| number == STATUS.to_string())
}

async fn broken_communicator(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, PROVISIONER).await?;
    for actor in &cast.actors {
        let whole = actor.stage(rig)?;
        cast.runs_well(rig, actor, &whole).await?;
        // The last calls may be its clean-up, whose failure is no failure of the work.
        for at in 0..whole.machine_steps().div_ceil(2).min(8) {
            let stage = actor.stage(rig)?;
            stage.breaks_at.set(Some(at));
            let outcome = actor.runs(rig, &cast.session, &stage).await?.outcome;
            let promise = format!("fails when call {at} of the machine, and all after it, throw");
            cast.saw(actor, &promise, outcome.is_failure(), outcome.told());
        }
        if whole.diary.count("RemoteProcess.run") > 0 {
            let stage = actor.stage(rig)?;
            stage.ending.set(Ending::Lost);
            let outcome = actor.runs(rig, &cast.session, &stage).await?.outcome;
            cast.saw(actor, "fails when a command is lost", outcome.is_failure(), outcome.told());
        }
        if whole.machine_steps() == 0 {
            cast.lacks(actor, "run that uses a machine");
        }
    }
    cast.over()
}

async fn leaves_nothing(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, PROVISIONER).await?;
    for actor in &cast.actors {
        let good = Some(actor.good());
        let mut sent = 0;
        for (when, config, ending) in [
            ("is done", &good, Ending::Script),
            ("fails with its commands", &good, Ending::UnlessRemoving(7)),
            ("fails as the scenario says", &actor.part.fails, Ending::Script),
        ] {
            let (stage, Some(config)) = (actor.stage(rig)?, config) else { continue };
            stage.ending.set(ending);
            let running = actor.start(rig, &cast.session, &stage, config).await?;
            let ended = actor.ends(rig, &cast.session, &running).await?;
            if when == "is done" {
                cast.is_well(actor, &ended.outcome);
            }
            sent += stage.diary.count("Communicator.upload") + stage.diary.count("Communicator.uploadTree");
            let Some(leaves) = &actor.part.leaves else { continue };
            let wanted: Vec<String> = leaves.iter().map(|one| stage.filled_text(one)).collect();
            if when == "is done" && ended.outcome.is_good() {
                names_what_stays(&cast, actor, &stage, &wanted);
            }
            let left: Vec<String> =
                stage.new_files().into_iter().filter(|path| !wanted.contains(path)).collect();
            let observed = format!("{}; left: {left:?}", ended.outcome.told());
            let promise = format!("has removed what it does not leave on purpose when it {when}");
            cast.saw(actor, &promise, left.is_empty(), observed);
        }
        match actor.part.leaves {
            _ if sent == 0 => cast.lacks(actor, "run that sends anything to a machine"),
            None => cast.needs(actor, Key::Leaves),
            Some(_) => {}
        }
    }
    cast.over()
}

/// What the scenario says to stay after a good run has to.
fn names_what_stays(cast: &Cast, actor: &Actor, stage: &Stage, wanted: &[String]) {
    let files = stage.files.borrow();
    for path in wanted.iter().filter(|path| !files.contains_key(*path)) {
        cast.doubts(format!(
            "the scenario's `leaves` for the {} names `{path}`, which its `run` sends nowhere, or removes",
            actor.title
        ));
    }
}
