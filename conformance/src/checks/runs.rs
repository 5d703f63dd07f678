//! Runs: what holds for every kind.

use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::check::{Check, Checked, Class, Level, Stop};
use crate::checks::comm::run_a_command;
use crate::components::Kind;
use crate::rig::{Child, Rig};
use crate::scenario::Key;
use crate::stage::{Actor, Cast, HookAnswer, Lent, Outcome, Reply, Stage, TEXT};

const MOMENT: Duration = Duration::from_millis(200);
/// The kinds that prepare.
pub(super) const PREPARING: &[Kind] =
    &[Kind::Builder, Kind::Provisioner, Kind::PostProcessor, Kind::DataSource, Kind::Communicator];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "run.once",
        level: Level::Must,
        class: Class::Scenario,
        title: "runs a prepared object once",
        why: "Two runs of one object would share what they make; who tries again prepares again.",
        seen: "run of one object is called again when it has ended well; of another twice at once.",
        budgets: &[],
        mutants: &["double-run", "double-run-at-once"],
        lasts: MOMENT,
        run: |rig| Box::pin(once(rig)),
    },
    Check {
        id: "run.independent",
        level: Level::Must,
        class: Class::Scenario,
        title: "keeps prepared objects apart",
        why: "A template prepares all its builds before the first of them runs.",
        seen: "Two objects are prepared with configurations whose ${work} are different directories, then run. Both directories are \
               looked for in what each run says, calls and writes, in its outcome and artifact, and in the files below its \
               own; new files below the other one count as well. Runs that show neither are not judged.",
        budgets: &[],
        mutants: &["global-config"],
        lasts: MOMENT,
        run: |rig| Box::pin(independent(rig)),
    },
    Check {
        id: "outcome.never-unset",
        level: Level::Must,
        class: Class::Scenario,
        title: "says how its runs ended",
        why: "An outcome that was forgotten is read as something, by somebody.",
        seen: "The outcomes of runs that end well, and of runs that are made to fail.",
        budgets: &[],
        mutants: &["forgotten-outcome"],
        lasts: MOMENT,
        run: |rig| Box::pin(never_unset(rig)),
    },
    Check {
        id: "error.expected-is-data",
        level: Level::Must,
        class: Class::Scenario,
        title: "fails with an outcome, not with an exception",
        why: "An exception is a bug report; what can be expected to fail has words for the user.",
        seen: "The run that the scenario lets fail, a hook that fails, a machine that breaks.",
        budgets: &[],
        mutants: &["exception-for-failed-work"],
        lasts: MOMENT,
        run: |rig| Box::pin(expected_is_data(rig)),
    },
    Check {
        id: "robust.null-arguments",
        level: Level::Must,
        class: Class::Scenario,
        title: "bears missing capabilities",
        why: "A host with a bug must not take down the plugin's other runs.",
        seen: "A run in which every capability that is lent is null; then a good one.",
        budgets: &[],
        mutants: &["panics-on-null-capability"],
        lasts: MOMENT,
        run: |rig| Box::pin(null_arguments(rig)),
    },
    Check {
        id: "limits.message-out",
        level: Level::Must,
        class: Class::Scenario,
        title: "sends no giant messages",
        why: "Above 64 MiB every library breaks the link, and below that memory is what breaks.",
        seen: "The largest message of a run with much output.",
        budgets: &[],
        mutants: &["giant-result"],
        lasts: MOMENT,
        run: |rig| Box::pin(message_out(rig)),
    },
    Check {
        id: "text.unicode",
        level: Level::Must,
        class: Class::Scenario,
        title: "keeps texts as they are",
        why: "Names, paths and messages are written by people, in all scripts, and compared by programs.",
        seen: "A run whose configuration holds a text with several scripts, combining marks and an emoji, which has to come out unchanged.",
        budgets: &[],
        mutants: &["ascii-only"],
        lasts: MOMENT,
        run: |rig| Box::pin(unicode(rig)),
    },
];

/// The largest message that may be sent.
const LARGEST: usize = 8 << 20;

