//! [`Ready`] → [`Summary`]: the whole story of a run.

use std::sync::Arc;
use std::time::Instant;

use packwire_wire::{
    ArtifactInfo, BuildLent, BuildOutcome, Built, Context, Diagnostic, OfferedHook, RemoteArtifact, limits,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::failure::Failure;
use crate::grace::within_grace;
use crate::plugins::{Plugins, Running};
use crate::prepare::{Ready, ReadyBuild};
use crate::provision::{Provisioning, generated_data};
use crate::services::{Services, Stock};
use crate::ui::{BuildResult, BuildUi, Summary, Terminal};

/// What all builds of a run share.
#[derive(Clone)]
pub struct Run {
    /// Where communicators are looked up.
    pub catalog: Arc<Catalog>,
    /// The processes.
    pub plugins: Arc<Plugins>,
    /// What is lent to builds beside plugins.
    pub stock: Arc<Stock>,
    /// Where builds print.
    pub terminal: Arc<Terminal>,
    /// What components may know; the build's own names are filled in.
    pub context: Context,
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
        let artifacts = made
            .map(|artifact| artifact.map(|info| info.description).into_iter().collect())
            .map_err(|failure| failure.to_string());
        let result = BuildResult { name, took: begun.elapsed(), artifacts };
        result.print(&self.terminal, index);
        result
    }

    /// One build: the builder runs, and calls the provisioners when its machine is up.
    async fn make(&self, ui: &BuildUi, build: ReadyBuild) -> Result<Option<ArtifactInfo>, Failure> {
        let ReadyBuild { name, builder, provisioners } = build;
        let who = format!("builder {}", builder.name.text);
        let cancelled = self.cancelled.child_token();
        let context =
            Context { build_name: name, builder_type: builder.name.text.clone(), ..self.context.clone() };
        let services = Services::of_builder(
            self.catalog.clone(),
            self.plugins.clone(),
            self.stock.clone(),
            ui.clone(),
            context,
            cancelled.clone(),
        );
        let provisioning = Provisioning::new(provisioners, ui.clone(), services.clone(), cancelled.clone());
        let lent = BuildLent {
            ui: ui.lend(cancelled.clone()),
            hook: OfferedHook::new(provisioning.clone()),
            environment: services.offer(),
            cancellation: cancelled.clone(),
        };
        let (running, prepared) = builder.take().await.map_err(|refusal| Failure::refused(&who, refusal))?;
        services.used_by(builder.user(&running));
        let built = within_grace(prepared.run(lent), &cancelled, limits::CLEAN_UP_BUILDER, ui.heard()).await;
        services.close().await;
        let built = match built {
            None => return Err(Failure::Stuck { who, grace: limits::CLEAN_UP_BUILDER.as_secs() }),
            Some(Ok(built)) => built,
            Some(Err(broken)) => return Err(Failure::Broken { who, why: running.explain(broken).await }),
        };
        drop(prepared.close().await);
        finished(&who, built, &provisioning, &running).await
    }
}

/// What a build that has answered is worth.
async fn finished(
    who: &str,
    built: Built<RemoteArtifact>,
    provisioning: &Provisioning,
    running: &Running,
) -> Result<Option<ArtifactInfo>, Failure> {
    let Built { outcome, generated_data: data } = built;
    let artifact = match outcome {
        BuildOutcome::Cancelled => return Err(provisioning.failure().unwrap_or(Failure::Cancelled)),
        // The provisioners' own failure says more than what the builder makes of it.
        BuildOutcome::Failed(diagnostics) => {
            return Err(provisioning.failure().unwrap_or_else(|| Failure::said(who, diagnostics)));
        }
        BuildOutcome::Nothing => None,
        BuildOutcome::Artifact(artifact) => Some(artifact),
    };
    if provisioning.is_forgotten() {
        return Err(bug(who, "it is done, and never asked for its provisioners"));
    }
    if let Some(failure) = provisioning.failure() {
        return Err(failure);
    }
    generated_data(&data).map_err(|why| bug(who, &why))?;
    match artifact {
        None => Ok(None),
        Some(artifact) => describe(who, &artifact, running).await.map(Some),
    }
}

fn bug(who: &str, what: &str) -> Failure {
    Failure::said(who, vec![Diagnostic::error(format!("a bug in the plugin: {what}"))])
}

async fn describe(who: &str, artifact: &RemoteArtifact, running: &Running) -> Result<ArtifactInfo, Failure> {
    let info = match artifact.describe().await {
        Ok(info) => info,
        Err(broken) => {
            return Err(Failure::Broken { who: who.to_owned(), why: running.explain(broken).await });
        }
    };
    if info.builder_id.is_empty() || info.id.is_empty() {
        return Err(bug(who, "its artifact has no id"));
    }
    drop(artifact.close().await);
    Ok(info)
}
