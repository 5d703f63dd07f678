//! The kinds beside builders and provisioners, as their authors write and test them.

use packwire_plugin::{
    ArtifactInfo, Command, CommandRun, Context, DataSource, Diagnostic, FilesArtifact, Hook, HookRun,
    InputFate, Outcome, Plugin, PostProcess, PostProcessRun, PostProcessed, PostProcessor, Query, QueryRun,
    Recover, Recovering, Stop, config, testing::Host,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Counts the files of an artifact.
#[derive(Clone, Deserialize, JsonSchema)]
struct Count {
    /// Whether the files may go when they are counted.
    discard: bool,
}

struct Counter;

impl PostProcessor for Counter {
    type Config = Count;
    type PostProcess = Count;
    const SUMMARY: &'static str = "Counts files";

    fn prepare(&self, count: Count, _: &Context) -> Result<Count, Vec<Diagnostic>> {
        Ok(count)
    }
}

impl PostProcess for Count {
    async fn run(self, run: PostProcessRun) -> Result<PostProcessed, Stop> {
        let info = run.artifact.describe().await?;
        run.ui.say(format!("{} files", info.files.len())).await?;
        match info.files.len() {
            0 => Err(Stop::failed("there is nothing to count")),
            _ if self.discard => Ok(PostProcessed::nothing(InputFate::Discard)),
            _ => Ok(PostProcessed::unchanged(info)),
        }
    }
}

fn disk(files: &[&str]) -> FilesArtifact {
    FilesArtifact::new("test.disk", "7", "A disk", files.iter().map(Into::into).collect())
}

#[tokio::test]
async fn a_post_processor_looks_at_an_artifact_and_hands_it_on() {
    let host = Host::new();
    let processed = host.post_process(Counter, json!({"discard": false}), disk(&["/a", "/b"])).await.unwrap();
    assert_eq!(processed.input, InputFate::ForceKeep);
    let info: ArtifactInfo = processed.finished.describe().await.unwrap();
    assert_eq!((info.id.as_str(), info.files.len()), ("7", 2));
    processed.finished.destroy().await.unwrap();
    assert_eq!(host.told(), ["say: 2 files"]);
}

#[tokio::test]
async fn a_post_processor_ends_a_chain_or_says_why_it_cannot_work() {
    let host = Host::new();
    let processed = host.post_process(Counter, json!({"discard": true}), disk(&["/a"])).await.unwrap();
    assert_eq!((processed.input, processed.finished.artifact.is_some()), (InputFate::Discard, false));
    let stopped = host.post_process(Counter, json!({"discard": true}), disk(&[])).await.unwrap_err();
    assert_eq!(stopped, Stop::failed("there is nothing to count"));
    let refused = host.post_process(Counter, json!({}), disk(&[])).await.unwrap_err();
    let Stop::Failed(diagnostics) = refused else { panic!("{refused:?}") };
    assert_eq!(diagnostics[0].path, "/discard");
}

#[derive(Deserialize, JsonSchema)]
struct Word {
    word: String,
}

#[derive(Serialize, JsonSchema)]
struct Found {
    length: usize,
}

struct Dictionary;

impl DataSource for Dictionary {
    type Config = Word;
    type Query = Word;
    const SUMMARY: &'static str = "Looks words up";

    fn prepare(&self, word: Word, _: &Context) -> Result<Word, Vec<Diagnostic>> {
        if word.word.is_empty() { Err(vec![Diagnostic::error("no word").at("/word")]) } else { Ok(word) }
    }
}

impl Query for Word {
    type Output = Found;

    async fn run(self, run: QueryRun) -> Result<Found, Stop> {
        if self.word == "endless" {
            run.cancellation.cancelled().await;
            return Err(Stop::Cancelled);
        }
        Ok(Found { length: self.word.len() })
    }
}

#[tokio::test]
async fn a_data_source_yields_what_its_output_schema_says() {
    let host = Host::new();
    assert_eq!(host.query(Dictionary, json!({"word": "tree"})).await.unwrap(), json!({"length": 4}));
    let refused = host.query(Dictionary, json!({"word": ""})).await.unwrap_err();
    assert_eq!(refused, Diagnostic::error("no word").at("/word").into());
    host.cancel();
    assert_eq!(host.query(Dictionary, json!({"word": "endless"})).await.unwrap_err(), Stop::Cancelled);
}

/// Says what there is, and exits with the number of its arguments.
struct Inventory;

impl Command for Inventory {
    const SUMMARY: &'static str = "Says what there is";

    async fn run(&self, run: CommandRun) -> Result<u8, Stop> {
        for component in run.components.list().await? {
            run.ui.message(format!("{} {}: {}", component.kind(), component.name, component.summary)).await?;
        }
        match run.arguments.iter().find(|argument| argument.is_empty()) {
            Some(_) => Err(Diagnostic::error("an argument is empty").with_detail("leave it out").into()),
            None => Ok(u8::try_from(run.arguments.len()).unwrap_or(u8::MAX)),
        }
    }
}

#[tokio::test]
async fn a_command_says_what_it_has_to_and_exits() {
    let host = Host::new();
    let known = || Plugin::new("known", "1.0.0").data_source("dictionary", Dictionary);
    assert_eq!(host.run_command(Inventory, &["a b", "ü"], known()).await.unwrap(), 2);
    assert_eq!(host.run_command(Inventory, &[""], known()).await.unwrap(), 1);
    let line = "message: data-source dictionary: Looks words up";
    assert_eq!(host.told(), [line, line, "error: an argument is empty", "error: leave it out"]);
}

/// Remembers a disk at one event, gives it a name at another, and settles nothing.
struct Maker;

impl Hook for Maker {
    async fn run(&self, run: HookRun) -> Outcome {
        let made = async {
            let environment = run.environment.ok_or(Stop::failed("there are no services"))?;
            let directory = environment.temp_dir().await??;
            let entry = environment.remember(format!("{}, no name yet", run.event)).await??;
            std::fs::write(format!("{}/disk", directory.given), "")
                .map_err(|e| Stop::failed(e.to_string()))?;
            entry.update(run.event).await??;
            Ok(directory.close().await?)
        };
        packwire_plugin::outcome(made.await)
    }
}

impl Recover for Maker {
    type Config = config::Empty;

    async fn recover(&self, remembered: &str, recovering: &Recovering<Self::Config>) -> Result<(), Stop> {
        recovering.ui.say(format!("Removing {remembered}")).await?;
        if remembered == "stuck" { Err(Stop::failed("it is in use")) } else { Ok(()) }
    }
}

#[tokio::test]
async fn what_a_crash_left_is_removed_and_what_cannot_be_is_kept_in_the_book() {
    let host = Host::new();
    for event in ["disk-1", "stuck", "disk-2"] {
        host.call_hook(Maker, event, &json!({})).await.unwrap();
    }
    assert_eq!(host.remembered(), ["disk-1", "stuck", "disk-2"]);
    assert_eq!(host.recover(Maker, json!({})).await.unwrap_err(), Stop::failed("it is in use"));
    assert_eq!(host.remembered(), ["stuck"]);
    let refused = host.recover(Maker, json!({"size": 1})).await.unwrap_err();
    let Stop::Failed(diagnostics) = refused else { panic!("{refused:?}") };
    assert!(diagnostics[0].summary.starts_with("the configuration for the recovery cannot be used: "));
}
