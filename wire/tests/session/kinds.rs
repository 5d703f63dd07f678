//! The kinds beside builders: what is lent to each, and how each ends.
#![expect(clippy::panic, reason = "what goes wrong in a test ends it")]
use packwire_wire::{
    Artifact, ArtifactDestroy, ArtifactInfo, Capability as _, Component, Components, Context, DataSource,
    Environment, HostCommand, HostCommandLent, HostCommandRun, InputFate, Kind, OfferedArtifact,
    OfferedCapability, OfferedComponents, OfferedDataSource, OfferedEnvironment, OfferedHostCommand,
    OfferedPostProcessor, OfferedUi, Outcome, PostProcess, PostProcessLent, PostProcessOutcome,
    PostProcessRun, PostProcessor, Prepared, Query, QueryLent, QueryOutcome, QueryRun, RemoteArtifact,
    RemoteCapability, Room,
};
use std::sync::{Arc, Mutex};

use crate::support::{Lent, Pair, pair_offering, pair_with};

/// Lends no service.
struct Bare;

impl Environment for Bare {
    async fn communicator(
        &self,
        _: String,
        _: String,
    ) -> Result<packwire_wire::OfferedCommunicator, Vec<packwire_wire::Diagnostic>> {
        Err(Vec::new())
    }
}

