//! Signals to the host: once everything is cleaned up, twice everything ends, and a killed host leaves nothing.

use std::time::Duration;

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::rig::{FILE, Run, STAGE, World};

/// A machine on which something runs for ever, and a file that is never finished.
const ENDLESS: &str = r#"{
  "builders": [
    {"type": "null", "name": "machine", "communicator": "local"}
  ],
  "provisioners": [
    {"type": "shell", "inline": ["sh -c 'echo up > {{pwd}}/up; cat {{pwd}}/never' & wait", "touch {{pwd}}/after"]}
  ]
}"#;

/// The same on a machine that does not listen to anybody.
const STUBBORN: &str = r#"{
  "builders": [
    {"type": "null", "name": "machine", "communicator": "local"}
  ],
  "provisioners": [
    {"type": "shell", "inline": ["trap '' TERM INT HUP", "echo up > {{pwd}}/up", "while :; do cat {{pwd}}/never; done"]}
  ]
}"#;

fn endless(template: &str) -> World {
    World::with_all().pipe("never").template(template)
}

fn started(world: &World) -> Run<'_> {
    let run = world.start("build template.json");
    run.until_said("Provisioning");
    world.until_written("up");
    run
}

// host.interrupt
#[test]
fn an_interrupt_cancels_and_cleans_up() {
    let world = endless(ENDLESS);
    let run = started(&world);
    run.signal(Signal::INT);
    assert_snapshot!(run.said());
    assert!(!world.path("after").exists());
}

#[test]
fn a_request_to_terminate_is_an_interrupt() {
    let world = endless(ENDLESS);
    let run = started(&world);
    run.signal(Signal::TERM);
    assert_snapshot!(run.said());
    assert!(!world.path("after").exists());
}

#[test]
fn an_interrupted_builder_leaves_no_part_of_its_file() {
    let template = r#"{"builders": [{"type": "file", "source": "never", "target": "out/copy.txt"}]}"#;
    let world = World::with(&[FILE]).pipe("never").template(template);
    let run = world.start("build template.json");
    run.until_said("Making");
    crate::rig::until("the file is begun", || world.path("out").exists());
    run.signal(Signal::INT);
    assert_snapshot!(run.said());
    assert!(!world.path("out").exists(), "what the build made is gone");
}

#[test]
fn a_command_that_ignores_the_request_is_ended_all_the_same() {
    let world = endless(STUBBORN);
    let run = started(&world);
    run.signal(Signal::INT);
    assert_snapshot!(run.said());
}

// host.interrupt
#[test]
fn a_second_interrupt_ends_at_once() {
    let world = endless(STUBBORN);
    let run = started(&world);
    run.signal(Signal::INT);
    run.until_said("Cancelling");
    run.signal(Signal::INT);
    assert_snapshot!(run.said());
    // Nobody waited for the machine's directory to be removed.
    assert_eq!(world.run("recover").ended, "exit 0");
}

#[test]
fn a_build_that_waits_for_its_turn_never_begins() {
    let template = r#"{
  "builders": [
    {"type": "null", "name": "machine", "communicator": "local"},
    {"type": "file", "name": "note", "content": "x", "target": "note.txt"}
  ],
  "provisioners": [
    {"type": "shell", "only": ["machine"], "inline": ["echo up > {{pwd}}/up; cat {{pwd}}/never"]}
  ]
}"#;
    let world = endless(template);
    let run = world.start("build -parallel-builds=1 template.json");
    run.until_said("Provisioning");
    world.until_written("up");
    run.signal(Signal::INT);
    assert_snapshot!(run.said().by_build());
    assert!(!world.path("note.txt").exists());
}

#[test]
fn no_plugin_outlives_a_killed_host() {
    let world = endless(ENDLESS);
    let run = started(&world);
    run.signal(Signal::KILL);
    assert_eq!(run.said().ended, "killed by Some(9)");
    world.until_quiet(Duration::from_secs(1));
    assert!(!world.path("after").exists());
    assert_eq!(world.run("recover").ended, "exit 0");
}

// host.cleanup-uncancelled
#[test]
fn the_machine_of_a_cancelled_build_is_cleaned_up_by_what_is_there_for_that() {
    let template = r#"{
      "builders": [{"type": "stage"}],
      "provisioners": [{"type": "stage", "say": ["It is up"], "waits": true}],
      "error-cleanup-provisioner": {"type": "stage", "say": ["It is cleaned up"]},
      "hooks": {"packer_cleanup_provision": ["stage"]}
    }"#;
    let world = World::with(&[STAGE]).template(template);
    let run = world.start("build template.json");
    run.until_said("It is up");
    run.signal(Signal::INT);
    assert_snapshot!(run.said());
}
