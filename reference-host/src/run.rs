//! [`Ready`] → [`Summary`]: the whole story of a run.

mod look_up;
mod post_process;

use std::sync::Arc;
use std::time::Instant;

use packwire_wire::{
    ArtifactInfo, BuildLent, BuildOutcome, Built, Context, OfferedHook, OnError, RemoteArtifact,
};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, Kind};
use crate::events::{self, Events};
use crate::failure::Failure;
use crate::plugins::{Plugins, Running};
use crate::prepare::{Ready, ReadyBuild, Taken};
use crate::provision::{Around, Provisioning, generated_data};
use crate::services::{Services, Stock};
use crate::template::{Data, Learned};
use crate::ui::{BuildResult, BuildUi, Summary, Terminal};
use post_process::{Made, PostProcessing, Processed, destroy};

pub use look_up::{NotFound, look_up};

/// What all builds of a run share.
#[derive(Clone)]
pub struct Run {
    /// Where communicators are looked up.
    pub catalog: Arc<Catalog>,
    /// The processes.
    pub plugins: Arc<Plugins>,
    /// What is lent to runs beside plugins.
    pub stock: Arc<Stock>,
    /// Where builds print.
    pub terminal: Arc<Terminal>,
    /// What components may know; the build's own names are filled in.
    pub context: Context,
    /// What data sources have yielded.
    pub data: Arc<Data>,
    /// How many builds run at a time; 0 means all.
    pub at_a_time: usize,
    /// Cancels all builds.
    pub cancelled: CancellationToken,
}

/// Runs every build, side by side; they begin in the order of the template.
pub async fn run(ready: Ready, run: &Run) -> Summary {
    let begun = Instant::now();
    let at_a_time = if run.at_a_time == 0 { Semaphore::MAX_PERMITS } else { run.at_a_time };
    let turns = Arc::new(Semaphore::new(at_a_time));
    let mut building = JoinSet::new();
    for (index, build) in ready.builds.into_iter().enumerate() {
        let run = run.clone();
        let turn = turns.clone().acquire_owned().await;
        let _handle = building.spawn(async move {
            let result = run.build(index, build).await;
            drop(turn);
            (index, result)
        });
    }
    let mut results = building.join_all().await;
    results.sort_by_key(|(index, _)| *index);
    Summary { builds: results.into_iter().map(|(_, result)| result).collect(), took: begun.elapsed() }
}

impl Run {
    async fn build(&self, index: usize, build: ReadyBuild) -> BuildResult {
        let begun = Instant::now();
        let name = build.name.clone();
        let ui = BuildUi::new(self.terminal.clone(), &name, index);
        let made =
            if self.cancelled.is_cancelled() { Err(Failure::Cancelled) } else { self.make(&ui, build).await };
        let artifacts = made.map_err(|failure| failure.to_string());
        let result = BuildResult { name, took: begun.elapsed(), artifacts };
        result.print(&self.terminal, index);
        result
    }

    /// One build: the builder runs, calls the provisioners when its machine is up, and then comes what becomes of the
    /// artifact. Yields how the artifacts describe themselves.
    async fn make(&self, ui: &BuildUi, mut build: ReadyBuild) -> Result<Vec<String>, Failure> {
        let cancelled = self.cancelled.child_token();
        let (build_name, builder_type) = (build.name.clone(), build.builder.name.text.clone());
        let about = Map::from_iter([
            ("BuildName".to_owned(), json!(build_name)),
            ("BuilderType".to_owned(), json!(builder_type)),
            ("PackerRunUUID".to_owned(), json!(self.context.run_id)),
        ]);
        let context = Context { build_name, builder_type, ..self.context.clone() };
        let services = self.services(ui, context, cancelled.clone());
        let hooks = std::mem::take(&mut build.hooks);
        let events = Events::new(hooks, about, ui.clone(), services.clone(), cancelled.clone());
        events.tell(events::BUILD_STARTED, None).await;
        let around = Around {
            events: events.clone(),
            data: self.data.clone(),
            on_error: self.context.on_error,
            output_schema: build.builder.output_schema().await.into(),
            ui: ui.clone(),
            services,
            cancelled,
        };
        let made = self.make_with(build, around).await;
        events.tell(events::BUILD_FINISHED, Some(events::word(&made))).await;
        made
    }

