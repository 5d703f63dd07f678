//! What is wrong is said before anything runs: all of it, where it is, and what to do about it.

use insta::assert_snapshot;

use crate::rig::{FILE, LOCAL, NULL, World};

const ONE_BUILD: &str = r#"{"builders": [{"type": "odd"}]}"#;

/// What `build` says of a plugin `packer-builder-odd` that is this script.
fn odd(script: &str) -> String {
    World::with(&[FILE])
        .script("packer-builder-odd", script)
        .template(ONE_BUILD)
        .run("build template.json")
        .to_string()
}

// host.checks-schema-first
#[test]
fn all_problems_of_all_builds_are_told_at_once() {
    let template = r#"{
  "builders": [
    {"type": "file", "name": "no-target", "content": "x"},
    {"type": "file", "name": "both", "content": "x", "source": "y", "target": "both.txt"},
    {"type": "file", "name": "wrong-type", "content": "x", "target": 7},
    {"type": "file", "name": "unknown-key", "content": "x", "targett": "a.txt", "target": "a.txt"},
    {"type": "file", "name": "good", "content": "x", "target": "good.txt"}
  ]
}"#;
    let world = World::with(&[FILE]).template(template);
    assert_snapshot!(world.run("validate template.json"));
    assert_snapshot!(world.run("build template.json"));
    assert!(!world.path("good.txt").exists());
}

// host.checks-schema-first
#[test]
fn what_only_the_component_can_know_is_told_for_all_builds() {
    let template = r#"{
  "builders": [
    {"type": "file", "name": "both", "content": "x", "source": "y", "target": "both.txt"},
    {"type": "file", "name": "neither", "target": "neither.txt"}
  ]
}"#;
    assert_snapshot!(World::with(&[FILE]).template(template).run("validate template.json"));
}

#[test]
fn a_component_with_a_typing_error_has_a_hint() {
    let template = r#"{"builders": [{"type": "flie", "content": "x", "target": "x.txt"}]}"#;
    assert_snapshot!(World::with(&[FILE]).template(template).run("build template.json"));
}

#[test]
fn a_plugin_that_fails_says_why() {
    assert_snapshot!(odd("#!/bin/sh\necho 'libcloud.so.7: not found' >&2\nexit 127\n"));
}

#[test]
fn a_plugin_that_ends_without_a_word_is_named() {
    assert_snapshot!(odd("#!/bin/sh\n"));
}

#[test]
fn a_plugin_that_is_killed_before_it_attached_is_named() {
    assert_snapshot!(odd("#!/bin/sh\nkill -KILL $$\n"));
}

#[test]
fn a_plugin_of_packers_own_protocol_is_named_as_such() {
    let script = "#!/bin/sh
echo 'Please do not execute plugins directly. Packer will execute these for you.' >&2
exit 1
";
    assert_snapshot!(odd(script));
}

#[test]
fn a_text_file_is_no_plugin_and_no_line_of_it_is_run() {
    assert_snapshot!(odd("This file is a note.\n"));
}

#[test]
fn an_interpreter_that_is_missing_is_told() {
    assert_snapshot!(odd("#!/no/such/interpreter\n"));
}

#[test]
fn a_bad_plugin_is_started_once_told_for_each_use_and_hides_no_other() {
    let template =
        r#"{"builders": [{"type": "odd", "name": "one"}, {"type": "odd", "name": "two"}, {"type": "off"}]}"#;
    let world = World::with(&[FILE])
        .script("packer-builder-odd", "#!/bin/sh\necho starting >> starts\nexit 3\n")
        .script("packer-builder-off", "#!/bin/sh\nexit 5\n")
        .template(template);
    assert_snapshot!(world.run("validate template.json"));
    assert_eq!(world.read("starts"), "starting\n", "a plugin that failed is not tried again and again");
}

#[test]
fn a_plugin_that_never_attaches_meets_the_interrupt() {
    let world = World::with(&[])
        .script("packer-builder-odd", "#!/bin/sh\necho up > up\nread forever < never\n")
        .pipe("never")
        .template(ONE_BUILD);
    let run = world.start("build template.json");
    world.until_written("up");
    run.signal(rustix::process::Signal::INT);
    assert_snapshot!(run.said());
}

// host.refuses-unknown-members
#[test]
fn an_answer_that_nobody_filled_in_is_told_with_plugin_component_call_and_field() {
    let template = r#"{"builders": [{"type": "null", "communicator": "local"}], "provisioners": [{"type": "green", "name": "x"}]}"#;
    let world = World::with(&[NULL, LOCAL])
        .faulty("packer-provisioner-green", "forgotten-outcome")
        .template(template);
    let said = world.run("build template.json");
    assert_eq!(said.ended, "exit 1", "{said}");
    let told = "provisioner green: plugin packer-provisioner-green: `Provision.run` answered against the protocol: \
                `outcome` is unset";
    assert!(said.stdout.contains(told), "{said}");
}
