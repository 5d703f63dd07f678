//! Artifacts.

mod state;

use std::time::Duration;

use packwire_schema::artifact_capnp::artifact;

use crate::check::{Check, Checked, Class, Level, Stop};
use crate::components::{Kind, text};
use crate::rig::Rig;
use crate::stage::{Actor, Cast, Outcome, read_outcome};

const MOMENT: Duration = Duration::from_millis(200);
const QUICK: Duration = Duration::from_secs(10);
/// Destroying may take as long as making: no limit speaks of it.
const DESTROYS: Duration = Duration::from_secs(60);
const MAKERS: &[Kind] = &[Kind::Builder, Kind::PostProcessor];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "artifact.stable",
        level: Level::Must,
        class: Class::Scenario,
        title: "describes its artifact the same way each time",
        why: "A host and its post-processors all ask, and all have to mean the same thing.",
        seen: "The artifact of a run is described three times.",
        budgets: &[],
        mutants: &["artifact-id-changes", "artifact-extensions-change"],
        lasts: MOMENT,
        run: |rig| Box::pin(stable(rig)),
    },
    state::STATE,
    Check {
        id: "artifact.outlives-build",
        level: Level::Must,
        class: Class::Scenario,
        title: "keeps its artifact after the run",
        why: "Post-processors work on it long after the build was closed.",
        seen: "What was lent is revoked, the object closed and released, then the artifact described.",
        budgets: &[],
        mutants: &["artifact-dies-with-build"],
        lasts: MOMENT,
        run: |rig| Box::pin(outlives_build(rig)),
    },
    Check {
        id: "artifact.destroy-twice",
        level: Level::Must,
        class: Class::Scenario,
        title: "destroys twice without complaint",
        why: "A host that was interrupted destroys again to be sure.",
        seen: "destroy is called twice; both outcomes are read.",
        budgets: &[],
        mutants: &["destroy-not-idempotent"],
        lasts: MOMENT,
        run: |rig| Box::pin(destroy_twice(rig)),
    },
    Check {
        id: "artifact.destroy-real",
        level: Level::Must,
        class: Class::Scenario,
        title: "destroys its files",
        why: "Who asks for a file to go needs the room that it took.",
        seen: "The files that describe lists are looked for before and after destroy.",
        budgets: &[],
        mutants: &["destroy-lies"],
        lasts: MOMENT,
        run: |rig| Box::pin(destroy_real(rig)),
    },
];

/// What is missing where no run makes one.
const A_RUN: &str = "run that yields an artifact";

/// What an artifact says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Info {
    builder_id: String,
    id: String,
    description: String,
    files: Vec<String>,
    extensions: String,
}

impl Info {
    async fn of(rig: &Rig, artifact: &artifact::Client) -> Result<Self, String> {
        let answer = artifact.describe_request().send().promise;
        let answer = tokio::time::timeout(rig.stretch(QUICK), answer).await;
        let answer = answer.map_err(|_| "no answer came".to_owned())?;
        let read = || {
            let answer = answer?;
            let info = answer.get()?.get_info()?;
            let files = info.get_files()?.iter().map(text).collect::<capnp::Result<_>>()?;
            Ok(Self {
                builder_id: text(info.get_builder_id())?,
                id: text(info.get_id())?,
                description: text(info.get_description())?,
                files,
                extensions: text(info.get_extensions())?,
            })
        };
        read().map_err(|error: capnp::Error| format!("it threw: {}", error.extra))
    }
}

/// Runs a component; its artifact, if it is to yield one.
async fn made(rig: &Rig, cast: &Cast, actor: &Actor) -> Result<Option<artifact::Client>, Stop> {
    if actor.artifact == Some(false) {
        cast.lacks(actor, A_RUN);
        return Ok(None);
    }
    let ended = actor.runs(rig, &cast.session, &actor.stage(rig)?).await?;
    match ended.outcome.artifact() {
        Some(artifact) => Ok(Some(artifact.clone())),
        None if makes_none(actor, &ended.outcome) => {
            cast.lacks(actor, A_RUN);
            Ok(None)
        }
        None => cast.session.plugin.lacks(
            format!("the {} makes an artifact, so that the rule can be tried", actor.title),
            ended.outcome.told(),
        ),
    }
}

