//! `ImageBuilder` and its `Build`: from a configuration to an artifact.
use std::{rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::builder_capnp::{build, build_outcome, image_builder as schema};
use tokio_util::sync::CancellationToken;

use crate::{
    artifact::{OfferedArtifact, RemoteArtifact, flush},
    broken::{Broken, Trouble},
    cancellation::{OfferedCancellation, RemoteCancellation},
    environment::{OfferedEnvironment, RemoteEnvironment},
    hook::{OfferedHook, RemoteHook},
    limits,
    link::LinkState,
    place::{Place, Seed, answered, offered, remote, send, size},
    prepare::{Once, not_lent, prepare},
    read,
    room::{Adopted, Panicked, Remote},
    ui::{OfferedUi, RemoteUi},
    value::{
        Context, Diagnostic, Prepared, failure, len, panicked, read_diagnostics, read_failure,
        write_diagnostics,
    },
};

/// Makes images.
pub trait Builder: Send + Sync + 'static {
    /// What a configuration becomes.
    type Build: Build;

    /// Checks a configuration, JSON, and makes it ready to run. Has no effect outside (`prepare.pure`).
    fn prepare(&self, config: String, context: Context)
    -> impl Future<Output = Prepared<Self::Build>> + Send;
}

/// A build that is ready to run, once.
pub trait Build: Send + Sync + 'static {
    /// Makes the image; runs the hook once when its machine is up (`builder.hook-once`).
    fn run(self, run: BuildRun) -> impl Future<Output = Built<OfferedArtifact>> + Send;
}

/// What [`Build::run`] may use.
#[derive(Debug)]
pub struct BuildRun {
    /// Where to say what happens.
    pub ui: RemoteUi,
    /// What to call when the machine is up.
    pub hook: RemoteHook,
    /// The host's services.
    pub environment: RemoteEnvironment,
    /// When to stop.
    pub cancellation: RemoteCancellation,
}

/// How a build ended.
#[derive(Debug)]
pub struct Built<A> {
    /// With what.
    pub outcome: BuildOutcome<A>,
    /// What post-processors may know of it: a JSON object. Empty for none.
    pub generated_data: String,
}

/// With what a build ended.
#[derive(Debug)]
pub enum BuildOutcome<A> {
    /// With an artifact.
    Artifact(A),
    /// Well, and there is nothing to show for it.
    Nothing,
    /// Not; at least one diagnostic is an error.
    Failed(Vec<Diagnostic>),
    /// It was cancelled, and what it had made is gone.
    Cancelled,
}

impl<A> From<BuildOutcome<A>> for Built<A> {
    fn from(outcome: BuildOutcome<A>) -> Self {
        Self { outcome, generated_data: String::new() }
    }
}

impl Built<RemoteArtifact> {
    pub(crate) fn read(reader: build_outcome::Reader<'_>, link: &Rc<LinkState>) -> Result<Self, Trouble> {
        let generated_data = read::text(reader.get_generated_data())?;
        let outcome = match reader.which().map_err(|member| read::unknown("outcome", member))? {
            build_outcome::Unset(()) => return Err(read::unset("outcome")),
            build_outcome::Artifact(artifact) => {
                let artifact = read::required(reader.has_artifact(), || artifact, "artifact")?;
                BuildOutcome::Artifact(RemoteArtifact(Remote::adopt(link, artifact)))
            }
            build_outcome::Nothing(()) => BuildOutcome::Nothing,
            build_outcome::Failed(diagnostics) => BuildOutcome::Failed(read_failure(diagnostics)?),
            build_outcome::Cancelled(()) => BuildOutcome::Cancelled,
        };
        Ok(Self { outcome, generated_data })
    }
}

impl Built<OfferedArtifact> {
    fn write(self, mut builder: build_outcome::Builder<'_>, place: &Place) {
        let Self { outcome, generated_data } = self;
        builder.set_generated_data(generated_data);
        match outcome {
            BuildOutcome::Artifact(artifact) => match artifact.0.at(place) {
                Some(artifact) => builder.set_artifact(artifact),
                None => write_failure(vec![Diagnostic::error("the artifact is gone")], builder),
            },
            BuildOutcome::Nothing => builder.set_nothing(()),
            BuildOutcome::Failed(diagnostics) => write_failure(failure(diagnostics), builder),
            BuildOutcome::Cancelled => builder.set_cancelled(()),
        }
    }
}

fn write_failure(diagnostics: Vec<Diagnostic>, builder: build_outcome::Builder<'_>) {
    let list = builder.init_failed(len(&diagnostics));
    write_diagnostics(diagnostics, list);
}

offered! {
    /// A [`Builder`] of ours.
    OfferedBuilder: schema::Client
}

impl OfferedBuilder {
    /// Offers `builder`.
    pub fn new(builder: impl Builder) -> Self {
        Self(Seed::serving(Arc::new(builder), |builder, place| new_client(ServedBuilder { builder, place })))
    }
}

struct ServedBuilder<B> {
    builder: Arc<B>,
    place: Place,
}

