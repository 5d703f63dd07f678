//! `ImageBuilder` and its `Build`: from a configuration to an artifact.
use std::rc::Rc;

use packwire_schema::builder_capnp::{build as work, build_outcome, image_builder as schema};
use tokio_util::sync::CancellationToken;

use crate::{
    artifact::{OfferedArtifact, RemoteArtifact},
    broken::{Broken, Trouble},
    cancellation::{OfferedCancellation, RemoteCancellation},
    environment::{OfferedEnvironment, RemoteEnvironment},
    hook::{OfferedHook, RemoteHook},
    link::LinkState,
    place::{Forward, Place, lend, offered, remote, send},
    prepare::{Answer, not_lent, prepared_kind},
    read,
    room::{Adopted, Remote},
    ui::{OfferedUi, RemoteUi},
    value::{Context, Diagnostic, Prepared, read_failure, write_failed},
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

impl<A> BuildOutcome<A> {
    /// The same with another artifact.
    pub fn map<B>(self, into: impl FnOnce(A) -> B) -> BuildOutcome<B> {
        match self {
            Self::Artifact(artifact) => BuildOutcome::Artifact(into(artifact)),
            Self::Nothing => BuildOutcome::Nothing,
            Self::Failed(diagnostics) => BuildOutcome::Failed(diagnostics),
            Self::Cancelled => BuildOutcome::Cancelled,
        }
    }
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

impl Answer for Built<OfferedArtifact> {
    type Struct = build_outcome::Owned;

    fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        BuildOutcome::Failed(diagnostics).into()
    }

    fn write(self, mut builder: build_outcome::Builder<'_>, place: &Place) {
        let Self { outcome, generated_data } = self;
        builder.set_generated_data(generated_data);
        match outcome {
            BuildOutcome::Artifact(artifact) => match artifact.0.at(place) {
                Some(artifact) => builder.set_artifact(artifact),
                None => write_failed!(builder, vec![Diagnostic::error("the artifact is gone")]),
            },
            BuildOutcome::Nothing => builder.set_nothing(()),
            BuildOutcome::Failed(diagnostics) => write_failed!(builder, diagnostics),
            BuildOutcome::Cancelled => builder.set_cancelled(()),
        }
    }
}

offered! {
    /// A [`Builder`] of ours.
    OfferedBuilder: schema::Client
}

prepared_kind! {
    Builder: OfferedBuilder, RemoteBuilder, "ImageBuilder.prepare";
    Build: RemoteBuild, "Build.close", set_build, has_build, get_build;
    run(RunParams, RunResults): BuildRun -> Built<OfferedArtifact>
}

impl BuildRun {
    /// What was lent; or what is missing (`robust.null-arguments`).
    fn read(
        reader: work::run_params::Reader<'_>,
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
    RemoteBuild: work::Client
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

impl RemoteBuild {
    /// Runs the build. What is lent ends with the answer.
    pub async fn run(&self, lent: BuildLent) -> Result<Built<RemoteArtifact>, Broken> {
        self.0
            .call("Build.run", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let BuildLent { ui, hook, environment, cancellation } = lent;
                let mut request = client.run_request();
                let mut params = request.get();
                let cancellation = OfferedCancellation::from(cancellation);
                lend!(params at &place;
                    set_ui: ui, set_hook: hook, set_environment: environment, set_cancellation: cancellation);
                let sent = send(request);
                async move {
                    let _loan = loan;
                    let answer = sent?.await?;
                    Built::read(answer.get()?.get_outcome()?, &link)
                }
            })
            .await
    }
}

impl Build for Forward<RemoteBuild> {
    async fn run(self, run: BuildRun) -> Built<OfferedArtifact> {
        match self.0.run(BuildLent::from(run)).await {
            Ok(Built { outcome, generated_data }) => {
                Built { outcome: outcome.map(Into::into), generated_data }
            }
            Err(broken) => BuildOutcome::Failed(broken.into()).into(),
        }
    }
}

impl From<BuildRun> for BuildLent {
    /// Lends on what was lent.
    fn from(run: BuildRun) -> Self {
        let BuildRun { ui, hook, environment, cancellation } = run;
        Self {
            ui: (&ui).into(),
            hook: (&hook).into(),
            environment: (&environment).into(),
            cancellation: cancellation.token().clone(),
        }
    }
}
