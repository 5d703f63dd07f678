//! `PostProcessor` and its `PostProcess`: from an artifact to another, or to something else that is done with it.
use std::rc::Rc;

use packwire_schema::post_processor_capnp::{
    post_process as work, post_process_outcome, post_processor as schema,
};
use tokio_util::sync::CancellationToken;

use crate::{
    artifact::{OfferedArtifact, RemoteArtifact},
    broken::{Broken, Trouble},
    cancellation::{OfferedCancellation, RemoteCancellation},
    environment::{OfferedEnvironment, RemoteEnvironment},
    link::LinkState,
    place::{Forward, Place, lend, offered, remote, send},
    prepare::{Answer, not_lent, prepared_kind},
    read,
    room::{Adopted, Remote},
    ui::{OfferedUi, RemoteUi},
    value::{Context, Diagnostic, Prepared, read_failure, write_failed},
};

/// Makes artifacts of artifacts.
pub trait PostProcessor: Send + Sync + 'static {
    /// What a configuration becomes.
    type PostProcess: PostProcess;

    /// Checks a configuration, JSON, and makes it ready to run. Has no effect outside (`prepare.pure`).
    fn prepare(
        &self,
        config: String,
        context: Context,
    ) -> impl Future<Output = Prepared<Self::PostProcess>> + Send;
}

/// Something to do with an artifact, ready to run once.
pub trait PostProcess: Send + Sync + 'static {
    /// Does it. It never destroys its input: the outcome says what shall become of that.
    fn run(self, run: PostProcessRun) -> impl Future<Output = PostProcessOutcome<OfferedArtifact>> + Send;
}

/// What [`PostProcess::run`] may use.
#[derive(Debug)]
pub struct PostProcessRun {
    /// Where to say what happens.
    pub ui: RemoteUi,
    /// The artifact of the builder, or of the post-processor before this one.
    pub artifact: RemoteArtifact,
    /// What the builder says of its machine: a JSON object; empty for none.
    pub generated_data: String,
    /// The host's services.
    pub environment: RemoteEnvironment,
    /// When to stop.
    pub cancellation: RemoteCancellation,
}

/// With what a post-processor's work ended.
#[derive(Debug)]
pub enum PostProcessOutcome<A> {
    /// With an artifact, which the next in the chain gets.
    Artifact {
        /// What it made.
        artifact: A,
        /// What shall become of the input.
        input: InputFate,
    },
    /// Well, and the chain ends here.
    Nothing {
        /// What shall become of the input.
        input: InputFate,
    },
    /// Not; at least one diagnostic is an error. The input is kept.
    Failed(Vec<Diagnostic>),
    /// It was cancelled, and what it had made is gone. The input is kept.
    Cancelled,
}

/// What shall become of a post-processor's input. Only the host destroys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputFate {
    /// It may go, unless the template's `keep_input_artifact` says otherwise.
    Discard,
    /// It stays, unless the template's `keep_input_artifact` says otherwise.
    Keep,
    /// It stays, whatever the template says: what was made needs it.
    ForceKeep,
    /// It goes, whatever the template says: it is of no use any more.
    ForceDiscard,
}

impl InputFate {
    /// `None` for an enumerant that nobody set.
    fn read(input: Result<post_process_outcome::Input, capnp::NotInSchema>) -> Result<Option<Self>, Trouble> {
        Ok(match input.map_err(|member| read::unknown("input", member))? {
            post_process_outcome::Input::Unset => None,
            post_process_outcome::Input::Discard => Some(Self::Discard),
            post_process_outcome::Input::Keep => Some(Self::Keep),
            post_process_outcome::Input::ForceKeep => Some(Self::ForceKeep),
            post_process_outcome::Input::ForceDiscard => Some(Self::ForceDiscard),
        })
    }

    fn write(self, builder: &mut post_process_outcome::Builder<'_>) {
        builder.set_input(match self {
            Self::Discard => post_process_outcome::Input::Discard,
            Self::Keep => post_process_outcome::Input::Keep,
            Self::ForceKeep => post_process_outcome::Input::ForceKeep,
            Self::ForceDiscard => post_process_outcome::Input::ForceDiscard,
        });
    }
}

impl<A> PostProcessOutcome<A> {
    /// The same with another artifact.
    pub fn map<B>(self, into: impl FnOnce(A) -> B) -> PostProcessOutcome<B> {
        match self {
            Self::Artifact { artifact, input } => {
                PostProcessOutcome::Artifact { artifact: into(artifact), input }
            }
            Self::Nothing { input } => PostProcessOutcome::Nothing { input },
            Self::Failed(diagnostics) => PostProcessOutcome::Failed(diagnostics),
            Self::Cancelled => PostProcessOutcome::Cancelled,
        }
    }
}

impl PostProcessOutcome<RemoteArtifact> {
    pub(crate) fn read(
        reader: post_process_outcome::Reader<'_>,
        link: &Rc<LinkState>,
    ) -> Result<Self, Trouble> {
        // Of meaning beside these two only (`postproc.keep-explicit`).
        let input = || InputFate::read(reader.get_input())?.ok_or_else(|| read::unset("input"));
        match reader.which().map_err(|member| read::unknown("outcome", member))? {
            post_process_outcome::Unset(()) => Err(read::unset("outcome")),
            post_process_outcome::Artifact(artifact) => {
                let artifact = read::required(reader.has_artifact(), || artifact, "artifact")?;
                let artifact = RemoteArtifact(Remote::adopt(link, artifact));
                Ok(Self::Artifact { artifact, input: input()? })
            }
            post_process_outcome::Nothing(()) => Ok(Self::Nothing { input: input()? }),
            post_process_outcome::Failed(diagnostics) => Ok(Self::Failed(read_failure(diagnostics)?)),
            post_process_outcome::Cancelled(()) => Ok(Self::Cancelled),
        }
    }
}

