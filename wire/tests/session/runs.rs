//! Builds: what is lent to them, how they end, and what ends with them.
use std::sync::{Arc, Mutex};

use packwire_wire::{
    Artifact, ArtifactDestroy, ArtifactInfo, BuildOutcome, End, OfferedArtifact, OfferedUi, Outcome,
    RemoteCancellation, RemoteUi,
};
use tokio_util::sync::CancellationToken;

use crate::support::{self, Lent, failed, failure, pair};

struct Note;

impl Artifact for Note {
    async fn describe(&self) -> ArtifactInfo {
        ArtifactInfo { builder_id: "test.note".to_owned(), id: "1".to_owned(), ..ArtifactInfo::default() }
    }
    async fn state(&self, name: String) -> Option<String> {
        (name == "colour").then(|| "\"red\"".to_owned())
    }
    async fn destroy(&self, destroy: ArtifactDestroy) -> Outcome {
        destroy.ui.unwrap().say("going").await.unwrap();
        Outcome::Done
    }
}

#[tokio::test]
async fn a_build_answers_with_an_artifact_that_outlives_it() {
    let pair = pair(|_| async { BuildOutcome::Artifact(OfferedArtifact::new(Note)).into() }).await;
    let lent = Lent::default();
    let built = pair.prepare().await.run(lent.plain()).await.unwrap();
    let BuildOutcome::Artifact(artifact) = built.outcome else { panic!("{built:?}") };
    assert_eq!(artifact.describe().await.unwrap().builder_id, "test.note");
    assert_eq!(artifact.state("colour").await.unwrap().as_deref(), Some("\"red\""));
    assert_eq!(artifact.state("size").await.unwrap(), None);
    let destroyed = artifact.destroy(Some(OfferedUi::new(lent.clone())), CancellationToken::new()).await;
    assert_eq!(destroyed.unwrap(), Outcome::Done);
    assert_eq!(lent.lines(), ["going"]);
    artifact.close().await.unwrap();
}

