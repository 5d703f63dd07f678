//! What becomes of an artifact: sequences of post-processors, and the end of artifacts that nobody wants.

use std::sync::Arc;

use packwire_wire::{
    Artifact, ArtifactDestroy, ArtifactInfo, InputFate, OfferedArtifact, Outcome, PostProcessLent,
    PostProcessOutcome, RemoteArtifact,
};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::catalog::Kind;
use crate::events::{Part, Scene};
use crate::failure::Failure;
use crate::plugins::Running;
use crate::prepare::{ReadyPostProcessor, Taken};
use crate::provision::Around;
use crate::template::Learned;
use crate::ui::BuildUi;

/// An artifact that somebody made, and the process that it lives in.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) info: ArtifactInfo,
    artifact: RemoteArtifact,
    running: Arc<Running>,
    /// `builder file`, `post-processor compress`
    who: String,
}

/// What all post-processors of one build have in common.
pub(super) struct PostProcessing<'a> {
    pub(super) build: &'a str,
    pub(super) around: &'a Around,
    pub(super) generated: &'a Map<String, Value>,
}

/// What is there when all of a build is done: its artifacts, those of failed parts too.
#[derive(Default)]
pub(super) struct Processed {
    pub(super) artifacts: Vec<Made>,
    pub(super) failures: Vec<Failure>,
}

/// How one sequence ended.
#[derive(Default)]
struct Ended {
    keeps_first: bool,
    processed: Processed,
}

impl Made {
    /// Asks the artifact what it is, once: the answer is remembered.
    pub(super) async fn describe(
        who: String,
        artifact: RemoteArtifact,
        running: Arc<Running>,
    ) -> Result<Self, Failure> {
        let info = match artifact.describe().await {
            Ok(info) => info,
            Err(broken) => return Err(Failure::Broken { who, why: running.explain(broken).await }),
        };
        if info.builder_id.is_empty() || info.id.is_empty() {
            return Err(Failure::bug(&who, "its artifact has no id"));
        }
        Ok(Self { info, artifact, running, who })
    }

    /// The host has no more questions; the thing itself stays.
    pub(super) async fn close(&self) {
        // One that is gone has been closed by that.
        drop(self.artifact.close().await);
    }

    async fn destroy(self, ui: &BuildUi) -> Result<(), Failure> {
        let Self { artifact, running, who, .. } = &self;
        destroy(who, artifact, running, ui).await
    }
}

/// Has an artifact destroyed that nobody wants, and closes it.
pub(super) async fn destroy(
    who: &str,
    artifact: &RemoteArtifact,
    running: &Running,
    ui: &BuildUi,
) -> Result<(), Failure> {
    // Once begun it is not stopped: half a thing is of no use.
    let stop = CancellationToken::new();
    let destroyed = match artifact.destroy(Some(ui.lend(stop.clone())), stop).await {
        Ok(destroyed) => destroyed,
        Err(broken) => {
            return Err(Failure::Broken { who: who.to_owned(), why: running.explain(broken).await });
        }
    };
    // One that is gone has been closed by that.
    drop(artifact.close().await);
    match destroyed {
        Outcome::Done => Ok(()),
        Outcome::Failed(diagnostics) => Err(Failure::said(&format!("the artifact of {who}"), diagnostics)),
        Outcome::Cancelled => Err(Failure::Cancelled),
    }
}