impl<B: Builder> schema::Server for ServedBuilder<B> {
    async fn prepare(
        self: Rc<Self>,
        params: schema::PrepareParams,
        mut results: schema::PrepareResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let prepared = {
            let params = params.get()?;
            prepare(
                &self.place,
                &self.builder,
                params.get_config(),
                params.get_context(),
                |builder, config, context| async move { builder.prepare(config, context).await },
            )
            .await
        };
        if let Some(build) = prepared.object {
            let place = Place::lasting(&self.place.link);
            results.get().set_build(new_client(ServedBuild { build: Once::new(build), place }));
        }
        let list = results.get().init_diagnostics(len(&prepared.diagnostics));
        write_diagnostics(prepared.diagnostics, list);
        answered(results)
    }
}

struct ServedBuild<B> {
    build: Once<B>,
    place: Place,
}

impl<B: Build> build::Server for ServedBuild<B> {
    async fn run(
        self: Rc<Self>,
        params: build::RunParams,
        mut results: build::RunResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let lent = BuildRun::read(params.get()?, &self.place.link)?;
        let built = match lent.and_then(|run| Ok((self.build.take()?, run))) {
            Err(refusal) => BuildOutcome::Failed(refusal).into(),
            Ok((build, run)) => {
                let ui = run.ui.clone();
                let built = self.place.room().on_authors(async move { build.run(run).await }).await;
                flush(Some(ui)).await;
                built.unwrap_or_else(|Panicked(text)| BuildOutcome::Failed(panicked(&text)).into())
            }
        };
        built.write(results.get().init_outcome(), &self.place);
        answered(results)
    }

    async fn close(
        self: Rc<Self>,
        _: build::CloseParams,
        _: build::CloseResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        self.build.close();
        Ok(())
    }
}

impl BuildRun {
    /// What was lent; or what is missing (`robust.null-arguments`).
    fn read(
        reader: build::run_params::Reader<'_>,
        link: &Rc<LinkState>,
    ) -> Result<Result<Self, Vec<Diagnostic>>, capnp::Error> {
        let ui = read::optional(reader.has_ui(), || reader.get_ui())?;
        let hook = read::optional(reader.has_hook(), || reader.get_hook())?;
        let environment = read::optional(reader.has_environment(), || reader.get_environment())?;
        let cancellation = read::optional(reader.has_cancellation(), || reader.get_cancellation())?;
        let (Some(ui), Some(hook), Some(environment)) = (ui, hook, environment) else {
            return Ok(Err(not_lent("Ui, Hook or Environment")));
        };
        Ok(Ok(Self {
            ui: RemoteUi::adopt(link, ui),
            hook: RemoteHook(Remote::adopt(link, hook)),
            environment: RemoteEnvironment(Remote::adopt(link, environment)),
            cancellation: RemoteCancellation::adopt(link, cancellation),
        }))
    }
}

remote! {
    /// A builder of a plugin.
    RemoteBuilder: schema::Client
}

remote! {
    /// A build that a plugin has prepared, and that runs once.
    RemoteBuild: build::Client
}

/// What a host lends to a build.
#[derive(Debug, Clone)]
pub struct BuildLent {
    /// Where it says what happens.
    pub ui: OfferedUi,
    /// What it calls when its machine is up.
    pub hook: OfferedHook,
    /// The host's services.
    pub environment: OfferedEnvironment,
    /// Stops it when it is cancelled.
    pub cancellation: CancellationToken,
}

impl RemoteBuilder {
    /// Has a configuration checked and made ready.
    pub async fn prepare(&self, config: String, context: Context) -> Result<Prepared<RemoteBuild>, Broken> {
        self.0
            .call("ImageBuilder.prepare", Some(limits::PREPARE_WITHIN), move |Adopted { client, link }| {
                let mut request = client.prepare_request();
                request.get().set_config(config);
                context.write(request.get().init_context());
                let sent = send(request);
                async move {
                    let answer = sent?.await?;
                    let answer = answer.get()?;
                    let build = read::optional(answer.has_build(), || answer.get_build())?;
                    let object = build.map(|build| RemoteBuild(Remote::adopt(&link, build)));
                    let diagnostics = read_diagnostics(answer.get_diagnostics())?;
                    Prepared { diagnostics, object }.checked()
                }
            })
            .await
    }
}

impl RemoteBuild {
    /// Runs the build. What is lent ends with the answer.
    pub async fn run(&self, lent: BuildLent) -> Result<Built<RemoteArtifact>, Broken> {
        self.0
            .call("Build.run", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let BuildLent { ui, hook, environment, cancellation } = lent;
                let mut request = client.run_request();
                let mut params = request.get();
                if let Some(ui) = ui.0.at(&place) {
                    params.set_ui(ui);
                }
                if let Some(hook) = hook.0.at(&place) {
                    params.set_hook(hook);
                }
                if let Some(environment) = environment.0.at(&place) {
                    params.set_environment(environment);
                }
                if let Some(cancellation) = OfferedCancellation::from(cancellation).0.at(&place) {
                    params.set_cancellation(cancellation);
                }
                let sent = send(request);
                async move {
                    let _loan = loan;
                    let answer = sent?.await?;
                    Built::read(answer.get()?.get_outcome()?, &link)
                }
            })
            .await
    }

    /// Says that the build will not be run, or not be asked again.
    pub async fn close(&self) -> Result<(), Broken> {
        self.0
            .acknowledged("Build.close", Some(limits::QUICK_WITHIN), |client| send(client.close_request()))
            .await
    }
}
