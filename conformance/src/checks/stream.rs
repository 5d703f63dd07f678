//! Streams.

mod backpressure;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::check::{Check, Checked, Class, Level, Stop};
use crate::components::Kind;
use crate::rig::Rig;
use crate::stage::{Act, Actor, Cast, Opened, Reply, Running, Stage};

const MOMENT: Duration = Duration::from_millis(200);
const LARGEST_WRITE: usize = 256 << 10;
const WINDOW: usize = 1 << 20;
const MOST_CALLS: usize = 64;
/// How long the suite answers nothing.
const STALLED: Duration = Duration::from_secs(2);
/// How late each call is answered, where answers are waited for.
const LATE: Duration = Duration::from_millis(30);

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "stream.bounded-in-flight",
        level: Level::Must,
        class: Class::Scenario,
        title: "waits when nobody answers",
        why: "Libraries send without a bound; the receiver pays with its memory.",
        seen: "No call of the Ui and no write is answered during a run with much output, until nothing new comes.",
        budgets: &[],
        mutants: &["unbounded-say", "fire-and-forget-write"],
        lasts: Duration::from_secs(1),
        run: |rig| Box::pin(bounded_in_flight(rig)),
    },
    Check {
        id: "stream.resumes",
        level: Level::Must,
        class: Class::Scenario,
        title: "goes on when answers come again",
        why: "A host that is busy answers late, not never.",
        seen: "The same for two seconds, then everything is answered; what came is compared with an undisturbed run.",
        budgets: &[],
        mutants: &["gives-up-when-stalled", "resends-chunk"],
        lasts: STALLED,
        run: |rig| Box::pin(resumes(rig)),
    },
    Check {
        id: "stream.outcome-after-output",
        level: Level::Must,
        class: Class::Scenario,
        title: "answers after all it said was heard",
        why: "What comes after the outcome is lost: the last lines, which say why.",
        seen: "Calls of the Ui and writes are answered late; those unanswered at the outcome are counted.",
        budgets: &[],
        mutants: &["outcome-overtakes-output"],
        lasts: MOMENT,
        run: |rig| Box::pin(outcome_after_output(rig)),
    },
    Check {
        id: "stream.chunk-size",
        level: Level::Must,
        class: Class::Scenario,
        title: "writes in small pieces",
        why: "A window of 1 MiB is of no use to writes that are larger.",
        seen: "The largest write of a run with much output.",
        budgets: &[],
        mutants: &["one-giant-write"],
        lasts: MOMENT,
        run: |rig| Box::pin(chunk_size(rig)),
    },
    Check {
        id: "stream.end-exactly-once",
        level: Level::Must,
        class: Class::Scenario,
        title: "ends each stream once",
        why: "The end is what says that all bytes are there.",
        seen: "The calls on every stream that the suite lends or gives are put in order.",
        budgets: &[],
        mutants: &["forgets-end", "double-end", "write-after-end"],
        lasts: MOMENT,
        run: |rig| Box::pin(end_exactly_once(rig)),
    },
    Check {
        id: "stream.backpressure",
        level: Level::Should,
        class: Class::Scenario,
        title: "takes no more than it can pass on",
        why: "Who takes an image faster than the machine behind it holds all of it in memory.",
        seen: "64 MiB are written into the standard input of a command that does not read, until no answer comes.",
        budgets: &[],
        mutants: &["buffers-everything"],
        lasts: Duration::from_secs(1),
        run: |rig| Box::pin(backpressure::withheld(rig)),
    },
    Check {
        id: "stream.write-failure-surfaces",
        level: Level::Must,
        class: Class::Scenario,
        title: "fails when a write failed",
        why: "A file that is half there counts as whole if nobody says so.",
        seen: "The first write of a run throws, and the last of another; of a communicator, the first of a command's output. The outcomes are read.",
        budgets: &[],
        mutants: &["swallows-write-error", "swallows-late-write-error", "swallows-output-error"],
        lasts: MOMENT,
        run: |rig| Box::pin(write_failure_surfaces(rig)),
    },
];

