//! What becomes of artifacts: sequences of post-processors, what stays, and what goes.

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::rig::{STAGE, World};

/// A build that makes `made.txt`, and these post-processors.
fn made(post_processors: &str) -> World {
    let template = format!(
        r#"{{
  "builders": [{{"type": "stage", "name": "b", "target": "made.txt", "generated": {{"Colour": "red"}}}}],
  "post-processors": [{post_processors}]
}}"#
    );
    World::with(&[STAGE]).template(&template)
}

/// The files that a build left, beside its template.
fn files(world: &World) -> String {
    let folder = world.path("");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "template.json");
    names.sort();
    names.join(" ")
}

// host.destroys-unwanted
#[test]
fn a_sequence_makes_one_of_another_and_nobody_wants_what_is_between() {
    let world = made(
        r#"[{"type": "stage", "target": "1.txt", "say": "{{build `Colour`}} {{build_name}}"},
        {"type": "stage", "target": "2.txt"}, {"type": "stage", "target": "3.txt", "keep_input_artifact": true}]"#,
    );
    assert_snapshot!(world.run("build template.json"));
    assert_eq!(files(&world), "2.txt 3.txt");
    assert_eq!(world.read("3.txt"), "3.txt of 2.txt");
}

// host.input-fate, host.any-sequence-keeps
#[test]
fn what_one_sequence_keeps_stays() {
    let world = made(
        r#"{"type": "stage", "target": "1.txt", "input": "force-discard", "keep_input_artifact": true},
        [{"type": "stage", "target": "2.txt", "input": "force-keep", "keep_input_artifact": false}]"#,
    );
    assert_snapshot!(world.run("build template.json"));
    assert_eq!(files(&world), "1.txt 2.txt made.txt");
}

// host.destroys-unwanted
#[test]
fn what_all_sequences_discard_goes() {
    let world = made(
        r#"{"type": "stage", "target": "1.txt"}, {"type": "stage", "target": "2.txt", "input": "keep", "keep_input_artifact": false},
        {"type": "stage"}"#,
    );
    assert_eq!(world.run("build template.json").ended, "exit 0");
    assert_eq!(files(&world), "1.txt 2.txt");
}

// host.keeps-input-on-failure
#[test]
fn a_failure_ends_its_sequence_and_no_other() {
    let world = made(
        r#"[{"type": "stage", "target": "1.txt"}, {"type": "stage", "fail": "no"}, {"type": "stage", "target": "never.txt"}],
        {"type": "stage", "target": "2.txt", "fail": "neither"}, {"type": "stage", "target": "3.txt"}"#,
    );
    assert_snapshot!(world.run("build template.json"));
    assert_eq!(files(&world), "1.txt 3.txt made.txt");
}

// host.wraps-artifact
#[test]
fn only_the_host_destroys() {
    let world = made(r#"{"type": "stage", "target": "1.txt", "destroys": true}"#);
    assert_snapshot!(world.run("build template.json"));
    assert_eq!(files(&world), "made.txt");
}

#[test]
fn an_artifact_that_does_not_go_is_a_failure() {
    let world = made(r#"["stage", "stage"], [{"type": "stage", "target": "stubborn.txt"}, "stage"]"#);
    assert_snapshot!(world.run("build template.json"));
    assert_eq!(files(&world), "stubborn.txt");
}

#[test]
fn without_an_artifact_there_is_nothing_to_do() {
    let template =
        r#"{"builders": [{"type": "stage"}], "post-processors": [{"type": "stage", "target": "1.txt"}]}"#;
    let world = World::with(&[STAGE]).template(template);
    assert_snapshot!(world.run("build template.json"));
}

#[test]
fn an_unwanted_post_processor_ends_its_sequence() {
    let world = made(
        r#"[{"type": "stage", "target": "1.txt"}, {"type": "stage", "name": "last", "target": "2.txt"}, "stage"]"#,
    );
    assert_snapshot!(world.run("build -except=last template.json"));
    assert_eq!(files(&world), "1.txt");
    assert_snapshot!(world.run("build -except=lats template.json"));
}

// host.keeps-input-on-failure
#[test]
fn an_interrupt_keeps_what_is_made() {
    let world = made(r#"[{"type": "stage", "target": "1.txt"}, {"type": "stage", "waits": true}], "stage""#);
    let run = world.start("build template.json");
    run.until_said("Given 1.txt");
    run.signal(Signal::INT);
    assert_snapshot!(run.said());
    assert_eq!(files(&world), "1.txt made.txt");
}

// host.keeps-input-on-failure
#[test]
fn a_killed_post_processor_is_named_and_its_input_stays() {
    let world = made(r#"{"type": "stage", "waits": true}"#);
    let run = world.start("build template.json");
    run.until_said("Given made.txt");
    world.process(STAGE).signal(Signal::KILL);
    assert_snapshot!(run.said());
    assert_eq!(files(&world), "made.txt");
}

#[test]
fn a_generated_value_that_is_not_there_is_told_when_it_is_needed() {
    let world = made(r#"{"type": "stage", "say": "{{build `Color`}}"}"#);
    assert_snapshot!(world.run("build template.json"));
}

// host.quick-call-deadline
#[test]
fn an_artifact_that_never_says_what_it_is_is_given_up() {
    let template = r#"{"builders": [{"type": "stage", "target": "mute.txt"}]}"#;
    let world = World::with(&[STAGE]).template(template);
    assert_snapshot!(world.run("build template.json"));
    assert!(!world.path("mute.txt").exists(), "nobody wants what a failed build has made");
}