    async fn make_with(&self, build: ReadyBuild, around: Around) -> Result<Vec<String>, Failure> {
        let ReadyBuild { name, builder, hooks: _, steps, sequences } = build;
        let Around { ui, services, cancelled, .. } = &around;
        if cancelled.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        let who = builder.who();
        let provisioning = Provisioning::new(steps, around.clone());
        let lent = BuildLent {
            ui: ui.lend(cancelled.clone()),
            hook: OfferedHook::new(provisioning.clone()),
            environment: services.offer(),
            cancellation: cancelled.clone(),
        };
        let learned = Learned { data: Some(&self.data), generated: None };
        let taken = builder.take(learned, ui).await;
        let Taken { running, prepared, user } = taken.map_err(|refusal| Failure::refused(&who, refusal))?;
        services.used_by(user);
        let built = running.run_until(Kind::Builder, prepared.run(lent), cancelled, ui.heard()).await;
        services.close().await;
        let built = match built {
            None => return Err(Failure::Stuck { who, grace: running.grace(Kind::Builder).as_secs() }),
            Some(Ok(built)) => built,
            Some(Err(broken)) => {
                drop(prepared.close().await);
                return Err(Failure::Broken { who, why: running.explain(broken).await });
            }
        };
        drop(prepared.close().await);
        let (made, generated) = finished(who, built, &provisioning, running, &around).await?;
        around.mask(&generated);
        let Some(made) = made else {
            if !sequences.is_empty() {
                ui.message("There is no artifact, and nothing to do for its post-processors");
            }
            return Ok(Vec::new());
        };
        let post_processing = PostProcessing { build: &name, around: &around, generated: &generated };
        told(ui, post_processing.process(made, &sequences).await).await
    }
}

impl Run {
    /// What is lent to a builder, and what others are lent from.
    fn services(&self, ui: &BuildUi, context: Context, stop: CancellationToken) -> Services {
        let (catalog, plugins) = (self.catalog.clone(), self.plugins.clone());
        Services::of_builder(catalog, plugins, self.stock.clone(), ui.clone(), context, stop)
    }
}

/// What a build that has answered is worth: its artifact, if it made one, and its generated data. What it made
/// although it failed is wanted by nobody.
async fn finished(
    who: String,
    built: Built<RemoteArtifact>,
    provisioning: &Provisioning,
    running: Arc<Running>,
    around: &Around,
) -> Result<(Option<Made>, Map<String, Value>), Failure> {
    let Built { outcome, generated_data: data } = built;
    let artifact = match outcome {
        BuildOutcome::Cancelled => return Err(provisioning.failure().unwrap_or(Failure::Cancelled)),
        // The provisioners' own failure says more than what the builder makes of it.
        BuildOutcome::Failed(diagnostics) => {
            return Err(provisioning.failure().unwrap_or_else(|| Failure::said(&who, diagnostics)));
        }
        BuildOutcome::Nothing => None,
        BuildOutcome::Artifact(artifact) => Some(artifact),
    };
    let generated = judged(&who, &data, provisioning);
    let Some(artifact) = artifact else { return Ok((None, generated?)) };
    let finished = match generated {
        Ok(generated) => {
            let made = Made::describe(who.clone(), artifact.clone(), running.clone()).await;
            made.map(|made| (Some(made), generated))
        }
        Err(failure) => Err(failure),
    };
    if finished.is_err()
        && around.on_error != OnError::Abort
        && let Err(why) = destroy(&who, &artifact, &running, &around.ui).await
    {
        around.ui.error(&why.to_string());
    }
    finished
}

/// The generated data of a builder that says it is done, unless it has done what it must not.
fn judged(who: &str, data: &str, provisioning: &Provisioning) -> Result<Map<String, Value>, Failure> {
    if provisioning.is_forgotten() {
        return Err(Failure::bug(who, "it is done, and never asked for its provisioners"));
    }
    if let Some(failure) = provisioning.failure() {
        return Err(failure);
    }
    generated_data(data).map_err(|why| Failure::bug(who, &why))
}

/// The descriptions of these artifacts; one that a post-processor handed on as it was is the same.
fn listed_once(artifacts: impl Iterator<Item = ArtifactInfo>) -> Vec<String> {
    let mut listed: Vec<ArtifactInfo> = Vec::new();
    for artifact in artifacts {
        let is_same = |other: &ArtifactInfo| {
            (&other.builder_id, &other.id, &other.description)
                == (&artifact.builder_id, &artifact.id, &artifact.description)
        };
        if !listed.iter().any(is_same) {
            listed.push(artifact);
        }
    }
    listed.into_iter().map(|artifact| artifact.description).collect()
}

/// The descriptions of what is there. The summary tells of no artifact of a build that failed, so that is told here.
async fn told(ui: &BuildUi, processed: Processed) -> Result<Vec<String>, Failure> {
    let Processed { artifacts, failures } = processed;
    for made in &artifacts {
        made.close().await;
    }
    let descriptions = listed_once(artifacts.into_iter().map(|made| made.info));
    let Some(failure) = Failure::all(failures) else { return Ok(descriptions) };
    for description in descriptions {
        ui.message(&format!("It stays: {description}"));
    }
    Err(failure)
}
