//! A plugin over its bounds loses its session.
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use packwire_wire::{
    BuildLent, CommandIo, Communicator, CommunicatorInfo, Diagnostic, Environment, Exit, FileInfo,
    OfferedCommunicator, OfferedEnvironment, Outcome, RemoteCancellation, RemoteCommand, StreamReceiver,
    StreamSender, limits,
};
use tokio::sync::Semaphore;

use crate::{
    behaviour::{Behaviour, Task},
    lent::Lent,
    rig::LONG,
    stage::{Stage, plugin, run},
};

/// Runs this and sees the session end, at once and altogether.
async fn loses_its_session(behaviour: Behaviour, task: Task, lent: BuildLent) {
    let stage = Stage::new();
    let (attached, left) = stage.watched(plugin(behaviour)).await;
    let running = run(&attached, task, lent).await;
    let broken = tokio::time::timeout(LONG, running).await.unwrap().unwrap().unwrap_err();
    assert!(broken.is_link_lost(), "{broken}");
    tokio::time::timeout(LONG, attached.gone().cancelled()).await.unwrap();
    attached.post_mortem(tokio::time::sleep(LONG)).await;
    left.assert_nothing();
}

// host.closes-after-violation
#[tokio::test]
async fn with_8193_calls_unanswered() {
    let lent = Lent::default().build(|_| std::future::pending());
    loses_its_session(Behaviour::CallsTooMuch, Task::Nothing, lent).await;
}

// host.stream-bounds
#[tokio::test]
async fn a_handle_leaves_64_calls_of_one_object_unanswered_and_no_more() {
    let (open, waiting, most) = (Arc::new(Semaphore::new(0)), Arc::default(), Arc::default());
    let gate: (Arc<Semaphore>, Arc<AtomicUsize>, Arc<AtomicUsize>) = (open, waiting, Arc::clone(&most));
    let lent = Lent::default();
    let build = lent.build(move |_| {
        let (open, waiting, most) = gate.clone();
        async move {
            let now = waiting.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            // Nobody is answered before as many wait as may.
            if now == limits::OPEN_CALLS {
                open.add_permits(100);
            }
            drop(open.acquire().await.unwrap());
            waiting.fetch_sub(1, Ordering::SeqCst);
            Outcome::Done
        }
    });
    let stage = Stage::new();
    let attached = stage.attached(Behaviour::Good).await;
    run(&attached, Task::CallsOften, build).await.await.unwrap().unwrap();
    assert_eq!(lent.lines(), ["100"]);
    assert_eq!(most.load(Ordering::SeqCst), limits::OPEN_CALLS);
}

// host.closes-after-violation
#[tokio::test]
async fn with_65_writes_unanswered_on_one_stream() {
    let lent = BuildLent { environment: OfferedEnvironment::new(Machines), ..Lent::default().plain() };
    loses_its_session(Behaviour::WritesTooMuch, Task::Nothing, lent).await;
}

/// Lends machines.
struct Machines;

impl Environment for Machines {
    async fn communicator(&self, _: String, _: String) -> Result<OfferedCommunicator, Vec<Diagnostic>> {
        Ok(OfferedCommunicator::new(Busy))
    }
}

/// A machine that reads nothing.
struct Busy;

impl Communicator for Busy {
    async fn info(&self) -> CommunicatorInfo {
        CommunicatorInfo::default()
    }

    async fn run(&self, _: RemoteCommand, _: CommandIo) -> Exit {
        Exit::failed("busy")
    }

    async fn upload(&self, _: String, _: FileInfo, content: StreamReceiver) -> Outcome {
        let _unread = content;
        std::future::pending().await
    }

    async fn download(&self, _: String, _: StreamSender, _: RemoteCancellation) -> (Outcome, FileInfo) {
        (Outcome::failed("busy"), FileInfo::default())
    }
}