/// A run with much output; of a communicator it is a command's.
async fn much(rig: &Rig, cast: &Cast, actor: &Actor, stage: &Rc<Stage>) -> Result<Running, Stop> {
    if actor.kind == Kind::Communicator
        && actor.part.shell.is_some()
        && let Some(opened) = Opened::open(rig, cast, actor).await?
    {
        let started = opened.start(rig, stage, "head -c 3000000 /dev/zero", false).await;
        let command = started.map_err(|error| Stop::rig("a command cannot be run", error.extra))?;
        opened.keep_with(stage);
        return Ok(command.running);
    }
    actor.start(rig, &cast.session, stage, &actor.much()).await
}

fn answer_everything(stage: &Stage, reply: Reply) {
    stage.ui.set(reply);
    stage.writes.set(reply);
}

async fn bounded_in_flight(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let mut sends = false;
        // Each alone: what is held first keeps the other from coming.
        for (what, ui, writes) in
            [("calls of the Ui", Reply::Held, Reply::Now), ("writes", Reply::Now, Reply::Held)]
        {
            let stage = stalled(rig, actor, ui, writes)?;
            let running = much(rig, &cast, actor, &stage).await?;
            stage.diary.quiet(rig.stretch(MOMENT), rig.stretch(Duration::from_secs(10))).await;
            let (calls, bytes, name) = stage.diary.peak();
            answer_everything(&stage, Reply::Now);
            let ended = running.end(rig, Duration::from_secs(60)).await;
            if let Some(ended) = &ended {
                cast.is_well(actor, &ended.outcome);
            }
            if calls == 0 {
                continue;
            }
            sends = true;
            let promise = format!("leaves at most {MOST_CALLS} {what}, and 1 MiB, unanswered");
            let observed = format!("{calls} calls, most of {name}, and {bytes} bytes");
            cast.saw(actor, &promise, calls <= MOST_CALLS && bytes <= WINDOW, observed);
        }
        if !sends {
            cast.lacks(actor, "run that says or writes anything");
        }
    }
    cast.over()
}

async fn resumes(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let said_and_written = undisturbed(rig, &cast, actor).await?;
        // Each alone: what is held first keeps the other from coming.
        let ui = stalled(rig, actor, Reply::Held, Reply::Now)?;
        let writes = stalled(rig, actor, Reply::Now, Reply::Held)?;
        let runs = [much(rig, &cast, actor, &ui).await?, much(rig, &cast, actor, &writes).await?];
        rig.sleep(STALLED).await;
        for (stage, running) in [ui, writes].iter().zip(&runs) {
            answer_everything(stage, Reply::Now);
            let outcome = actor.ends_much(rig, &cast.session, running).await?.outcome;
            cast.saw(actor, "ends well after 2 s without answers", outcome.is_good(), outcome.told());
            let after = counted(stage);
            // What differs from run to run anyway is no loss.
            if after != said_and_written && undisturbed(rig, &cast, actor).await? != said_and_written {
                continue;
            }
            let observed = format!("{said_and_written:?} lines and bytes, then {after:?}");
            cast.saw(
                actor,
                "says and writes as much as without the pause",
                said_and_written == after,
                observed,
            );
        }
    }
    cast.over()
}

/// How much a run says and writes that nothing keeps waiting.
async fn undisturbed(rig: &Rig, cast: &Cast, actor: &Actor) -> Result<(usize, usize), Stop> {
    let stage = actor.stage(rig)?;
    let running = much(rig, cast, actor, &stage).await?;
    actor.ends_much(rig, &cast.session, &running).await?;
    Ok(counted(&stage))
}

fn stalled(rig: &Rig, actor: &Actor, ui: Reply, writes: Reply) -> Result<Rc<Stage>, Stop> {
    let stage = actor.stage(rig)?;
    stage.ui.set(ui);
    stage.writes.set(writes);
    Ok(stage)
}

/// How many lines were said, and how many bytes written.
fn counted(stage: &Stage) -> (usize, usize) {
    (stage.said().lines().count() + stage.diary.lost(), stage.received.borrow().total())
}

