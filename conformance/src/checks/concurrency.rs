//! What goes on at the same time: runs beside each other, calls beside runs, and calls behind each other.

use std::time::Duration;

use super::cancel::{begin_long_run, cancel};
use crate::check::{Budget, Check, Checked, Class, Level, Stop};
use crate::components::Kind;
use crate::rig::Rig;
use crate::scenario::Key;
use crate::stage::{Actor, Cast, Offer, Opened, Outcome, Reply, Stage, pour_at_once};
use crate::talk::prepare::timed;
use crate::talk::{Answer, Preparer};

const MOMENT: Duration = Duration::from_millis(600);
const PREPARING: &[Kind] =
    &[Kind::Builder, Kind::Provisioner, Kind::PostProcessor, Kind::DataSource, Kind::Communicator];
const COMMUNICATOR: &[Kind] = &[Kind::Communicator];
/// How long `prepare` may take beside a run, unless it takes long at all times.
const BESIDE: Duration = Duration::from_secs(5);
/// How many writes are made at once: one call less than may be unanswered.
const WRITES: usize = 63;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "conc.control-plane-alive",
        level: Level::Must,
        class: Class::Scenario,
        title: "answers while it works",
        why: "A host prepares all that a template names while the first builds run, and takes a silent plugin for broken.",
        seen: "prepare is called while a run is kept waiting, and while one works; it may take thrice what it takes at other times, or five seconds.",
        budgets: &[Budget { what: "the answer to prepare beside a run", limit: BESIDE }],
        mutants: &["blocks-event-loop"],
        lasts: MOMENT,
        run: |rig| Box::pin(control_plane_alive(rig)),
    },
    Check {
        id: "conc.parallel-runs",
        level: Level::Must,
        class: Class::Scenario,
        title: "runs side by side",
        why: "Builds of one template run at the same time, and one that waits for a person must not hold up the others.",
        seen: "While one run is kept waiting, another one begins and has to end.",
        budgets: &[],
        mutants: &["runs-serialised"],
        lasts: MOMENT,
        run: |rig| Box::pin(parallel_runs(rig)),
    },
    Check {
        id: "conc.ordered",
        level: Level::Must,
        class: Class::Scenario,
        title: "takes calls in their order",
        why: "Who writes into a stream may send the next piece before the last one is answered, and the pieces have no numbers.",
        seen: "Sixty-three writes and the end are sent at once, to a command that shows them and to a file.",
        budgets: &[],
        mutants: &["reorders-calls"],
        lasts: MOMENT,
        run: |rig| Box::pin(ordered(rig)),
    },
];

async fn control_plane_alive(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, PREPARING).await?;
    for actor in &cast.actors {
        let Offer::Prepares(preparer) = &actor.offer else { continue };
        let (_, usual) = prepares(rig, actor, preparer).await?;
        let limit = BESIDE.max(usual * 3);
        let in_time = |answer: &Answer, took| answer.given().is_some() && took <= rig.stretch(limit);
        let promise = |how: &str| format!("the {} answers prepare while a run {how}", actor.title);
        let stage = actor.stage(rig)?;
        match begin_long_run(rig, &cast, actor, &stage).await? {
            Some(waiting) => {
                let (answer, took) = prepares(rig, actor, preparer).await?;
                let held = in_time(&answer, took) && waiting.ended().is_none();
                cast.session.plugin.saw_in(promise("waits"), held, late(&answer, took), limit, took);
                let_go(rig, actor, &stage).await;
                waiting.end(rig, actor.grace()).await;
            }
            None => cast.needs(actor, Key::Slow),
        }
        let working = actor.start(rig, &cast.session, &actor.stage(rig)?, &actor.good()).await?;
        let (answer, took) = prepares(rig, actor, preparer).await?;
        let held = in_time(&answer, took);
        cast.session.plugin.saw_in(promise("works"), held, late(&answer, took), limit, took);
        let ended = actor.ends(rig, &cast.session, &working).await?;
        cast.is_well(actor, &ended.outcome);
    }
    cast.over()
}

async fn prepares(rig: &Rig, actor: &Actor, preparer: &Preparer) -> Result<(Answer, Duration), Stop> {
    let config = actor.stage(rig)?.filled(&actor.good()).to_string();
    Ok(timed(preparer.prepare(rig, config.as_bytes())).await)
}

