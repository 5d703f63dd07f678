//! Answers that mean nothing: they are failures that say so, and the session goes on.
use packwire_wire::process::Ended;

use crate::{
    behaviour::{Behaviour, Task},
    lent::Lent,
    stage::{Stage, leave, prepare, run},
};

/// What is told of the answer to a run.
async fn told(behaviour: Behaviour) -> String {
    let stage = Stage::new();
    let attached = stage.attached(behaviour).await;
    let broken = run(&attached, Task::Nothing, Lent::default().plain()).await.await.unwrap().unwrap_err();
    assert!(!broken.is_link_lost(), "{broken}");
    prepare(&attached, Task::Nothing.name()).await;
    assert_eq!(leave(attached).await.ended, Ended::Exited(0));
    broken.to_string()
}

// host.refuses-unknown-members
#[tokio::test]
async fn an_outcome_that_nobody_set() {
    let told = told(Behaviour::AnswersUnset).await;
    insta::assert_snapshot!(told, @"`Build.run` answered against the protocol: `outcome` is unset");
}

// host.refuses-unknown-members
#[tokio::test]
async fn an_outcome_that_nobody_knows() {
    let told = told(Behaviour::AnswersUnknown).await;
    insta::assert_snapshot!(told, @"`Build.run` answered against the protocol: `outcome` has the unknown member 4711");
}

// host.never-pipelines
#[tokio::test]
async fn an_artifact_that_is_null() {
    let told = told(Behaviour::AnswersNull).await;
    insta::assert_snapshot!(told, @"`Build.run` answered against the protocol: `artifact` is null");
}