impl PostProcessing<'_> {
    /// Every sequence, one after another, each from the builder's artifact; a failure ends its own sequence only.
    ///
    /// The first artifact stays if one sequence keeps it, failed, or has not run.
    pub(super) async fn process(&self, first: Made, sequences: &[Vec<ReadyPostProcessor>]) -> Processed {
        let mut keeps_first = sequences.is_empty();
        let mut processed = Processed::default();
        let mut before = 0;
        for sequence in sequences {
            if self.around.cancelled.is_cancelled() {
                keeps_first = true;
                processed.failures.push(Failure::Cancelled);
                break;
            }
            let Ended { keeps_first: keeps, processed: Processed { artifacts, failures } } =
                self.sequence(&first, sequence, before).await;
            before += sequence.len();
            keeps_first |= keeps;
            processed.artifacts.extend(artifacts);
            processed.failures.extend(failures);
        }
        processed.failures.dedup();
        if keeps_first {
            processed.artifacts.insert(0, first);
        } else {
            processed.failures.extend(first.destroy(&self.around.ui).await.err());
        }
        processed
    }

    /// One sequence; `before` is how many post-processors the sequences before it have.
    async fn sequence(&self, first: &Made, sequence: &[ReadyPostProcessor], before: usize) -> Ended {
        let mut ended = Ended::default();
        // What the one before made; none: the first.
        let mut input: Option<Made> = None;
        for (index, one) in sequence.iter().enumerate() {
            let given = input.as_ref().unwrap_or(first);
            let (made, keeps_input) = match self.told_of(before + index, one, given).await {
                Ok(done) => done,
                Err(failure) => {
                    ended.keeps_first |= input.is_none();
                    ended.processed.failures.push(failure);
                    break;
                }
            };
            match input.take() {
                None => ended.keeps_first |= keeps_input,
                Some(input) if keeps_input => ended.processed.artifacts.push(input),
                Some(input) => ended.processed.failures.extend(input.destroy(&self.around.ui).await.err()),
            }
            input = made;
            if input.is_none() {
                break;
            }
        }
        ended.processed.artifacts.extend(input);
        ended
    }

    async fn told_of(
        &self,
        index: usize,
        one: &ReadyPostProcessor,
        input: &Made,
    ) -> Result<(Option<Made>, bool), Failure> {
        let part = Part { kind: "post_processor", component: &one.component.name.text, index };
        let scene = Scene { generated: self.generated.clone(), ..Scene::default() };
        self.around.events.around(part, &scene, self.post_process(one, input)).await
    }

    /// What it made, if anything, and whether its input stays.
    async fn post_process(
        &self,
        one: &ReadyPostProcessor,
        input: &Made,
    ) -> Result<(Option<Made>, bool), Failure> {
        let ReadyPostProcessor { component, keep_input } = one;
        let (who, name) = (component.who(), &component.name.text);
        self.around.ui.say(&format!("Running post-processor: {name}"));
        let ui = self.around.ui.named(&format!("{} ({name})", self.build));
        let learned = Learned { data: Some(&self.around.data), generated: Some(self.generated) };
        let taken = component.take(learned, &ui).await;
        let Taken { running, prepared, user } = taken.map_err(|refusal| Failure::refused(&who, refusal))?;
        let stop = self.around.cancelled.child_token();
        let services = self.around.services.of_others(component.grants, stop.clone());
        services.used_by(user);
        let lent = PostProcessLent {
            ui: ui.lend(stop.clone()),
            artifact: OfferedArtifact::new(Lent {
                info: input.info.clone(),
                artifact: input.artifact.clone(),
            }),
            generated_data: Value::Object(self.generated.clone()).to_string(),
            environment: services.offer(),
            cancellation: stop.clone(),
        };
        let ran = running.run_until(Kind::PostProcessor, prepared.run(lent), &stop, ui.heard()).await;
        services.close().await;
        let outcome = match ran {
            None => return Err(Failure::Stuck { who, grace: running.grace(Kind::PostProcessor).as_secs() }),
            Some(Ok(outcome)) => outcome,
            Some(Err(broken)) => {
                drop(prepared.close().await);
                return Err(Failure::Broken { who, why: running.explain(broken).await });
            }
        };
        drop(prepared.close().await);
        match outcome {
            PostProcessOutcome::Artifact { artifact, input } => {
                let made = Made::describe(who, artifact, running).await?;
                Ok((Some(made), keeps(input, *keep_input)))
            }
            PostProcessOutcome::Nothing { input } => Ok((None, keeps(input, *keep_input))),
            PostProcessOutcome::Failed(diagnostics) => Err(Failure::said(&who, diagnostics)),
            PostProcessOutcome::Cancelled => Err(Failure::Cancelled),
        }
    }
}

/// Whether an input stays, by what its post-processor says and what the template does.
fn keeps(fate: InputFate, wanted: Option<bool>) -> bool {
    match fate {
        InputFate::ForceKeep => true,
        InputFate::ForceDiscard => false,
        InputFate::Keep => wanted.unwrap_or(true),
        InputFate::Discard => wanted.unwrap_or(false),
    }
}

/// The host's own artifact in front of a plugin's, for a post-processor to look at.
struct Lent {
    info: ArtifactInfo,
    artifact: RemoteArtifact,
}

impl Artifact for Lent {
    async fn describe(&self) -> ArtifactInfo {
        self.info.clone()
    }

    async fn state(&self, name: String) -> Option<String> {
        // Of an artifact whose process is gone nothing more is known.
        self.artifact.state(name).await.unwrap_or_default()
    }

    async fn destroy(&self, _: ArtifactDestroy) -> Outcome {
        Outcome::failed("only the host destroys artifacts: say in the outcome what becomes of the input")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // host.input-fate
    #[test]
    fn the_template_decides_unless_the_post_processor_insists() {
        use InputFate::{Discard, ForceDiscard, ForceKeep, Keep};
        let table = |wanted| [Discard, Keep, ForceKeep, ForceDiscard].map(|fate| keeps(fate, wanted));
        assert_eq!(table(None), [false, true, true, false]);
        assert_eq!(table(Some(true)), [true, true, true, false]);
        assert_eq!(table(Some(false)), [false, false, true, false]);
    }
}
