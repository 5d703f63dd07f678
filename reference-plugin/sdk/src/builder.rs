//! Builders, as their authors write them.
use packwire_wire::{
    Artifact, BuildOutcome, Built as WireBuilt, Component, Context, Diagnostic, OfferedArtifact,
    OfferedBuilder, OfferedCapability, Prepared,
};
use serde_json::Value;

use crate::{
    BuildRun, Stop,
    config::{Config, Reader},
    plugin::described,
};

/// Makes images.
pub trait Builder: Send + Sync + 'static {
    /// What the user writes; the schema is made from it.
    type Config: Config;
    /// What a configuration becomes that is in order.
    type Build: Build;

    /// One line for lists.
    const SUMMARY: &'static str;
    /// CommonMark for whoever wants to use it.
    const DOCUMENTATION: &'static str = "";

    /// Checks what a type cannot say, all of it, and has no effect outside. `context` says where it is used.
    ///
    /// # Errors
    /// All that is wrong, each with its place in the configuration.
    fn prepare(&self, config: Self::Config, context: &Context) -> Result<Self::Build, Vec<Diagnostic>>;

    /// What the user should know of a configuration that can be run all the same, such as an option that another one
    /// makes meaningless: [`Diagnostic::warning`]s, each with its place. They are told beside what is wrong, too.
    fn warnings(&self, _config: &Self::Config, _context: &Context) -> Vec<Diagnostic> {
        Vec::new()
    }

    /// The schema of the generated data, from [`schema_of`](crate::schema_of); empty where it yields none of
    /// its own.
    fn output_schema() -> String {
        String::new()
    }
}

/// A build that is ready to run, once.
pub trait Build: Send + Sync + 'static {
    /// Makes the image, and has it provisioned once on the way.
    fn run(self, run: BuildRun) -> impl Future<Output = Result<Built, Stop>> + Send;
}

/// What a build yields.
#[derive(Debug)]
pub struct Built {
    artifact: Option<OfferedArtifact>,
    generated_data: Value,
}

impl Built {
    /// An artifact.
    pub fn artifact(artifact: impl Artifact) -> Self {
        Self { artifact: Some(OfferedArtifact::new(artifact)), generated_data: Value::Null }
    }

    /// Nothing to show for it.
    pub fn nothing() -> Self {
        Self { artifact: None, generated_data: Value::Null }
    }

    /// The same, and what post-processors may know: a JSON object.
    #[must_use]
    pub fn with_generated_data(self, generated_data: Value) -> Self {
        Self { generated_data, ..self }
    }
}

pub(crate) struct ServedBuilder<B: Builder> {
    builder: B,
    config: Reader<B::Config>,
}

impl<B: Builder> ServedBuilder<B> {
    pub(crate) fn offer(name: &str, builder: B) -> Component<OfferedCapability> {
        let config = Reader::new();
        Component {
            config_schema: config.schema(),
            output_schema: B::output_schema(),
            ..described(
                name,
                (B::SUMMARY, B::DOCUMENTATION),
                OfferedCapability::Builder(OfferedBuilder::new(Self { builder, config })),
            )
        }
    }
}

impl<B: Builder> packwire_wire::Builder for ServedBuilder<B> {
    type Build = ServedBuild<B::Build>;

    async fn prepare(&self, config: String, context: Context) -> Prepared<Self::Build> {
        let builder = &self.builder;
        self.config
            .prepare(
                &config,
                &context,
                |config, at| builder.warnings(config, at),
                |config, at| builder.prepare(config, at),
            )
            .map(ServedBuild)
    }
}

pub(crate) struct ServedBuild<B>(B);

impl<B: Build> packwire_wire::Build for ServedBuild<B> {
    async fn run(self, run: packwire_wire::BuildRun) -> WireBuilt<OfferedArtifact> {
        match self.0.run(run.into()).await {
            Ok(Built { artifact, generated_data }) => WireBuilt {
                outcome: artifact.map_or(BuildOutcome::Nothing, BuildOutcome::Artifact),
                generated_data: if generated_data.is_null() {
                    String::new()
                } else {
                    generated_data.to_string()
                },
            },
            Err(Stop::Failed(diagnostics)) => BuildOutcome::Failed(diagnostics).into(),
            Err(Stop::Cancelled) => BuildOutcome::Cancelled.into(),
        }
    }
}