/// An artifact with one file.
struct Disk(&'static str);

impl Artifact for Disk {
    async fn describe(&self) -> ArtifactInfo {
        let files = vec![format!("/{}", self.0)];
        ArtifactInfo {
            builder_id: "test.disk".to_owned(),
            id: self.0.to_owned(),
            files,
            ..ArtifactInfo::default()
        }
    }

    async fn destroy(&self, _: ArtifactDestroy) -> Outcome {
        Outcome::failed("only the host destroys")
    }
}

/// Makes of an artifact one called `packed`, and keeps a hold on the input.
#[derive(Clone, Default)]
struct Pack {
    kept: Arc<Mutex<Option<RemoteArtifact>>>,
}

impl PostProcessor for Pack {
    type PostProcess = Self;

    async fn prepare(&self, _: String, _: Context) -> Prepared<Self> {
        Prepared::ready(self.clone())
    }
}

impl PostProcess for Pack {
    async fn run(self, run: PostProcessRun) -> PostProcessOutcome<OfferedArtifact> {
        let input = run.artifact.describe().await.unwrap();
        run.ui.say(format!("{} of {}", input.id, run.generated_data)).await.unwrap();
        *self.kept.lock().unwrap() = Some(run.artifact);
        let artifact = OfferedArtifact::new(Disk("packed"));
        PostProcessOutcome::Artifact { artifact, input: InputFate::ForceKeep }
    }
}

async fn packing(pack: Pack) -> Pair {
    pair_offering(OfferedCapability::PostProcessor(OfferedPostProcessor::new(pack)), None).await
}

fn processing(lent: &Lent) -> PostProcessLent {
    PostProcessLent {
        ui: OfferedUi::new(lent.clone()),
        artifact: OfferedArtifact::new(Disk("disk")),
        generated_data: r#"{"ID":"7"}"#.to_owned(),
        environment: OfferedEnvironment::new(Bare),
        cancellation: lent.cancellation.clone(),
    }
}

async fn prepared(pair: &Pair) -> packwire_wire::RemotePostProcess {
    let RemoteCapability::PostProcessor(component) = &pair.component().capability else { panic!() };
    component.prepare("{}".to_owned(), Context::default()).await.unwrap().object.unwrap()
}

#[tokio::test]
async fn a_post_processor_makes_an_artifact_and_says_what_becomes_of_its_input() {
    let (pair, lent) = (packing(Pack::default()).await, Lent::default());
    let work = prepared(&pair).await;
    let outcome = work.run(processing(&lent)).await.unwrap();
    let PostProcessOutcome::Artifact { artifact, input } = outcome else { panic!("{outcome:?}") };
    assert_eq!((artifact.describe().await.unwrap().id.as_str(), input), ("packed", InputFate::ForceKeep));
    assert_eq!(lent.lines(), [r#"disk of {"ID":"7"}"#]);
    assert!(matches!(work.run(processing(&lent)).await.unwrap(), PostProcessOutcome::Failed(_)));
    work.close().await.unwrap();
}

// host.revokes-lent
#[tokio::test]
async fn the_input_of_a_post_processor_is_taken_back_with_its_answer() {
    let pack = Pack::default();
    let (pair, lent) = (packing(pack.clone()).await, Lent::default());
    prepared(&pair).await.run(processing(&lent)).await.unwrap();
    let kept = pack.kept.lock().unwrap().take().unwrap();
    let told = kept.describe().await.unwrap_err().to_string();
    assert!(told.contains("revoked"), "{told}");
}

/// Finds the text of its configuration, or nothing where that is empty.
struct Echo;

impl DataSource for Echo {
    type Query = Echoed;

    async fn prepare(&self, config: String, _: Context) -> Prepared<Echoed> {
        Prepared::ready(Echoed(config))
    }
}

struct Echoed(String);

impl Query for Echoed {
    async fn run(self, run: QueryRun) -> QueryOutcome {
        if run.cancellation.is_cancelled() {
            return QueryOutcome::Cancelled;
        }
        if self.0 == "{}" { QueryOutcome::Failed(Vec::new()) } else { QueryOutcome::Value(self.0) }
    }
}

#[tokio::test]
async fn a_data_source_yields_a_value_or_says_why_not() {
    let pair = pair_offering(OfferedCapability::DataSource(OfferedDataSource::new(Echo)), None).await;
    let RemoteCapability::DataSource(source) = &pair.component().capability else { panic!() };
    let lent = Lent::default();
    let queried = |config: &'static str| {
        let lent = QueryLent {
            ui: OfferedUi::new(lent.clone()),
            environment: OfferedEnvironment::new(Bare),
            cancellation: lent.cancellation.clone(),
        };
        async move {
            let prepared = source.prepare(config.to_owned(), Context::default()).await.unwrap();
            prepared.object.unwrap().run(lent).await.unwrap()
        }
    };
    assert_eq!(queried(r#"{"a":1}"#).await, QueryOutcome::Value(r#"{"a":1}"#.to_owned()));
    let QueryOutcome::Failed(why) = queried("{}").await else { panic!() };
    assert!(why.iter().any(packwire_wire::Diagnostic::is_error), "a failure says why");
}

/// Says what it was given, and what there is; then looks up what it can, and prepares it.
struct Tour;

impl HostCommand for Tour {
    async fn run(&self, run: HostCommandRun) -> i32 {
        run.ui.say(format!("{:?}", run.arguments)).await.unwrap();
        for component in run.components.list().await.unwrap() {
            run.ui.say(format!("{} {}", component.kind(), component.name)).await.unwrap();
        }
        assert!(run.components.find(Kind::Hook, "echo").await.unwrap().is_none());
        let found = run.components.find(Kind::DataSource, "echo").await.unwrap().unwrap();
        let RemoteCapability::DataSource(source) = found.capability else { return 1 };
        let prepared = source.prepare(r#"{"b":2}"#.to_owned(), Context::default()).await.unwrap();
        let lent = QueryLent {
            ui: (&run.ui).into(),
            environment: (&run.environment).into(),
            cancellation: run.cancellation.token().clone(),
        };
        let answer = prepared.object.unwrap().run(lent).await.unwrap();
        run.ui.say(format!("{answer:?}")).await.unwrap();
        42
    }
}

/// One component of another plugin.
struct Known(Component<RemoteCapability>);

impl Components for Known {
    async fn list(&self) -> Vec<Component<OfferedCapability>> {
        vec![self.0.clone().into()]
    }

    async fn find(&self, kind: Kind, _: String) -> Option<Component<OfferedCapability>> {
        (kind == self.0.capability.kind()).then(|| self.0.clone().into())
    }
}

#[tokio::test]
async fn a_command_uses_components_of_other_plugins() {
    let host = Room::open(tokio::runtime::Handle::current()).unwrap();
    let source = OfferedCapability::DataSource(OfferedDataSource::new(Echo));
    let source = pair_with(&host, source, None).await;
    let known = Component { name: "echo".to_owned(), ..source.component().clone() };
    let tour = OfferedCapability::Command(OfferedHostCommand::new(Tour));
    let pair = pair_with(&host, tour, None).await;
    let RemoteCapability::Command(command) = &pair.component().capability else { panic!() };
    let lent = Lent::default();
    let status = command.run(HostCommandLent {
        arguments: vec!["a b".to_owned(), String::new(), "ü".to_owned()],
        ui: OfferedUi::new(lent.clone()),
        environment: OfferedEnvironment::new(Bare),
        components: OfferedComponents::new(Known(known)),
        cancellation: lent.cancellation.clone(),
    });
    assert_eq!(status.await.unwrap(), 42);
    let said = [r#"["a b", "", "ü"]"#, "data-source echo", r#"Value("{\"b\":2}")"#];
    assert_eq!(lent.lines(), said);
}
