//! Whatever is dropped, and when: no process and no file is left.
use rustix::process::Signal;

use crate::{
    behaviour::{Behaviour, Task},
    lent::Lent,
    rig::{LONG, lives, until},
    stage::{Left, Stage, plugin, run, signal, wrapper},
};

#[tokio::test]
async fn a_plugin_that_has_just_been_launched() {
    let stage = Stage::new();
    let launched = stage.start(Behaviour::Good);
    let left = Left::of(&launched);
    drop(launched);
    left.assert_nothing();
}

#[tokio::test]
async fn a_plugin_that_is_about_to_attach() {
    let stage = Stage::new();
    let launched = stage.start(Behaviour::NeverAttaches);
    let left = Left::of(&launched);
    let attaching = tokio::spawn(launched.attach());
    stage.says("it is NeverAttaches").await;
    attaching.abort();
    assert!(attaching.await.unwrap_err().is_cancelled());
    left.assert_nothing();
}

#[tokio::test]
async fn a_plugin_at_any_moment_of_its_attaching() {
    for millis in (0..40).step_by(4) {
        let stage = Stage::new();
        let launched = stage.start(Behaviour::Good);
        let left = Left::of(&launched);
        let within = std::time::Duration::from_millis(millis);
        drop(tokio::time::timeout(within, launched.attach()).await);
        left.assert_nothing();
    }
}

#[tokio::test]
async fn a_plugin_that_has_attached() {
    let stage = Stage::new();
    let (attached, left) = stage.watched(plugin(Behaviour::LeavesChild)).await;
    let child = stage.number("child").await;
    drop(attached);
    left.assert_nothing();
    assert!(!lives(child));
}

#[tokio::test]
async fn a_plugin_that_runs_and_is_stopped() {
    let (stage, lent) = (Stage::new(), Lent::default());
    let (attached, left) = stage.watched(plugin(Behaviour::StaysForEver)).await;
    let running = run(&attached, Task::Hangs, lent.plain()).await;
    until("the run", || (lent.lines() == ["running"]).then_some(())).await;
    signal(attached.id(), Signal::STOP);
    drop(attached);
    left.assert_nothing();
    let broken = tokio::time::timeout(LONG, running).await.unwrap().unwrap().unwrap_err();
    assert!(broken.is_link_lost(), "{broken}");
}

#[tokio::test]
async fn a_plugin_that_was_told_to_leave() {
    let stage = Stage::new();
    let (attached, left) = stage.watched(plugin(Behaviour::StaysForEver)).await;
    let leaving = tokio::spawn(attached.leave(LONG));
    stage.says("it was told to leave").await;
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    left.assert_nothing();
}

#[tokio::test]
async fn a_plugin_below_a_wrapper_that_holds_its_output() {
    let stage = Stage::new();
    let program = wrapper(r#""$0" Good & echo "child $!" >&2; sleep 1000"#);
    let (attached, left) = stage.watched(program).await;
    let child = stage.number("child").await;
    drop(attached);
    left.assert_nothing();
    assert!(!lives(child));
}

#[tokio::test]
async fn by_a_panic_before_attach() {
    let stage = Stage::new();
    let launched = stage.start(Behaviour::NeverAttaches);
    let left = Left::of(&launched);
    let panicked = tokio::spawn(async move {
        let _owned = launched;
        panic!("while a plugin is launched");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    left.assert_nothing();
}

#[tokio::test]
async fn by_a_panic_in_the_session() {
    let stage = Stage::new();
    let (attached, left) = stage.watched(plugin(Behaviour::LeavesChild)).await;
    let child = stage.number("child").await;
    let panicked = tokio::spawn(async move {
        let _owned = attached;
        panic!("while a plugin is attached");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    left.assert_nothing();
    assert!(!lives(child));
}
