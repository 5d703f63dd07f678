//! What a host keeps for a run: the entries of its ledger, and its leases.

mod refused;

use std::time::Duration;

use packwire_schema::recovery_capnp::recovery;
use rustix::process::Signal;

use super::cancel::{begin_long_run, end_by_cancelling};
use super::probe;
use crate::check::{Check, Checked, Class, Level, Stop};
use crate::components::{Kind, offered};
use crate::rig::{Attached, Manners, Rig};
use crate::scenario::Key;
use crate::stage::{Act, Actor, Cast, Outcome, Reply, Stage, start_recovery};

const MOMENT: Duration = Duration::from_millis(600);
/// How long the host takes to remember.
const LATE: Duration = Duration::from_secs(2);
/// How soon a run has anything remembered, if it ever has.
const REACHED: Duration = Duration::from_secs(20);
/// Everything but communicators: what those are lent lasts longer than the call that opens them.
const RUNNING: &[Kind] =
    &[Kind::Builder, Kind::Provisioner, Kind::PostProcessor, Kind::DataSource, Kind::Hook, Kind::Command];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "ledger.remember-before-make",
        level: Level::Must,
        class: Class::Scenario,
        title: "makes nothing before the host remembers it",
        why: "A crash between the two leaves what nobody knows of.",
        seen: "The host takes two seconds to remember; then the scenario's probe looks for what a run makes.",
        budgets: &[],
        mutants: &["makes-then-remembers", "remembers-without-waiting"],
        lasts: LATE,
        run: |rig| Box::pin(remember_before_make(rig)),
    },
    refused::ENTRY,
    Check {
        id: "ledger.settles",
        level: Level::Must,
        class: Class::Scenario,
        title: "settles what it had the host remember",
        why: "What is not settled is removed after the next crash, although it was to stay.",
        seen: "When a run has answered, and when a cancelled one has, the entries that were not settled are counted.",
        budgets: &[],
        mutants: &["never-settles"],
        lasts: MOMENT,
        run: |rig| Box::pin(settles(rig)),
    },
    Check {
        id: "recovery.offered",
        level: Level::Must,
        class: Class::Scenario,
        title: "can recover what it has remembered",
        why: "An entry that nobody can act on tells of a thing that stays for ever.",
        seen: "A run has something remembered; its component is asked for a recovery.",
        budgets: &[],
        mutants: &["offers-no-recovery"],
        lasts: MOMENT,
        run: |rig| Box::pin(is_offered(rig)),
    },
    Check {
        id: "recovery.idempotent",
        level: Level::Must,
        class: Class::Scenario,
        title: "recovers twice",
        why: "A recovery may be cut off as well; then the same entries come again, and some of their things are gone.",
        seen: "A process is killed in a run; two others are given what it had the host remember, one after the other.",
        budgets: &[],
        mutants: &["recovery-fails-when-gone"],
        lasts: MOMENT,
        run: |rig| Box::pin(idempotent(rig)),
    },
    Check {
        id: "cache.gives-back",
        level: Level::Should,
        class: Class::Scenario,
        title: "gives back what it was lent for a while",
        why: "Whoever waits for a file of the cache waits until its lease is closed.",
        seen: "When a run has answered, the leases that were not closed are counted.",
        budgets: &[],
        mutants: &["keeps-lease"],
        lasts: MOMENT,
        run: |rig| Box::pin(gives_back(rig)),
    },
    refused::SERVICE,
];

async fn remember_before_make(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, RUNNING).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        stage.remembering.set(Reply::Held);
        let running = actor.start(rig, &cast.session, &stage, &actor.good()).await?;
        let asked = stage.diary.until(rig.stretch(REACHED), |acts| acts.iter().any(is_remembering));
        let asks = tokio::select! {
            asked = asked => asked,
            _ = running.end(rig, REACHED) => false,
        };
        match actor.part.clean {
            _ if !asks => cast.lacks(actor, "run that has anything remembered"),
            None => cast.needs(actor, Key::Clean),
            Some(_) => {
                rig.sleep(LATE).await;
                let promise = "has made nothing while the host has not answered that it remembers";
                cast.leaves_nothing(actor, &stage, promise);
            }
        }
        stage.remembering.set(Reply::Now);
        let ended = actor.ends(rig, &cast.session, &running).await?;
        cast.is_well(actor, &ended.outcome);
        if asks && actor.is_clean(&stage) == Some(true) {
            probe::can_fail(rig, &cast, actor).await?;
        }
    }
    cast.over()
}

fn is_remembering(act: &Act) -> bool {
    act.name == "Environment.remember"
}