async fn outcome_after_output(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        answer_everything(&stage, Reply::After(LATE));
        let ended = cast.runs_well(rig, actor, &stage).await?;
        let observed = format!("{} were not", ended.unanswered);
        cast.saw(actor, "answers when all its calls are answered", ended.unanswered == 0, observed);
    }
    cast.over()
}

/// The calls on each stream, in order.
fn streams(stage: &Stage) -> BTreeMap<usize, Vec<Act>> {
    let mut streams: BTreeMap<usize, Vec<Act>> = BTreeMap::new();
    for act in stage.diary.acts().into_iter().filter(|act| act.name.starts_with("ByteStream.")) {
        streams.entry(act.lane).or_default().push(act);
    }
    streams
}

async fn chunk_size(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        let running = much(rig, &cast, actor, &stage).await?;
        let ended = actor.ends_much(rig, &cast.session, &running).await?;
        cast.is_well(actor, &ended.outcome);
        match stage.diary.acts().iter().map(|act| act.bytes).max().filter(|largest| *largest > 0) {
            Some(largest) => {
                let observed = format!("the largest has {largest} bytes");
                cast.saw(actor, "writes at most 256 KiB at once", largest <= LARGEST_WRITE, observed);
            }
            None => cast.lacks(actor, "run that writes into a stream"),
        }
    }
    cast.over()
}

async fn end_exactly_once(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        let running = much(rig, &cast, actor, &stage).await?;
        let ended = actor.ends_much(rig, &cast.session, &running).await?;
        cast.is_well(actor, &ended.outcome);
        // An end that comes too late is not missed by a hair.
        rig.sleep(MOMENT).await;
        let streams = streams(&stage);
        if streams.is_empty() {
            cast.lacks(actor, "run that is given a stream");
        }
        for acts in streams.values() {
            let names: Vec<&str> = acts.iter().skip(1).map(|act| act.name).collect();
            let ends = names.iter().filter(|name| **name != "ByteStream.write").count();
            let fine = ends == 1 && names.last().is_some_and(|last| *last != "ByteStream.write");
            let observed =
                format!("{} writes, then {:?}", names.len() - ends, &names[names.len().saturating_sub(3)..]);
            cast.saw(actor, "ends a stream once, after its last write", fine, observed);
        }
    }
    cast.over()
}

async fn write_failure_surfaces(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        if actor.kind == Kind::Communicator {
            command_fails_with_its_output(rig, &cast, actor).await?;
            continue;
        }
        let whole = actor.stage(rig)?;
        cast.runs_well(rig, actor, &whole).await?;
        let Some(last) = whole.writes_seen().checked_sub(1) else {
            cast.lacks(actor, "run that writes into a stream");
            continue;
        };
        for (which, at) in [("first", 0), ("last", last)] {
            let stage = actor.stage(rig)?;
            stage.write_fails_at.set(Some(at));
            let outcome = actor.runs(rig, &cast.session, &stage).await?.outcome;
            // Who writes less this time has not come to it.
            if stage.writes_seen() > at {
                let promise = format!("fails when its {which} write failed");
                cast.saw(actor, &promise, outcome.is_failure(), outcome.told());
            }
        }
    }
    cast.over()
}

/// What a communicator writes is the output of commands, which cannot be seen as whole where a write of it failed.
async fn command_fails_with_its_output(rig: &Rig, cast: &Cast, actor: &Actor) -> Checked {
    let Some(opened) = Opened::open(rig, cast, actor).await? else { return Ok(()) };
    for (which, line) in [("standard output", "echo out"), ("standard error", "echo err >&2")] {
        let stage = actor.stage(rig)?;
        stage.write_fails_at.set(Some(0));
        let exit = opened.run_on(rig, &stage, line, None).await?.exit;
        let promise = format!("fails a command of whose {which} a write failed");
        cast.saw(actor, &promise, exit.is_failure(), exit.told());
    }
    Ok(())
}
