//! Plugins that are killed half-way: who, where and how is told, and nobody else suffers.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::rig::{FILE, LOCAL, NULL, SHELL, World, until_some};

/// Two machines of which `first` waits for ever, and a note beside them.
const HALF_WAY: &str = r#"{
  "builders": [
    {"type": "null", "name": "first", "communicator": "local"},
    {"type": "null", "name": "second", "communicator": "local"},
    {"type": "file", "name": "note", "content": "hello\n", "target": "note.txt"}
  ],
  "provisioners": [
    {"type": "shell", "only": ["first"], "inline": ["echo half > {{pwd}}/half", "cat {{pwd}}/never"]},
    {"type": "shell", "only": ["second"], "inline": ["cat {{pwd}}/go"]}
  ]
}"#;

fn half_way() -> World {
    World::with_all().pipe("never").pipe("go").template(HALF_WAY)
}

/// Lets whoever reads this pipe go on; it ends with what is returned.
fn write(world: &World, pipe: &str, text: &str) -> std::fs::File {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut pipe = until_some(&format!("{pipe} is read"), || {
        OpenOptions::new().write(true).custom_flags(nonblocking).open(world.path(pipe)).ok()
    });
    pipe.write_all(text.as_bytes()).unwrap();
    pipe
}

// host.others-go-on
#[test]
fn a_killed_provisioner_is_named_with_call_and_signal_and_other_builds_go_on() {
    let world = half_way();
    let run = world.start("build -only=first,note template.json");
    run.until_said("Provisioning");
    world.until_written("half");
    run.until_said("Build 'note' finished");
    world.process(SHELL).signal(Signal::KILL);
    assert_snapshot!(run.said().by_build());
    assert_eq!(world.read("note.txt"), "hello\n");
}

// host.others-go-on
#[test]
fn the_next_build_has_a_fresh_process() {
    let world = half_way();
    let run = world.start("build -parallel-builds=1 -except=note template.json");
    run.until_said("Provisioning");
    world.until_written("half");
    world.process(SHELL).signal(Signal::KILL);
    drop(write(&world, "go", "second goes on\n"));
    assert_snapshot!(run.said().by_build());
}

#[test]
fn a_killed_communicator_is_named() {
    let world = half_way();
    let run = world.start("build -only=first,note template.json");
    run.until_said("Provisioning");
    world.until_written("half");
    run.until_said("Build 'note' finished");
    world.process(LOCAL).signal(Signal::KILL);
    assert_snapshot!(run.said().by_build());
}

// host.names-broken-plugin
#[test]
fn a_killed_builder_is_named() {
    let world = half_way();
    let run = world.start("build -only=first,note template.json");
    run.until_said("Provisioning");
    world.until_written("half");
    run.until_said("Build 'note' finished");
    world.process(NULL).signal(Signal::KILL);
    assert_snapshot!(run.said().by_build());
}

#[test]
fn a_builder_killed_while_it_makes_its_file_is_named() {
    let template = r#"{"builders": [{"type": "file", "source": "never", "target": "out/copy.txt"}]}"#;
    let world = World::with(&[FILE]).pipe("never").template(template);
    let run = world.start("build template.json");
    run.until_said("Making");
    let _half = write(&world, "never", "half");
    world.process(FILE).signal(Signal::KILL);
    assert_snapshot!(run.said());
    assert!(!world.path("out/copy.txt").exists());
}

// host.names-broken-plugin
#[test]
fn the_last_words_of_a_killed_plugin_are_told() {
    let world = World::with(&[FILE, NULL, LOCAL]).talkative(SHELL, "[INFO] about to break").pipe("never");
    let world = world.template(HALF_WAY);
    let run = world.start("build -only=first template.json");
    run.until_said("Provisioning");
    world.until_written("half");
    world.process(SHELL).signal(Signal::KILL);
    assert_snapshot!(run.said());
}

#[test]
fn a_plugin_that_is_stopped_and_killed_ends_its_build() {
    let world = half_way();
    let run = world.start("build -only=first,note template.json");
    run.until_said("Provisioning");
    world.until_written("half");
    run.until_said("Build 'note' finished");
    let shell = world.process(SHELL);
    shell.signal(Signal::STOP);
    shell.signal(Signal::KILL);
    assert_eq!(run.said().ended, "exit 1");
}