impl Answer for PostProcessOutcome<OfferedArtifact> {
    type Struct = post_process_outcome::Owned;

    fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Failed(diagnostics)
    }

    fn write(self, mut builder: post_process_outcome::Builder<'_>, place: &Place) {
        match self {
            Self::Artifact { artifact, input } => match artifact.0.at(place) {
                Some(artifact) => {
                    input.write(&mut builder);
                    builder.set_artifact(artifact);
                }
                None => write_failed!(builder, vec![Diagnostic::error("the artifact is gone")]),
            },
            Self::Nothing { input } => {
                input.write(&mut builder);
                builder.set_nothing(());
            }
            Self::Failed(diagnostics) => write_failed!(builder, diagnostics),
            Self::Cancelled => builder.set_cancelled(()),
        }
    }
}

offered! {
    /// A [`PostProcessor`] of ours.
    OfferedPostProcessor: schema::Client
}

remote! {
    /// A post-processor of a plugin.
    RemotePostProcessor: schema::Client
}

remote! {
    /// What a plugin has prepared to do with an artifact, and does once.
    RemotePostProcess: work::Client
}

prepared_kind! {
    PostProcessor: OfferedPostProcessor, RemotePostProcessor, "PostProcessor.prepare";
    PostProcess: RemotePostProcess, "PostProcess.close",
        set_post_process, has_post_process, get_post_process;
    run(RunParams, RunResults): PostProcessRun -> PostProcessOutcome<OfferedArtifact>
}

impl PostProcessRun {
    /// What was lent; or what is missing (`robust.null-arguments`).
    fn read(
        reader: work::run_params::Reader<'_>,
        link: &Rc<LinkState>,
    ) -> Result<Result<Self, Vec<Diagnostic>>, capnp::Error> {
        let ui = read::optional(reader.has_ui(), || reader.get_ui())?;
        let artifact = read::optional(reader.has_artifact(), || reader.get_artifact())?;
        let environment = read::optional(reader.has_environment(), || reader.get_environment())?;
        let cancellation = read::optional(reader.has_cancellation(), || reader.get_cancellation())?;
        let (Some(ui), Some(artifact), Some(environment)) = (ui, artifact, environment) else {
            return Ok(Err(not_lent("Ui, Artifact or Environment")));
        };
        Ok(Ok(Self {
            ui: RemoteUi::adopt(link, ui),
            artifact: RemoteArtifact(Remote::adopt(link, artifact)),
            generated_data: read::text(reader.get_generated_data())?,
            environment: RemoteEnvironment(Remote::adopt(link, environment)),
            cancellation: RemoteCancellation::adopt(link, cancellation),
        }))
    }
}

/// What a host lends to a post-processor.
#[derive(Debug, Clone)]
pub struct PostProcessLent {
    /// Where it says what happens.
    pub ui: OfferedUi,
    /// What it works on.
    pub artifact: OfferedArtifact,
    /// What the builder says of its machine: a JSON object; empty for none.
    pub generated_data: String,
    /// The host's services.
    pub environment: OfferedEnvironment,
    /// Stops it when it is cancelled.
    pub cancellation: CancellationToken,
}

impl RemotePostProcess {
    /// Does it. What is lent ends with the answer; the artifact lives until it is closed.
    pub async fn run(&self, lent: PostProcessLent) -> Result<PostProcessOutcome<RemoteArtifact>, Broken> {
        self.0
            .call("PostProcess.run", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let PostProcessLent { ui, artifact, generated_data, environment, cancellation } = lent;
                let mut request = client.run_request();
                let (mut params, cancellation) = (request.get(), OfferedCancellation::from(cancellation));
                params.set_generated_data(generated_data);
                lend!(params at &place;
                    set_ui: ui, set_artifact: artifact, set_environment: environment,
                    set_cancellation: cancellation);
                let sent = send(request);
                async move {
                    let _loan = loan;
                    let answer = sent?.await?;
                    PostProcessOutcome::read(answer.get()?.get_outcome()?, &link)
                }
            })
            .await
    }
}

impl PostProcess for Forward<RemotePostProcess> {
    async fn run(self, run: PostProcessRun) -> PostProcessOutcome<OfferedArtifact> {
        match self.0.run(PostProcessLent::from(run)).await {
            Ok(outcome) => outcome.map(Into::into),
            Err(broken) => PostProcessOutcome::Failed(broken.into()),
        }
    }
}

impl From<PostProcessRun> for PostProcessLent {
    /// Lends on what was lent.
    fn from(run: PostProcessRun) -> Self {
        let PostProcessRun { ui, artifact, generated_data, environment, cancellation } = run;
        Self {
            ui: (&ui).into(),
            artifact: artifact.into(),
            generated_data,
            environment: (&environment).into(),
            cancellation: cancellation.token().clone(),
        }
    }
}
