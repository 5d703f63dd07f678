//! Why a plugin cannot be used, as its user reads it. Nothing is left of it.
use std::{error::Error, time::Duration};

use packwire_wire::process::{Launch, NotAttached, Program, Transport};

use crate::{
    behaviour::Behaviour,
    rig::LONG,
    stage::{Left, Stage, plugin, wrapper},
};

async fn refused(behaviour: Behaviour) -> NotAttached {
    let stage = Stage::new();
    stage.refused(stage.launch(plugin(behaviour))).await
}

/// The message with its causes, and the last lines.
fn told(refused: &NotAttached) -> String {
    let mut told = refused.to_string();
    let mut cause = refused.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    for line in last_lines(refused) {
        told = format!("{told}\n  {line}");
    }
    told
}

fn last_lines(refused: &NotAttached) -> &[String] {
    match refused {
        NotAttached::Exited(departure) => &departure.last_lines,
        NotAttached::Late { last_lines, .. } | NotAttached::Refused { last_lines, .. } => last_lines,
        _ => &[],
    }
}

#[tokio::test]
async fn a_program_that_is_not_there() {
    let stage = Stage::new();
    let program = Program { executable: "/nowhere/packer-builder-x".into(), ..plugin(Behaviour::Good) };
    let refused = stage.launch(program).start(&stage.room).err().unwrap();
    insta::assert_snapshot!(told(&refused), @"it could not be started: /nowhere/packer-builder-x: No such file or directory (os error 2)");
}

// host.listens-first
#[tokio::test]
async fn a_place_to_listen_that_cannot_be_had_is_told_before_anything_is_started() {
    let stage = Stage::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    // Whoever started it before it listens learns first that there is nothing to start.
    let program = Program { executable: "/nowhere/packer-builder-x".into(), ..plugin(Behaviour::Good) };
    let launch = Launch { transport: Transport::Tcp(port..=port), ..stage.launch(program) };
    let refused = told(&launch.start(&stage.room).err().unwrap());
    assert!(refused.starts_with("it could not be started: the host finds no free port from "), "{refused}");
}

#[tokio::test]
async fn a_program_that_is_none() {
    let stage = Stage::new();
    let program = Program { executable: "/etc/passwd".into(), ..plugin(Behaviour::Good) };
    let refused = stage.launch(program).start(&stage.room).err().unwrap();
    insta::assert_snapshot!(told(&refused), @"it could not be started: /etc/passwd: Permission denied (os error 13)");
}

