//! Data sources: looked up before the builds begin, and what comes of values that only the run tells.

use insta::assert_snapshot;

use crate::rig::{STAGE, Said, World};

/// A world with a template of these data sources, and a build with this provisioner.
fn looking_up(data: &str, provisioner: &str) -> World {
    let template = format!(
        r#"{{
  "data": {{{data}}},
  "builders": [{{"type": "stage", "target": "made.txt", "content": "{{{{data `d` `/text`}}}}"}}],
  "provisioners": [{provisioner}]
}}"#
    );
    World::with(&[STAGE]).template(&template)
}

fn built(data: &str, provisioner: &str) -> (World, Said) {
    let world = looking_up(data, provisioner);
    let said = world.run("build template.json");
    (world, said)
}

// host.prepares-late, host.queries-before-builds
#[test]
fn values_are_looked_up_before_the_builds() {
    let (world, said) = built(
        r#""first": {"type": "stage", "text": "one", "say": "Looking for the first"},
    "d": {"type": "stage", "text": "{{data `first` `/text`}} and two", "list": ["x", "y"], "number": 2},
    "unwanted": {"type": "stage", "fail": "nobody asks for it, so it never runs"}"#,
        r#"{"type": "stage", "say": "{{data `d` `/list`}}", "times": "{{data `d` `/number`}}"}"#,
    );
    assert_snapshot!(said);
    assert_eq!(world.read("made.txt"), "one and two");
}

// host.masks-config, host.masks-output
#[test]
fn secret_values_are_masked() {
    let (_world, said) = built(
        r#""d": {"type": "stage", "password": "correct horse"}"#,
        r#"{"type": "stage", "say": ["plain {{data `d` `/password`}}"], "password": "{{build `ID`}}"}"#,
    );
    assert_snapshot!(said);
}

#[test]
fn a_data_source_that_fails_ends_the_run() {
    let (world, said) = built(
        r#""d": {"type": "stage", "fail": "it is not there"}, "e": {"type": "stage", "fail": "nor is this"}"#,
        r#"{"type": "stage", "say": ["{{data `e` `/text`}}"]}"#,
    );
    assert_snapshot!(said);
    assert!(!world.path("made.txt").exists());
}

// host.checks-output
#[test]
fn a_value_against_its_own_schema_is_the_plugins_fault() {
    let (_world, said) = built(r#""d": {"type": "stage", "number": 11}"#, r#"{"type": "stage"}"#);
    assert_snapshot!(said);
}

#[test]
fn what_a_value_does_not_have_is_told_before_the_builds() {
    let (_world, said) = built(
        r#""d": {"type": "stage", "list": ["x"], "text": "unspeakable"}"#,
        r#"{"type": "stage", "say": ["{{data `d` `/list/3`}}"]},
    {"type": "stage", "say": ["{{data `d` `/text`}}"], "times": "{{data `d` `/text`}}"},
    {"type": "stage", "say": ["{{data `d` `/text`}}"]}"#,
    );
    assert_snapshot!(said);
}

// host.validates-without-running
#[test]
fn validation_looks_nothing_up() {
    let data = r#""d": {"type": "stage", "fail": "it must not run"}"#;
    let world = looking_up(data, r#"{"type": "stage", "say": "{{data `d` `/list`}}"}"#);
    assert_snapshot!(world.run("validate template.json"));
}

#[test]
fn a_component_learns_that_there_is_no_run_and_where_the_template_is() {
    let (_world, said) = built(r#""d": {"type": "stage", "text": "whereabouts"}"#, r#"{"type": "stage"}"#);
    assert!(said.to_string().contains(r#"a run, build "", as stage for packwire, here: true"#), "{said}");
    let world = looking_up(r#""d": {"type": "stage", "text": "whereabouts"}"#, r#"{"type": "stage"}"#);
    let said = world.run("validate template.json");
    assert!(said.to_string().contains(r#"no run, build "", as stage for packwire, here: true"#), "{said}");
}

#[test]
fn validation_tells_what_is_wrong_whatever_the_values() {
    let data =
        r#""d": {"type": "stage", "text": "unthinkable"}, "e": {"type": "stage", "txet": "{{data `d`}}"}"#;
    let world = looking_up(
        data,
        r#"{"type": "stage", "sya": "{{data `d` `/lits`}}"}, {"type": "stage", "times": "{{build `ID`}}", "say": 7}"#,
    );
    assert_snapshot!(world.run("validate template.json"));
}

#[test]
fn an_interrupt_ends_a_look_up() {
    let world = World::with(&[])
        .script("packer-data-source-odd", "#!/bin/sh\necho up > up\nread forever < never\n")
        .pipe("never")
        .template(r#"{"data": {"d": {"type": "odd"}}, "builders": [{"type": "odd", "x": "{{data `d`}}"}]}"#)
        .script("packer-builder-odd", "#!/bin/sh\nexit 1\n");
    let run = world.start("build template.json");
    world.until_written("up");
    run.signal(rustix::process::Signal::INT);
    assert_eq!(run.said().ended, "exit 1");
}