/// The children that the plugin has while its components are run, one after another.
pub(super) async fn children_in_runs(rig: &Rig, cast: &Cast) -> Result<Vec<Child>, Stop> {
    let watch = cast.watch_children(rig);
    for actor in &cast.actors {
        cast.runs_well(rig, actor, &actor.stage(rig)?).await?;
        run_a_command(rig, cast, actor).await?;
    }
    let children = watch.seen();
    if children.is_empty() {
        return Err(Stop::NotApplicable("no child of the plugin was seen in its runs".to_owned()));
    }
    Ok(children)
}

async fn once(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, PREPARING).await?;
    for actor in &cast.actors {
        let failed = |error| Stop::rig("a run cannot begin", error);
        let stage = actor.stage(rig)?;
        let Some(object) = actor.prepare(rig, &cast.session, &stage, &actor.good()).await? else { continue };
        let first = object.start(rig, &stage).map_err(failed)?;
        let ended = actor.ends(rig, &cast.session, &first).await?;
        if !cast.is_well(actor, &ended.outcome) {
            continue;
        }
        let second = object.start(rig, &actor.stage(rig)?).map_err(failed)?;
        let outcome = actor.ends(rig, &cast.session, &second).await?.outcome;
        cast.saw(actor, "fails the second run of one object", outcome.is_failure(), outcome.told());
        at_once(rig, &cast, actor).await?;
    }
    cast.over()
}

/// Two runs of one object are begun before either has ended; which of them comes first is the plugin's business.
async fn at_once(rig: &Rig, cast: &Cast, actor: &Actor) -> Checked {
    let failed = |error| Stop::rig("a run cannot begin", error);
    let stages = [actor.stage(rig)?, actor.stage(rig)?];
    let Some(object) = actor.prepare(rig, &cast.session, &stages[0], &actor.good()).await? else {
        return Ok(());
    };
    let runs =
        [object.start(rig, &stages[0]).map_err(failed)?, object.start(rig, &stages[1]).map_err(failed)?];
    let first = actor.ends(rig, &cast.session, &runs[0]).await?.outcome;
    let second = actor.ends(rig, &cast.session, &runs[1]).await?.outcome;
    let observed = format!("{}; {}", first.told(), second.told());
    cast.saw(actor, "fails one of two runs at once", first.is_failure() || second.is_failure(), observed);
    Ok(())
}

async fn independent(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, PREPARING).await?;
    for actor in &cast.actors {
        if !actor.good().to_string().contains("${work}") {
            cast.lacks(actor, "`run` with ${work}");
            continue;
        }
        let stages = [actor.stage(rig)?, actor.stage(rig)?];
        let shown = shown_directories(rig, &cast, actor, &stages).await?;
        if shown.iter().all(|shown| !shown.own && !shown.other) {
            cast.lacks(
                actor,
                "`run` that shows its ${work} in its Ui, calls, streams, outcome, artifact or files",
            );
            continue;
        }
        for (at, shown) in (1..).zip(&shown) {
            let promise = format!("works in run {at} with the configuration of this run");
            cast.saw(actor, &promise, shown.own && !shown.other, shown.told());
        }
    }
    cast.over()
}

/// Of which of two directories something was seen in a run.
struct Shown {
    own: bool,
    other: bool,
}

impl Shown {
    fn told(&self) -> String {
        let word = |seen: bool| if seen { "is there" } else { "is not" };
        let (own, other) = (word(self.own), word(self.other));
        format!(
            "of the two ${{work}}, looked for in its Ui, calls, streams, outcome, artifact and files, that of this run {own}, \
             that of the other run {other}"
        )
    }
}

/// Prepares the good configuration twice, then runs both; each has a directory of its own.
async fn shown_directories(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    stages: &[Rc<Stage>; 2],
) -> Result<Vec<Shown>, Stop> {
    let failed = |error| Stop::rig("a run cannot begin", error);
    let mut objects = Vec::new();
    for stage in stages {
        objects.extend(actor.prepare(rig, &cast.session, stage, &actor.good()).await?);
    }
    let mut shown = Vec::new();
    for ((object, own), other) in objects.iter().zip(stages).zip(stages.iter().rev()) {
        let before = other.files_made();
        let running = object.start(rig, own).map_err(failed)?;
        let ended = actor.ends(rig, &cast.session, &running).await?;
        cast.is_well(actor, &ended.outcome);
        let traces = own.traces(&ended).await;
        let is_in = |stage: &Stage| traces.contains(&stage.directory.display().to_string());
        shown.push(Shown { own: is_in(own), other: is_in(other) || other.files_made() != before });
    }
    Ok(shown)
}