/// Whether it was never said that there would be one.
fn makes_none(actor: &Actor, outcome: &Outcome) -> bool {
    actor.is_example() && outcome.is_good()
}

async fn stable(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, MAKERS).await?;
    for actor in &cast.actors {
        let Some(artifact) = made(rig, &cast, actor).await? else { continue };
        let first = Info::of(rig, &artifact).await;
        let named = first.as_ref().is_ok_and(|info| !info.builder_id.is_empty() && !info.id.is_empty());
        cast.saw(actor, "gives its artifact a builderId and an id", named, format!("{first:?}"));
        let others = [Info::of(rig, &artifact).await, Info::of(rig, &artifact).await];
        let same = others.iter().all(|other| *other == first);
        cast.saw(actor, "describes it three times alike", same, format!("{first:?}, then {others:?}"));
    }
    cast.over()
}

async fn outlives_build(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, MAKERS).await?;
    for actor in &cast.actors {
        if actor.artifact == Some(false) {
            cast.lacks(actor, A_RUN);
            continue;
        }
        let stage = actor.stage(rig)?;
        let Some(object) = actor.prepare(rig, &cast.session, &stage, &actor.good()).await? else { continue };
        let running = object.start(rig, &stage).map_err(|error| Stop::rig("a run cannot begin", error))?;
        let ended = actor.ends(rig, &cast.session, &running).await?;
        object.close(rig).await;
        drop((object, running));
        rig.sleep(MOMENT).await;
        if ended.outcome.artifact().is_none() && makes_none(actor, &ended.outcome) {
            cast.lacks(actor, A_RUN);
            continue;
        }
        let told = match ended.outcome.artifact() {
            Some(artifact) => Info::of(rig, artifact).await,
            None => Err(ended.outcome.told()),
        };
        cast.saw(
            actor,
            "describes its artifact after the build was closed",
            told.is_ok(),
            format!("{told:?}"),
        );
    }
    cast.over()
}

async fn destroy(rig: &Rig, actor: &Actor, artifact: &artifact::Client) -> Result<Outcome, Stop> {
    let stage = actor.stage(rig)?;
    let mut request = artifact.destroy_request();
    request.get().set_ui(stage.lend_ui());
    request.get().set_cancellation(stage.lend_cancellation());
    let within = rig.stretch(actor.within().max(DESTROYS));
    let answer = tokio::time::timeout(within, request.send().promise).await;
    stage.revoke();
    let Ok(answer) = answer else { return Ok(Outcome::Threw("no answer came".to_owned())) };
    let outcome = answer.and_then(|answer| read_outcome(answer.get()?.get_outcome()?));
    Ok(outcome.unwrap_or_else(|error| Outcome::Threw(error.extra)))
}

async fn destroy_twice(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, MAKERS).await?;
    for actor in &cast.actors {
        let Some(artifact) = made(rig, &cast, actor).await? else { continue };
        for time in ["the first time", "the second time"] {
            let outcome = destroy(rig, actor, &artifact).await?;
            let promise = format!("destroys its artifact {time}");
            cast.saw(actor, &promise, matches!(outcome, Outcome::Done), outcome.told());
        }
    }
    cast.over()
}

fn is_of_input(actor: &Actor, path: &str) -> bool {
    let mut names = actor.part.input.iter().flat_map(|input| input.files.keys());
    names.any(|name| std::path::Path::new(path).ends_with(name))
}

async fn destroy_real(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, MAKERS).await?;
    for actor in &cast.actors {
        let Some(artifact) = made(rig, &cast, actor).await? else { continue };
        let mut files = Info::of(rig, &artifact).await.map(|info| info.files).unwrap_or_default();
        // What was handed on belongs to whoever made it.
        files.retain(|path| !is_of_input(actor, path));
        let there = |path: &&String| std::path::Path::new(path.as_str()).exists();
        if files.is_empty() {
            cast.lacks(actor, "artifact with files");
            continue;
        }
        let missing: Vec<&String> = files.iter().filter(|path| !there(path)).collect();
        cast.saw(actor, "lists files that are there", missing.is_empty(), format!("missing: {missing:?}"));
        destroy(rig, actor, &artifact).await?;
        let left: Vec<&String> = files.iter().filter(there).collect();
        cast.saw(actor, "destroys the files that it listed", left.is_empty(), format!("left: {left:?}"));
    }
    cast.over()
}
