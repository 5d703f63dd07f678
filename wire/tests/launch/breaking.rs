//! A plugin, or its host, breaks off.
use std::time::{Duration, Instant};

use packwire_wire::process::{Ended, Program};
use rustix::process::Signal;

use crate::{
    behaviour::{Behaviour, Task},
    lent::Lent,
    rig::{LONG, Running, entries, lives, script, until},
    stage::{PLUGIN, Stage, killed_by, leave, plugin, prepare, run, signal, told, wrapper},
};

#[tokio::test]
async fn a_plugin_that_is_killed_in_a_call_is_described() {
    let (stage, lent) = (Stage::new(), Lent::default());
    let (attached, left) = stage.watched(plugin(Behaviour::Good)).await;
    let running = run(&attached, Task::Hangs, lent.plain()).await;
    until("the run", || (lent.lines() == ["running"]).then_some(())).await;
    signal(attached.id(), Signal::KILL);
    let broken = running.await.unwrap().unwrap_err();
    assert!(broken.is_link_lost());
    assert_eq!(broken.to_string(), "the link broke before `Build.run` answered");
    tokio::time::timeout(LONG, attached.gone().cancelled()).await.unwrap();
    let departure = attached.post_mortem(tokio::time::sleep(LONG)).await;
    assert_eq!(departure.ended, killed_by("KILL"));
    assert_eq!(departure.last_lines, ["it is Good", "[WARN] it will hang"]);
    left.assert_nothing();
}

#[tokio::test]
async fn a_plugin_that_exits_in_a_call_is_described() {
    let stage = Stage::new();
    let attached = stage.attached(Behaviour::Good).await;
    let broken = run(&attached, Task::Exits, Lent::default().plain()).await.await.unwrap().unwrap_err();
    assert!(broken.is_link_lost());
    let departure = attached.post_mortem(tokio::time::sleep(LONG)).await;
    assert_eq!(departure.ended, Ended::Exited(9));
    assert_eq!(departure.last_lines, ["it is Good", "[ERROR] out of disk"]);
}

#[tokio::test]
async fn a_plugin_below_a_wrapper_that_is_killed_is_described() {
    let (stage, lent) = (Stage::new(), Lent::default());
    let program = wrapper(r#""$0" Good & echo "child $!" >&2; wait "$!""#);
    let attached = stage.launch(program).start(&stage.room).unwrap().attach().await.unwrap();
    let running = run(&attached, Task::Hangs, lent.plain()).await;
    until("the run", || (lent.lines() == ["running"]).then_some(())).await;
    signal(stage.number("child").await, Signal::KILL);
    assert!(running.await.unwrap().unwrap_err().is_link_lost());
    // The shell says that its child was killed by signal 9.
    assert_eq!(attached.post_mortem(tokio::time::sleep(LONG)).await.ended, Ended::Exited(128 + 9));
}

#[tokio::test]
async fn a_plugin_that_has_lost_its_link_may_leave_by_itself() {
    let stage = Stage::new();
    let (attached, left) = stage.watched(plugin(Behaviour::Good)).await;
    let departure = tokio::time::timeout(LONG, attached.post_mortem(std::future::pending())).await.unwrap();
    assert_eq!(departure.ended, Ended::Exited(4));
    left.assert_nothing();
}

#[tokio::test]
async fn a_plugin_that_has_lost_its_link_and_stays_is_ended_when_patience_is() {
    let stage = Stage::new();
    let (attached, left) = stage.watched(plugin(Behaviour::StaysAlone)).await;
    let noticed = stage.says("the link broke before `Host.attach` answered");
    let departure = tokio::time::timeout(LONG, attached.post_mortem(noticed)).await.unwrap();
    assert_eq!(departure.ended, killed_by("TERM"));
    left.assert_nothing();
}

#[tokio::test]
async fn every_call_on_a_broken_link_fails_at_once() {
    let stage = Stage::new();
    let attached = stage.attached(Behaviour::Good).await;
    let build = prepare(&attached, Task::Nothing.name()).await;
    signal(attached.id(), Signal::KILL);
    attached.gone().cancelled().await;
    assert!(build.run(Lent::default().plain()).await.unwrap_err().is_link_lost());
    assert!(build.close().await.unwrap_err().is_link_lost());
}

#[tokio::test]
async fn a_panic_of_the_author_fails_the_call_and_the_session_lives() {
    let stage = Stage::new();
    let attached = stage.attached(Behaviour::Good).await;
    for _ in 0..2 {
        let built = run(&attached, Task::Panics, Lent::default().plain()).await.await.unwrap().unwrap();
        assert_eq!(told(&built), "a bug in the implementation: it panicked: out of cheese");
    }
    assert_eq!(leave(attached).await.ended, Ended::Exited(0));
}

#[tokio::test]
async fn a_plugin_whose_neighbour_breaks_goes_on() {
    let stage = Stage::new();
    let (one, other) = (stage.attached(Behaviour::Good).await, stage.attached(Behaviour::Good).await);
    signal(one.id(), Signal::KILL);
    one.gone().cancelled().await;
    let built = run(&other, Task::Nothing, Lent::default().plain()).await.await.unwrap().unwrap();
    assert_eq!(told(&built), "nothing");
    one.post_mortem(tokio::time::sleep(LONG)).await;
    assert_eq!(leave(other).await.ended, Ended::Exited(0));
}

#[tokio::test]
async fn a_plugin_whose_host_is_killed_goes_within_a_second_and_leaves_no_file() {
    let temporary = tempfile::tempdir().unwrap();
    let mut program = Program {
        executable: PLUGIN.into(),
        arguments: [Behaviour::Host, Behaviour::Good].map(|one| one.name().into()).into(),
        ..script("")
    };
    program.environment.push(("TMPDIR".into(), temporary.path().into()));
    let mut host = Running::start(&program);
    let orphan = Orphan(host.number("plugin").await);
    host.says("it is Good").await;
    assert!(lives(orphan.0));
    signal(host.session.id(), Signal::KILL);
    let killed = Instant::now();
    until("the plugin's end", || (!lives(orphan.0)).then_some(())).await;
    assert!(killed.elapsed() < Duration::from_secs(1), "{:?}", killed.elapsed());
    host.logs.finish(LONG).await;
    assert_eq!(entries(temporary.path()), [] as [std::path::PathBuf; 0]);
}

/// A plugin that would be left when the test fails: its session is none of its host's.
struct Orphan(u32);

impl Drop for Orphan {
    fn drop(&mut self) {
        if lives(self.0) {
            signal(self.0, Signal::KILL);
        }
    }
}
