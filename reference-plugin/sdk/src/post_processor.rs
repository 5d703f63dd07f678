//! Post-processors, as their authors write them.
use packwire_wire::{
    Artifact, ArtifactDestroy, ArtifactInfo, Component, Context, Diagnostic, InputFate, OfferedArtifact,
    OfferedCapability, OfferedPostProcessor, Outcome, PostProcessOutcome, PostProcessRun, Prepared,
};

use crate::{
    Stop,
    config::{Config, Reader},
    plugin::described,
};

/// Makes artifacts of artifacts, or does something else with them.
pub trait PostProcessor: Send + Sync + 'static {
    /// What the user writes; the schema is made from it.
    type Config: Config;
    /// What a configuration becomes that is in order.
    type PostProcess: PostProcess;

    /// One line for lists.
    const SUMMARY: &'static str;
    /// CommonMark for whoever wants to use it.
    const DOCUMENTATION: &'static str = "";

    /// Checks what a type cannot say, all of it, and has no effect outside.
    ///
    /// # Errors
    /// All that is wrong, each with its place in the configuration.
    fn prepare(&self, config: Self::Config, context: &Context) -> Result<Self::PostProcess, Vec<Diagnostic>>;

    /// What the user should know of a configuration that can be run all the same, such as an option that another one
    /// makes meaningless: [`Diagnostic::warning`]s, each with its place. They are told beside what is wrong, too.
    fn warnings(&self, _config: &Self::Config, _context: &Context) -> Vec<Diagnostic> {
        Vec::new()
    }
}

/// Something to do with an artifact, ready to run once.
pub trait PostProcess: Send + Sync + 'static {
    /// Does it. It never destroys its input: what it answers says what shall become of that.
    fn run(self, run: PostProcessRun) -> impl Future<Output = Result<PostProcessed, Stop>> + Send;
}

/// What a post-processor yields.
#[derive(Debug)]
pub struct PostProcessed {
    artifact: Option<OfferedArtifact>,
    input: InputFate,
}

impl PostProcessed {
    /// A new artifact, and what shall become of the one that it was made of.
    pub fn artifact(artifact: impl Artifact, input: InputFate) -> Self {
        Self { artifact: Some(OfferedArtifact::new(artifact)), input }
    }

    /// Nothing for the next in the chain, and what shall become of the input.
    pub fn nothing(input: InputFate) -> Self {
        Self { artifact: None, input }
    }

    /// The input itself for the next in the chain, as `info` describes it: for what looks at an artifact, and makes
    /// none. The input is kept whatever the template says.
    pub fn unchanged(info: ArtifactInfo) -> Self {
        Self::artifact(Unchanged(info), InputFate::ForceKeep)
    }
}

/// An artifact that belongs to somebody else: it can be looked at, and nothing of it goes.
struct Unchanged(ArtifactInfo);

impl Artifact for Unchanged {
    async fn describe(&self) -> ArtifactInfo {
        self.0.clone()
    }

    async fn destroy(&self, _: ArtifactDestroy) -> Outcome {
        Outcome::Done
    }
}

pub(crate) struct ServedPostProcessor<P: PostProcessor> {
    post_processor: P,
    config: Reader<P::Config>,
}

impl<P: PostProcessor> ServedPostProcessor<P> {
    pub(crate) fn offer(name: &str, post_processor: P) -> Component<OfferedCapability> {
        let config = Reader::new();
        Component {
            config_schema: config.schema(),
            ..described(
                name,
                (P::SUMMARY, P::DOCUMENTATION),
                OfferedCapability::PostProcessor(OfferedPostProcessor::new(Self { post_processor, config })),
            )
        }
    }
}

impl<P: PostProcessor> packwire_wire::PostProcessor for ServedPostProcessor<P> {
    type PostProcess = ServedPostProcess<P::PostProcess>;

    async fn prepare(&self, config: String, context: Context) -> Prepared<Self::PostProcess> {
        let post_processor = &self.post_processor;
        self.config
            .prepare(
                &config,
                &context,
                |config, at| post_processor.warnings(config, at),
                |config, at| post_processor.prepare(config, at),
            )
            .map(ServedPostProcess)
    }
}

pub(crate) struct ServedPostProcess<P>(P);

impl<P: PostProcess> packwire_wire::PostProcess for ServedPostProcess<P> {
    async fn run(self, run: PostProcessRun) -> PostProcessOutcome<OfferedArtifact> {
        match self.0.run(run).await {
            Ok(PostProcessed { artifact: Some(artifact), input }) => {
                PostProcessOutcome::Artifact { artifact, input }
            }
            Ok(PostProcessed { artifact: None, input }) => PostProcessOutcome::Nothing { input },
            Err(Stop::Failed(diagnostics)) => PostProcessOutcome::Failed(diagnostics),
            Err(Stop::Cancelled) => PostProcessOutcome::Cancelled,
        }
    }
}