#[tokio::test]
async fn ten_thousand_lines_arrive_in_order_before_the_run_answers() {
    let pair = pair(|run| async move {
        for number in 0..10_000 {
            run.ui.say(number.to_string()).await.unwrap();
        }
        BuildOutcome::Nothing.into()
    })
    .await;
    let lent = Lent::default();
    pair.prepare().await.run(lent.plain()).await.unwrap();
    assert_eq!(lent.lines(), (0..10_000).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(lent.said.lock().unwrap().len() < 10_000, "lines that wait are joined");
}

#[tokio::test]
async fn what_a_person_is_asked_and_shown_comes_through() {
    let pair = pair(|run| async move {
        let reply = run.ui.ask("name?", false).await.unwrap();
        let progress = run.ui.progress("copy", 10).await.unwrap();
        progress.update(5).await.unwrap();
        progress.finish().await.unwrap();
        run.ui.machine("artifact", vec!["0".to_owned()]).await.unwrap();
        run.ui.mask("secret").await.unwrap();
        failed(format!("{reply:?}"))
    })
    .await;
    let lent = Lent::default();
    let built = pair.prepare().await.run(lent.plain()).await.unwrap();
    assert_eq!(failure(built), "Answer(\"answer to name?\")");
    assert_eq!(
        lent.lines(),
        ["progress copy of 10", "progress 5", "finished", "artifact [\"0\"]", "mask secret"]
    );
}

#[tokio::test]
async fn a_build_runs_once() {
    let pair = pair(|_| async { BuildOutcome::Nothing.into() }).await;
    let (build, lent) = (pair.prepare().await, Lent::default());
    assert_eq!(failure(build.run(lent.plain()).await.unwrap()), "nothing");
    assert_eq!(failure(build.run(lent.plain()).await.unwrap()), "what was prepared runs once: prepare again");
}

#[tokio::test]
async fn a_panic_of_the_author_is_a_failed_outcome_and_the_session_lives() {
    let pair = pair(|_| async { panic!("out of cheese") }).await;
    for _ in 0..2 {
        let built = pair.prepare().await.run(Lent::default().plain()).await.unwrap();
        assert_eq!(failure(built), "a bug in the implementation: it panicked: out of cheese");
    }
}

#[tokio::test]
async fn a_plugin_that_blocks_its_thread_still_answers() {
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let pair = pair(move |_| {
        let blocked = blocked.clone();
        // On a thread of its own, since the tests' runtime has only one.
        async move {
            tokio::task::spawn_blocking(move || blocked.lock().unwrap().recv().unwrap()).await.unwrap();
            BuildOutcome::Nothing.into()
        }
    })
    .await;
    let build = pair.prepare().await;
    let running = tokio::spawn(async move { build.run(Lent::default().plain()).await });
    let other = pair.prepare().await;
    other.close().await.unwrap();
    release.send(()).unwrap();
    assert_eq!(failure(running.await.unwrap().unwrap()), "nothing");
}

#[tokio::test]
async fn cancelling_reaches_the_run() {
    let pair = pair(|run| async move {
        run.cancellation.cancelled().await;
        BuildOutcome::Cancelled.into()
    })
    .await;
    let lent = Lent::default();
    lent.cancellation.cancel();
    assert_eq!(failure(pair.prepare().await.run(lent.plain()).await.unwrap()), "cancelled");
}

// host.revokes-lent, host.cancel-never-late
#[tokio::test]
async fn what_was_lent_is_revoked_when_the_run_has_answered() {
    let (keep, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let pair = pair(move |run| {
        let keep = keep.clone();
        async move {
            keep.send((run.ui.clone(), run.cancellation.clone())).unwrap();
            BuildOutcome::Nothing.into()
        }
    })
    .await;
    let lent = Lent::default();
    pair.prepare().await.run(lent.plain()).await.unwrap();
    let (ui, cancellation): (RemoteUi, RemoteCancellation) = kept.recv().await.unwrap();
    ui.say("too late").await.unwrap();
    let refused = ui.flush().await.unwrap_err().to_string();
    assert!(refused.contains("revoked"), "{refused}");
    assert!(lent.lines().is_empty());
    lent.cancellation.cancel();
    assert!(!cancellation.is_cancelled(), "a wait that is over is never answered");
}

// host.awaits-every-call
#[tokio::test]
async fn dropping_the_handle_does_not_abandon_the_call() {
    let (finished, mut finish) = tokio::sync::mpsc::unbounded_channel();
    let (begun, mut begin) = tokio::sync::mpsc::unbounded_channel();
    let release = CancellationToken::new();
    let released = release.clone();
    let pair = pair(move |run| {
        let (begun, finished, released) = (begun.clone(), finished.clone(), released.clone());
        async move {
            begun.send(()).unwrap();
            released.cancelled().await;
            finished.send(run.ui.say("still lent").await.is_ok() && run.ui.flush().await.is_ok()).unwrap();
            BuildOutcome::Nothing.into()
        }
    })
    .await;
    let (build, lent) = (pair.prepare().await, Lent::default());
    let running = tokio::spawn({
        let lent = lent.plain();
        async move { build.run(lent).await }
    });
    begin.recv().await.unwrap();
    running.abort();
    drop(running.await);
    release.cancel();
    assert_eq!(finish.recv().await, Some(true));
    assert_eq!(lent.lines(), ["still lent"]);
}

#[tokio::test]
async fn a_broken_link_cancels_the_run_and_fails_the_call() {
    let (cancelled, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let (begun, mut begin) = tokio::sync::mpsc::unbounded_channel();
    let pair = pair(move |run| {
        let (cancelled, begun) = (cancelled.clone(), begun.clone());
        async move {
            begun.send(()).unwrap();
            run.cancellation.cancelled().await;
            cancelled.send(()).unwrap();
            BuildOutcome::Cancelled.into()
        }
    })
    .await;
    let build = pair.prepare().await;
    let running = tokio::spawn(async move { build.run(Lent::default().plain()).await });
    begin.recv().await.unwrap();
    drop(pair.guest);
    seen.recv().await.unwrap();
    let broken = running.await.unwrap().unwrap_err();
    assert!(broken.is_link_lost(), "{broken}");
    let mut attachment = pair.attachment;
    assert!(attachment.ended().await.unwrap_err().is_link_lost());
}

#[tokio::test]
async fn the_last_answer_arrives_before_the_link_is_closed() {
    let (begun, mut begin) = tokio::sync::mpsc::unbounded_channel();
    let pair = pair(move |run| {
        let begun = begun.clone();
        async move {
            begun.send(()).unwrap();
            run.cancellation.cancelled().await;
            BuildOutcome::Cancelled.into()
        }
    })
    .await;
    let build = pair.prepare().await;
    let running = tokio::spawn(async move { build.run(Lent::default().plain()).await });
    begin.recv().await.unwrap();
    pair.attachment.link().stop_work();
    pair.attachment.link().answered().await;
    drop(pair.attachment);
    assert_eq!(failure(running.await.unwrap().unwrap()), "cancelled");
}

#[tokio::test]
async fn leave_answers_attach() {
    let support::Pair { guest, mut attachment, tap: _tap } =
        pair(|_| async { BuildOutcome::Nothing.into() }).await;
    let _link = guest.dismiss();
    assert_eq!(attachment.ended().await.unwrap(), End::Leave);
}

// host.message-bounds
#[tokio::test]
async fn a_message_over_the_limit_is_not_sent() {
    let pair = pair(|_| async { BuildOutcome::Nothing.into() }).await;
    let config = format!("\"{}\"", "x".repeat(9 << 20));
    let broken = pair.builder().prepare(config, packwire_wire::Context::default()).await.unwrap_err();
    let told = broken.to_string();
    assert!(told.starts_with("`ImageBuilder.prepare` needs a message of 94"), "{told}");
    assert!(told.ends_with(" bytes, and 8388608 is the limit"), "{told}");
    pair.prepare().await;
}
