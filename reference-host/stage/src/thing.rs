//! A file as an artifact, and a post-processor that makes one of another.

use std::path::{Path, PathBuf};
use std::time::Duration;

use packwire_plugin::{
    Artifact, ArtifactDestroy, ArtifactInfo, Context, Diagnostic, InputFate, Outcome, PostProcess,
    PostProcessRun, PostProcessed, PostProcessor, Stop,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// A file that goes when nobody wants it, unless its name says `stubborn`. One whose name says `mute` takes longer to say
/// what it is than a host waits.
pub(crate) struct Thing {
    name: String,
    path: PathBuf,
}

impl Thing {
    pub(crate) fn make(directory: &Path, name: String, content: &str) -> Result<Self, Stop> {
        let path = directory.join(&name);
        std::fs::write(&path, content).map_err(|error| Stop::failed(format!("{name}: {error}")))?;
        Ok(Self { name, path })
    }
}

impl Artifact for Thing {
    async fn describe(&self) -> ArtifactInfo {
        if self.name.contains("mute") {
            std::thread::sleep(Duration::from_secs(11));
        }
        ArtifactInfo {
            builder_id: "stage.thing".to_owned(),
            id: self.name.clone(),
            description: format!("A thing: {}", self.name),
            files: vec![self.path.to_string_lossy().into_owned()],
            extensions: String::new(),
        }
    }

    async fn destroy(&self, destroy: ArtifactDestroy) -> Outcome {
        if self.name.contains("stubborn") {
            return Outcome::failed(format!("{} does not go", self.name));
        }
        if let Some(ui) = destroy.ui {
            drop(ui.message(format!("Removing {}", self.name)).await);
        }
        match std::fs::remove_file(&self.path) {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::failed(format!("{}: {error}", self.name)),
        }
    }
}

/// The post-processor.
pub(crate) struct Stage;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// The file to make; none: nothing is made.
    target: Option<String>,
    /// What becomes of the input.
    #[serde(default)]
    input: Fate,
    /// What it says beside what it was given.
    say: Option<String>,
    /// Whether it tries to destroy its input.
    #[serde(default)]
    destroys: bool,
    /// Why it fails, if it does.
    fail: Option<String>,
    /// Whether it waits to be cancelled.
    #[serde(default)]
    waits: bool,
    #[serde(skip)]
    directory: PathBuf,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Fate {
    #[default]
    Discard,
    Keep,
    ForceKeep,
    ForceDiscard,
}

impl From<Fate> for InputFate {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Discard => Self::Discard,
            Fate::Keep => Self::Keep,
            Fate::ForceKeep => Self::ForceKeep,
            Fate::ForceDiscard => Self::ForceDiscard,
        }
    }
}

impl PostProcessor for Stage {
    type Config = Change;
    type PostProcess = Change;

    const SUMMARY: &'static str = "Makes a file of an artifact";

    fn prepare(&self, change: Change, context: &Context) -> Result<Change, Vec<Diagnostic>> {
        Ok(Change { directory: context.working_dir.clone().into(), ..change })
    }
}

impl PostProcess for Change {
    async fn run(self, run: PostProcessRun) -> Result<PostProcessed, Stop> {
        let input = run.artifact.describe().await?;
        run.ui.say(format!("Given {}", input.id)).await?;
        if let Some(text) = &self.say {
            run.ui.message(text.as_str()).await?;
        }
        if self.destroys {
            let outcome = run.artifact.destroy(None, run.cancellation.token().clone()).await?;
            packwire_plugin::done(outcome)?;
        }
        if self.waits {
            run.cancellation.cancelled().await;
            return Err(Stop::Cancelled);
        }
        if let Some(why) = self.fail {
            return Err(Stop::failed(why));
        }
        let Some(target) = self.target else { return Ok(PostProcessed::nothing(self.input.into())) };
        let made_of = format!("{target} of {}", input.id);
        let thing = Thing::make(&self.directory, target, &made_of)?;
        Ok(PostProcessed::artifact(thing, self.input.into()))
    }
}
