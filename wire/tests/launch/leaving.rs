//! A plugin is told to leave, and ended where it does not.
use std::time::{Duration, Instant};

use packwire_wire::process::Ended;
use rustix::process::Signal;

use crate::{
    behaviour::{Behaviour, Task},
    lent::Lent,
    rig::{LONG, lives, until},
    stage::{Stage, killed_by, leave, plugin, run, signal, told, wrapper},
};

const SHORT: Duration = Duration::from_millis(200);

async fn runs(lent: &Lent) {
    until("the run", || lent.lines().contains(&"running".to_owned()).then_some(())).await;
}

// host.keeps-link-after-leave
#[tokio::test]
async fn the_link_stays_until_the_plugin_has_hung_up() {
    let stage = Stage::new();
    let attached = stage.attached(Behaviour::WatchesLink).await;
    assert_eq!(leave(attached).await.ended, Ended::Exited(0));
}

#[tokio::test]
async fn a_plugin_with_a_run_cancels_it_and_leaves() {
    let (stage, lent) = (Stage::new(), Lent::default());
    let attached = stage.attached(Behaviour::Good).await;
    let running = run(&attached, Task::Waits, lent.plain()).await;
    runs(&lent).await;
    let departure = leave(attached).await;
    assert_eq!(departure.ended, Ended::Exited(0));
    assert_eq!(departure.last_lines, ["it is Good", "it was told to leave", "it was cancelled"]);
    // Whether the outcome or the end of the link comes first is the plugin's affair.
    if let Ok(built) = running.await.unwrap() {
        assert_eq!(told(&built), "cancelled");
    }
}

#[tokio::test]
async fn a_run_is_cancelled_without_ending_the_session() {
    let (stage, lent) = (Stage::new(), Lent::default());
    let attached = stage.attached(Behaviour::Good).await;
    let running = run(&attached, Task::Waits, lent.plain()).await;
    runs(&lent).await;
    lent.cancellation.cancel();
    assert_eq!(told(&running.await.unwrap().unwrap()), "cancelled");
    let built = run(&attached, Task::Nothing, Lent::default().plain()).await.await.unwrap().unwrap();
    assert_eq!(told(&built), "nothing");
    assert_eq!(leave(attached).await.ended, Ended::Exited(0));
}

// host.escalates
#[tokio::test]
async fn a_run_that_hangs_is_ended_after_the_grace() {
    let (stage, lent) = (Stage::new(), Lent::default());
    let attached = stage.attached(Behaviour::Good).await;
    let running = run(&attached, Task::Hangs, lent.plain()).await;
    runs(&lent).await;
    assert_eq!(attached.leave(SHORT).await.ended, killed_by("TERM"));
    assert!(running.await.unwrap().unwrap_err().is_link_lost());
}

#[tokio::test]
async fn a_plugin_that_hangs_up_and_stays_is_asked_to_terminate() {
    let stage = Stage::new();
    let (attached, left) = stage.watched(plugin(Behaviour::Stays)).await;
    assert_eq!(attached.leave(SHORT).await.ended, killed_by("TERM"));
    left.assert_nothing();
}

// host.escalates
#[tokio::test]
async fn a_plugin_that_does_not_heed_that_is_killed() {
    let stage = Stage::new();
    let (attached, left) = stage.watched(plugin(Behaviour::StaysForEver)).await;
    let departure = tokio::time::timeout(LONG, attached.leave(SHORT)).await.unwrap();
    assert_eq!(departure.ended, killed_by("KILL"));
    assert_eq!(departure.last_lines.last().unwrap(), "it was asked to terminate");
    left.assert_nothing();
}

// host.escalates
#[tokio::test]
async fn a_stopped_plugin_is_ended_after_the_grace() {
    let stage = Stage::new();
    let (attached, left) = stage.watched(plugin(Behaviour::Good)).await;
    signal(attached.id(), Signal::STOP);
    let departure = tokio::time::timeout(LONG, attached.leave(SHORT)).await.unwrap();
    // It goes on just before it ends, and may use that to leave in order.
    assert!([killed_by("TERM"), Ended::Exited(0)].contains(&departure.ended), "{departure:?}");
    left.assert_nothing();
}

// host.ends-whole-session
#[tokio::test]
async fn a_child_that_the_plugin_leaves_behind_is_ended() {
    let stage = Stage::new();
    let attached = stage.attached(Behaviour::LeavesChild).await;
    let child = stage.number("child").await;
    assert!(lives(child));
    let started = Instant::now();
    assert_eq!(leave(attached).await.ended, Ended::Exited(0));
    assert!(!lives(child));
    assert!(started.elapsed() < LONG);
}

#[tokio::test]
async fn a_wrapper_that_outlives_its_plugin_is_ended_after_the_grace() {
    let stage = Stage::new();
    let program = wrapper(r#""$0" Good; echo "plugin $?" >&2; exec sleep 1000"#);
    let (attached, left) = stage.watched(program).await;
    let departure = attached.leave(Duration::from_secs(2)).await;
    assert_eq!(departure.ended, killed_by("TERM"));
    assert_eq!(departure.last_lines.last().unwrap(), "plugin 0");
    left.assert_nothing();
}