fn late(answer: &Answer, took: Duration) -> String {
    format!("{}, after {} ms", answer.told(), took.as_millis())
}

/// Ends a run that was begun as a long one.
async fn let_go(rig: &Rig, actor: &Actor, stage: &Stage) {
    if actor.part.slow.is_some() {
        cancel(rig, stage).await;
    }
    for gate in [&stage.ui, &stage.hook, &stage.commands] {
        gate.set(Reply::Now);
    }
}

async fn parallel_runs(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let (one, other) = (actor.stage(rig)?, actor.stage(rig)?);
        // Prepared before: how long that takes beside a run is another rule.
        let object = actor.prepare(rig, &cast.session, &other, &actor.good()).await?;
        let Some(waiting) = begin_long_run(rig, &cast, actor, &one).await? else {
            cast.needs(actor, Key::Slow);
            continue;
        };
        let second = match object {
            Some(object) => {
                object.start(rig, &other).map_err(|error| Stop::rig("a run cannot begin", error))?
            }
            None => actor.start(rig, &cast.session, &other, &actor.good()).await?,
        };
        let ended = second.end(rig, actor.within()).await;
        let held = ended.is_some() && waiting.ended().is_none();
        let observed =
            ended.as_ref().map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
        cast.saw(actor, "ends a run while another one waits", held, observed);
        if let Some(ended) = &ended {
            cast.is_well(actor, &ended.outcome);
        }
        let_go(rig, actor, &one).await;
        waiting.end(rig, actor.grace()).await;
        second.end(rig, actor.grace()).await;
    }
    cast.over()
}

async fn ordered(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    let pieces: Vec<Vec<u8>> =
        (0..WRITES).map(|at| format!("{at}\n").repeat(1 + at * 37 % 500).into_bytes()).collect();
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        to_a_command(rig, &cast, actor, &opened, &pieces).await?;
        let to_a_file =
            async |directory: &str| to_a_file(rig, &cast, actor, &opened, directory, &pieces).await;
        opened.in_directory(rig, &cast, actor, to_a_file).await?;
    }
    cast.over()
}

async fn to_a_command(rig: &Rig, cast: &Cast, actor: &Actor, opened: &Opened, pieces: &[Vec<u8>]) -> Checked {
    let stage = actor.stage(rig)?;
    let command = match opened.start(rig, &stage, "cat", true).await {
        Ok(command) => command,
        Err(error) => return cast.session.plugin.lacks("a command can be run", error.extra),
    };
    let Some(stdin) = &command.stdin else {
        return cast.session.plugin.lacks("a command can be given an input", "it has none");
    };
    let sent = tokio::time::timeout(rig.stretch(actor.within()), pour_at_once(stdin, pieces)).await;
    if !matches!(sent, Ok(Ok(Outcome::Done))) {
        stage.cancel();
    }
    let ended = actor.ends(rig, &cast.session, &command.running).await?;
    let came = command.stdout.bytes.take().into_kept();
    let observed = format!("{}; {}", ended.outcome.told(), in_order(pieces, &came));
    let held = came == pieces.concat();
    cast.saw(actor, "hands writes to a command in their order", held, observed);
    Ok(())
}

async fn to_a_file(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    opened: &Opened,
    directory: &str,
    pieces: &[Vec<u8>],
) -> Checked {
    let path = format!("{directory}/pieces");
    let sent = async { pour_at_once(&opened.upload(&path, -1).await?, pieces).await };
    let sent = tokio::time::timeout(rig.stretch(actor.within()), sent).await;
    let told = match sent {
        Ok(Ok(outcome)) => outcome.told(),
        Ok(Err(error)) => format!("an exception: {}", error.extra),
        Err(_) => "no answer came".to_owned(),
    };
    let came = opened.download(&actor.stage(rig)?, &path).await.map(|(_, came)| came).unwrap_or_default();
    let held = came == pieces.concat();
    let observed = format!("{told}; {}", in_order(pieces, &came));
    cast.saw(actor, "puts writes into a file in their order", held, observed);
    Ok(())
}

/// How far what came is what was sent.
fn in_order(pieces: &[Vec<u8>], came: &[u8]) -> String {
    let mut rest = came;
    let fit = pieces.iter().take_while(|piece| match rest.strip_prefix(&piece[..]) {
        Some(after) => {
            rest = after;
            true
        }
        None => false,
    });
    format!("the first {} of {} came in their order", fit.count(), pieces.len())
}