#[tokio::test]
async fn a_plugin_that_exits_before_it_attaches() {
    insta::assert_snapshot!(told(&refused(Behaviour::ExitsFirst).await), @r"
    it exited with status 7 before it attached
      it is ExitsFirst
      [ERROR] there is no licence
    ");
}

#[tokio::test]
async fn a_plugin_that_is_killed_before_it_attaches() {
    let stage = Stage::new();
    let launch = stage.launch(wrapper("echo going >&2; kill -KILL $$"));
    insta::assert_snapshot!(told(&stage.refused(launch).await), @r"
    it was killed by signal KILL before it attached
      going
    ");
}

// host.pipes-do-not-bind
#[tokio::test]
async fn a_wrapper_that_exits_while_its_child_holds_its_stderr() {
    let stage = Stage::new();
    let launch = stage.launch(wrapper(r#"echo "[ERROR] no child" >&2; sleep 1000 & exit 5"#));
    let refused = tokio::time::timeout(LONG, stage.refused(launch)).await.unwrap();
    insta::assert_snapshot!(told(&refused), @r"
    it exited with status 5 before it attached
      [ERROR] no child
    ");
}

/// Starts what prints this line and then lets its time go by.
async fn late(program: Program, line: &str) -> NotAttached {
    let stage = Stage::new();
    let launch = Launch { within: Duration::from_millis(300), ..stage.launch(program) };
    let launched = launch.start(&stage.room).unwrap();
    let left = Left::of(&launched);
    stage.says(line).await;
    let refused = launched.attach().await.unwrap_err();
    left.assert_nothing();
    refused
}

// host.attach-deadline
#[tokio::test]
async fn a_plugin_that_never_attaches() {
    let refused = late(plugin(Behaviour::NeverAttaches), "it is NeverAttaches").await;
    insta::assert_snapshot!(told(&refused), @r"
    it did not attach within 0.3 s
      it is NeverAttaches
    ");
}

#[tokio::test]
async fn a_program_that_dials_nobody() {
    let refused = late(wrapper("echo printed; exec sleep 1000"), "printed").await;
    insta::assert_snapshot!(told(&refused), @r"
    it did not attach within 0.3 s
      printed
    ");
}

#[tokio::test]
async fn a_plugin_with_another_token() {
    insta::assert_snapshot!(told(&refused(Behaviour::OtherToken).await), @r"
    it exited with status 3 before it attached
      it is OtherToken
      it was refused: the token is not the one of this launch
    ");
}

// host.checks-version
#[tokio::test]
async fn a_plugin_that_chose_a_version_that_nobody_offered() {
    insta::assert_snapshot!(told(&refused(Behaviour::OtherVersion).await), @r"
    it attached against the protocol: it chose protocol version 9, and the host offers 1
      it is OtherVersion
      it was refused: it chose protocol version 9, and the host offers 1
    ");
}

// host.names-older-side
#[tokio::test]
async fn a_plugin_that_is_newer_than_its_host() {
    insta::assert_snapshot!(told(&refused(Behaviour::NewerVersions).await), @"no protocol version in common: the plugin speaks 7, the host 1; the host is older: upgrade it, or use an older plugin");
}

// host.names-older-side
#[tokio::test]
async fn a_plugin_that_is_older_than_its_host() {
    let stage = Stage::new();
    let offer = "8,9".parse().unwrap();
    let launch = Launch { offer, ..stage.launch(plugin(Behaviour::NewerVersions)) };
    insta::assert_snapshot!(told(&stage.refused(launch).await), @"no protocol version in common: the plugin speaks 7, the host 8,9; the plugin is older: upgrade it, or use an older host");
}

#[tokio::test]
async fn a_plugin_of_packers_own() {
    insta::assert_snapshot!(told(&refused(Behaviour::IsPackers).await), @"this is a plugin of Packer's own protocol, which is not Packwire's");
}

// host.checks-hello
#[tokio::test]
async fn a_plugin_without_a_name() {
    insta::assert_snapshot!(told(&refused(Behaviour::Nameless).await), @r"
    it attached against the protocol: its name has 0 bytes: 1 to 255 can be used
      it is Nameless
      it was refused: its name has 0 bytes: 1 to 255 can be used
    ");
}

#[tokio::test]
async fn a_plugin_with_a_name_of_two_lines() {
    insta::assert_snapshot!(told(&refused(Behaviour::TwoLineName).await), @r#"
    it attached against the protocol: its name "te\nst" is more than one line
      it is TwoLineName
      it was refused: its name "te\nst" is more than one line
    "#);
}

// host.checks-hello
#[tokio::test]
async fn a_plugin_with_a_version_that_is_none() {
    insta::assert_snapshot!(told(&refused(Behaviour::OddVersion).await), @r#"
    it attached against the protocol: its version "1.0" is no semantic one, such as 1.0.0
      it is OddVersion
      it was refused: its version "1.0" is no semantic one, such as 1.0.0
    "#);
}

// host.checks-hello
#[tokio::test]
async fn a_component_without_a_name() {
    insta::assert_snapshot!(told(&refused(Behaviour::NamelessComponent).await), @r#"
    it attached against the protocol: component "": a name has 1 to 64 lower-case letters, digits and inner hyphens
      it is NamelessComponent
      it was refused: component "": a name has 1 to 64 lower-case letters, digits and inner hyphens
    "#);
}

// host.checks-hello
#[tokio::test]
async fn two_components_with_one_name() {
    insta::assert_snapshot!(told(&refused(Behaviour::TwinComponents).await), @r#"
    it attached against the protocol: it offers two builders called "twin"
      it is TwinComponents
      it was refused: it offers two builders called "twin"
    "#);
}

// host.checks-hello
#[tokio::test]
async fn too_many_components() {
    insta::assert_snapshot!(told(&refused(Behaviour::CrowdOfComponents).await), @r"
    it attached against the protocol: it offers 257 components: 1 to 256 can be used
      it is CrowdOfComponents
      it was refused: it offers 257 components: 1 to 256 can be used
    ");
}

#[tokio::test]
async fn no_component() {
    insta::assert_snapshot!(told(&refused(Behaviour::NoComponents).await), @r"
    it attached against the protocol: it offers 0 components: 1 to 256 can be used
      it is NoComponents
      it was refused: it offers 0 components: 1 to 256 can be used
    ");
}