async fn never_unset(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let good = cast.runs_well(rig, actor, &actor.stage(rig)?).await?.outcome;
        let mut outcomes = vec![("that nobody disturbs", good)];
        let stage = actor.stage(rig)?;
        disturb(&stage);
        outcomes.push(("that is disturbed", actor.runs(rig, &cast.session, &stage).await?.outcome));
        for (which, outcome) in outcomes {
            let set = !matches!(outcome, Outcome::Unset | Outcome::Unknown(_));
            cast.saw(actor, &format!("says how a run ended {which}"), set, outcome.told());
        }
    }
    cast.over()
}

/// Lets hook and machine fail.
fn disturb(stage: &Stage) {
    stage.provisioning.set(HookAnswer::Failed);
    stage.breaks_at.set(Some(0));
}

async fn expected_is_data(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        // That hooks tell of a failure is a rule of its own.
        let fails = actor.part.fails.as_ref().filter(|_| actor.kind != Kind::Hook);
        let stage = actor.stage(rig)?;
        disturb(&stage);
        let outcome = actor.runs(rig, &cast.session, &stage).await?.outcome;
        if stage.diary.count("Hook.run") + stage.machine_steps() > 0 {
            cast.saw(actor, "throws nothing when hook and machine fail", !outcome.threw(), outcome.told());
        } else if cast.is_well(actor, &outcome) && fails.is_none() {
            cast.lacks(actor, "run with a hook or a machine, or `fails`");
        }
        if let Some(fails) = fails {
            let running = actor.start(rig, &cast.session, &actor.stage(rig)?, fails).await?;
            let outcome = actor.ends(rig, &cast.session, &running).await?.outcome;
            cast.saw(actor, "fails as the scenario says", outcome.is_failure(), outcome.told());
        }
    }
    cast.over()
}

async fn null_arguments(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let (stage, good) = (actor.stage(rig)?, actor.good());
        let running = actor.start_with(rig, &cast.session, &stage, &good, Lent::Nothing).await?;
        let ended = running.end(rig, actor.within()).await;
        let answered = ended.is_some();
        let observed = ended.map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
        cast.saw(actor, "answers a run without capabilities", answered, observed);
        rig.sleep(MOMENT).await;
        let alive = cast.session.plugin.ended().is_none() && cast.session.host.open_connections() > 0;
        if !cast.saw(
            actor,
            "goes on afterwards",
            alive,
            if alive { "it runs" } else { "it has ended" }.to_owned(),
        ) {
            break;
        }
        let outcome = actor.runs(rig, &cast.session, &actor.stage(rig)?).await?.outcome;
        cast.saw(actor, "does its next run well", outcome.is_good(), outcome.told());
    }
    cast.over()
}

async fn message_out(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let running = actor.start(rig, &cast.session, &actor.stage(rig)?, &actor.much()).await?;
        let ended = actor.ends_much(rig, &cast.session, &running).await?;
        cast.is_well(actor, &ended.outcome);
    }
    let largest = cast.session.host.largest_from_plugin();
    cast.session.plugin.saw(
        "no message is larger than 8 MiB",
        largest <= LARGEST,
        format!("the largest has {largest} bytes"),
    );
    cast.over()
}

async fn unicode(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let config = match (&actor.part.echo, actor.kind) {
            (Some(echo), _) => echo.clone(),
            (None, Kind::Hook | Kind::Command) if actor.speaks_text() => Value::Null,
            _ => {
                cast.needs(actor, Key::Echo);
                continue;
            }
        };
        let stage = actor.stage(rig)?;
        stage.ui.set(Reply::Now);
        let running = actor.start(rig, &cast.session, &stage, &config).await?;
        let ended = actor.ends(rig, &cast.session, &running).await?;
        let traces = stage.traces(&ended).await;
        let kept = traces.contains(TEXT);
        let observed =
            if kept { "it came".to_owned() } else { format!("it came nowhere; {}", ended.outcome.told()) };
        cast.saw(actor, &format!("yields {TEXT:?} as it was given"), kept, observed);
    }
    cast.over()
}
