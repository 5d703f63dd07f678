//! What a host calls and lends, and what it never does.
#![expect(clippy::panic, reason = "what goes wrong in a test ends it")]
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use futures::future::join_all;
use packwire_wire::{
    Artifact, ArtifactDestroy, ArtifactInfo, BuildOutcome, Context, HookLent, HookRun, OfferedArtifact,
    OfferedCapability, OfferedCommunicator, OfferedEnvironment, OfferedProvisioner, OfferedUi, Outcome,
    PROVISION, Prepared, Provision, ProvisionLent, ProvisionRun, Provisioner, RemoteCapability, RemoteHook,
    RemoteProgress, RemoteUi, Room,
};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::support::{Lent, Pair, builder, failure, pair, pair_with};

/// Longer than anything here may take.
const LONG: Duration = Duration::from_secs(20);

struct Note;

impl Artifact for Note {
    async fn describe(&self) -> ArtifactInfo {
        ArtifactInfo { builder_id: "test.note".to_owned(), id: "1".to_owned(), ..ArtifactInfo::default() }
    }

    async fn destroy(&self, _: ArtifactDestroy) -> Outcome {
        Outcome::Done
    }
}

// host.never-pipelines, host.awaits-every-call
#[tokio::test]
async fn a_host_calls_only_what_it_was_answered() {
    let pair = pair(|_| async { BuildOutcome::Artifact(OfferedArtifact::new(Note)).into() }).await;
    let build = pair.prepare().await;
    let built = build.run(Lent::default().plain()).await.unwrap();
    let BuildOutcome::Artifact(artifact) = built.outcome else { panic!("{built:?}") };
    artifact.describe().await.unwrap();
    artifact.destroy(None, CancellationToken::new()).await.unwrap();
    build.close().await.unwrap();
    // Each could be called on the promise of the one before; the tap says whether one was.
    assert_eq!(pair.tap.calls(), 5);
}

/// Calls the hook so often, at once, with so much.
async fn calls_at_once(hook: &RemoteHook, calls: usize, bytes: usize) {
    let call = || {
        let cancellation = CancellationToken::new().into();
        let data = "x".repeat(bytes);
        hook.run(PROVISION, HookLent { ui: None, communicator: None, data, environment: None, cancellation })
    };
    join_all((0..calls).map(|_| call())).await;
}

// host.reads-live-links
#[tokio::test]
async fn a_host_that_cannot_write_reads_on() {
    const CALLS: usize = 60;
    let (begun, mut begin) = mpsc::unbounded_channel();
    let release = Arc::new(Notify::new());
    let released = release.clone();
    let pair = pair(move |run| {
        let (begun, released) = (begun.clone(), released.clone());
        async move {
            begun.send(()).unwrap();
            released.notified().await;
            calls_at_once(&run.hook, CALLS, 100 << 10).await;
            BuildOutcome::Nothing.into()
        }
    })
    .await;
    let (heard, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let lent = Lent::default().build({
        let all = all.clone();
        move |_| {
            let (heard, all) = (heard.clone(), all.clone());
            async move {
                if heard.fetch_add(1, Ordering::SeqCst) + 1 == CALLS {
                    all.notify_one();
                }
                Outcome::Done
            }
        }
    });
    let (build, builder) = (pair.prepare().await, pair.builder());
    let running = tokio::spawn(async move { build.run(lent).await });
    begin.recv().await.unwrap();
    pair.tap.hold();
    // Far more than fits into the pipe that nobody empties now.
    let config = format!("\"{}\"", "x".repeat(1 << 20));
    let preparing = tokio::spawn(async move { builder.prepare(config, Context::default()).await });
    release.notify_one();
    tokio::time::timeout(LONG, all.notified()).await.unwrap();
    pair.tap.let_go();
    preparing.await.unwrap().unwrap();
    assert_eq!(failure(running.await.unwrap().unwrap()), "nothing");
}

/// A provisioner that keeps what it was lent.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Option<(RemoteUi, RemoteProgress)>>>);

impl Provisioner for Keeper {
    type Provision = Self;

    async fn prepare(&self, _: String, _: Context) -> Prepared<Self> {
        Prepared::ready(self.clone())
    }
}

impl Provision for Keeper {
    async fn run(self, run: ProvisionRun) -> Outcome {
        run.ui.say("provisioning").await.unwrap();
        let progress = run.ui.progress("copy", 2).await.unwrap();
        progress.update(1).await.unwrap();
        *self.0.lock().unwrap() = Some((run.ui, progress));
        Outcome::Done
    }
}

/// Has the provisioner of another plugin run with the Ui that a builder has lent.
async fn provision(provisioner: &Pair, run: HookRun) -> Outcome {
    let RemoteCapability::Provisioner(component) = &provisioner.component().capability else { panic!() };
    let prepared = component.prepare("{}".to_owned(), Context::default()).await.unwrap().object.unwrap();
    let lent = ProvisionLent {
        ui: (&run.ui.unwrap()).into(),
        communicator: None,
        generated_data: String::new(),
        environment: OfferedEnvironment::new(Bare),
        cancellation: CancellationToken::new(),
    };
    prepared.run(lent).await.unwrap()
}

struct Bare;

impl packwire_wire::Environment for Bare {
    async fn communicator(
        &self,
        _: String,
        _: String,
    ) -> Result<OfferedCommunicator, Vec<packwire_wire::Diagnostic>> {
        Err(Vec::new())
    }
}

// host.wraps-lent, host.revokes-lent
#[tokio::test]
async fn what_one_plugin_lends_another_one_has_until_it_answers() {
    let host = Room::open(tokio::runtime::Handle::current()).unwrap();
    let keeper = Keeper::default();
    let offered = OfferedCapability::Provisioner(OfferedProvisioner::new(keeper.clone()));
    let provisioner = Arc::new(pair_with(&host, offered, None).await);
    let builders = Lent::default();
    let own = builders.clone();
    let offered = OfferedCapability::Builder(builder(move |run| {
        let ui = OfferedUi::new(own.clone());
        async move {
            let cancellation = CancellationToken::new().into();
            let (ui, data) = (Some(ui), String::new());
            let lent = HookLent { ui, communicator: None, data, environment: None, cancellation };
            run.hook.run(PROVISION, lent).await.unwrap();
            BuildOutcome::Nothing.into()
        }
    }));
    let pair = pair_with(&host, offered, None).await;
    let (late, mut told) = mpsc::unbounded_channel();
    let lent = Lent::default().build(move |run| {
        let (provisioner, keeper, late) = (provisioner.clone(), keeper.clone(), late.clone());
        async move {
            assert_eq!(provision(&provisioner, run).await, Outcome::Done);
            // The builder's own loan goes on: only what was lent to the provisioner is taken back.
            let (ui, progress) = keeper.0.lock().unwrap().take().unwrap();
            ui.say("too late").await.unwrap();
            late.send([ui.flush().await.unwrap_err(), progress.update(2).await.unwrap_err()]).unwrap();
            Outcome::Done
        }
    });
    assert_eq!(failure(pair.prepare().await.run(lent).await.unwrap()), "nothing");
    for refused in told.recv().await.unwrap() {
        assert!(refused.to_string().contains("revoked"), "{refused}");
    }
    assert_eq!(builders.lines(), ["provisioning", "progress copy of 2", "progress 1"]);
}