async fn settles(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, RUNNING).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        let ended = cast.runs_well(rig, actor, &stage).await?;
        if stage.diary.count("LedgerEntry.made") == 0 {
            cast.lacks(actor, "run that has anything remembered");
            continue;
        }
        let open = stage.diary.unclosed("LedgerEntry.made", "LedgerEntry.settle");
        let observed = format!("{}; not settled: {}", ended.outcome.told(), open.len());
        cast.saw(actor, "has settled its entries when a run answers", open.is_empty(), observed);
        let stage = actor.stage(rig)?;
        let Some(running) = begin_long_run(rig, &cast, actor, &stage).await? else { continue };
        let ended = end_by_cancelling(rig, &cast, actor, &running, "its entries").await?;
        let open = stage.diary.unclosed("LedgerEntry.made", "LedgerEntry.settle");
        // What could not be removed is still true.
        let held = open.is_empty() || actor.is_clean(&stage) == Some(false);
        let observed = format!("{}; not settled: {}", ended.outcome.told(), open.len());
        cast.saw(actor, "has settled its entries when a cancelled run answers", held, observed);
    }
    cast.over()
}

async fn gives_back(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, RUNNING).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        cast.runs_well(rig, actor, &stage).await?;
        if stage.diary.count("Lease.made") == 0 {
            cast.lacks(actor, "run that is given a lease");
            continue;
        }
        let open = stage.diary.unclosed("Lease.made", "Lease.close");
        let observed = format!("not closed: {open:?}");
        cast.saw(actor, "has closed its leases when a run answers", open.is_empty(), observed);
    }
    cast.over()
}

async fn is_offered(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, RUNNING).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        cast.runs_well(rig, actor, &stage).await?;
        let remembered = stage.diary.count("LedgerEntry.made");
        if remembered == 0 {
            cast.lacks(actor, "run that has anything remembered");
            continue;
        }
        let offered = recovery_of(&cast.session, actor)?.is_some();
        let observed = format!("{remembered} entries, and {} `recovery`", if offered { "a" } else { "no" });
        cast.saw(actor, "offers a recovery for what it has remembered", offered, observed);
    }
    cast.over()
}

async fn idempotent(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, RUNNING).await?;
    let mut offers = false;
    for actor in &cast.actors {
        if recovery_of(&cast.session, actor)?.is_none() {
            continue;
        }
        offers = true;
        let stage = actor.stage(rig)?;
        if !is_killed_in_a_run(rig, actor, &stage).await? {
            cast.needs(actor, Key::Slow);
            continue;
        }
        let entries = stage.diary.unclosed("LedgerEntry.made", "LedgerEntry.settle");
        if entries.is_empty() {
            cast.lacks(actor, "run that has anything remembered");
            continue;
        }
        let can_fail = actor.is_clean(&stage) != Some(true);
        recovers(rig, &cast, actor, &stage, &entries, "recovers what a killed process left").await?;
        recovers(rig, &cast, actor, &stage, &entries, "recovers again what is gone").await?;
        if !can_fail {
            probe::can_fail(rig, &cast, actor).await?;
        }
    }
    match cast.over() {
        Err(Stop::NotApplicable(_)) if !offers => {
            Err(Stop::NotApplicable("no component of the scenario offers a recovery".to_owned()))
        }
        over => over,
    }
}

/// Has a process of its own begin a run, and kills it; false if the run has ended before.
async fn is_killed_in_a_run(rig: &Rig, actor: &Actor, stage: &std::rc::Rc<Stage>) -> Result<bool, Stop> {
    let doomed = Cast::assemble(rig, &[actor.kind]).await?;
    let Some(same) = doomed.actors.iter().find(|other| other.title == actor.title) else {
        return doomed.session.plugin.lacks(format!("the {} is offered again", actor.title), "it is not");
    };
    let began = begin_long_run(rig, &doomed, same, stage).await?.is_some();
    doomed.session.plugin.signal(Signal::KILL);
    doomed.session.plugin.exit(MOMENT).await;
    Ok(began)
}

/// Lets a fresh process recover the entries of a run, whose directory is that of `left`.
async fn recovers(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    left: &Stage,
    entries: &[String],
    promise: &str,
) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let Some(recovery) = recovery_of(&session, actor)? else {
        return session.plugin.lacks(format!("the {} offers its recovery again", actor.title), "it does not");
    };
    let stage = actor.stage(rig)?;
    let config = left.filled(&actor.good()).to_string();
    let running = start_recovery(rig, &recovery, &stage, (&config, &left.directory), entries);
    let ended = actor.ends(rig, &session, &running).await?;
    let clean = actor.is_clean(left) != Some(false);
    let open = stage.diary.unclosed("LedgerEntry.made", "LedgerEntry.settle").len();
    let held = matches!(ended.outcome, Outcome::Done) && clean && open == 0;
    let word = if clean { "nothing is left" } else { "something is left" };
    cast.saw(actor, promise, held, format!("{}; not settled: {open}; {word}", ended.outcome.told()));
    Ok(())
}

/// What a component offers to recover by.
fn recovery_of(session: &Attached, actor: &Actor) -> Result<Option<recovery::Client>, Stop> {
    let components = session.plugin.read("the list of components", session.hello.read().and_then(offered))?;
    let same = components.iter().find(|one| one.title == actor.title);
    Ok(same.filter(|one| one.reader.has_recovery()).and_then(|one| one.reader.get_recovery().ok()))
}
