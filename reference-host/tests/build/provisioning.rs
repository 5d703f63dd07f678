//! Provisioners that fail, take too long, are tried again, or have nowhere to run.

use insta::assert_snapshot;

use crate::rig::{STAGE, Said, World};

/// One machine with this provisioner.
fn provisioned(world: World, provisioner: &str) -> (World, Said) {
    let template = format!(
        r#"{{"builders": [{{"type": "null", "name": "machine", "communicator": "local"}}],
"provisioners": [{provisioner}]}}"#
    );
    let world = world.template(&template);
    let said = world.run("build template.json");
    (world, said)
}

#[test]
fn the_exit_status_of_a_script_is_named() {
    let (_world, said) = provisioned(
        World::with_all(),
        r#"{"type": "shell", "inline": ["echo before", "exit 42", "echo after"]}"#,
    );
    assert_snapshot!(said);
}

#[test]
fn a_script_that_is_killed_has_failed() {
    let (_world, said) = provisioned(World::with_all(), r#"{"type": "shell", "inline": ["kill -TERM $$"]}"#);
    assert_snapshot!(said);
}

#[test]
fn what_comes_after_a_failure_does_not_run() {
    let (world, said) = provisioned(
        World::with_all(),
        r#"{"type": "shell", "inline": ["false"]}, {"type": "shell", "inline": ["touch {{pwd}}/second"]}"#,
    );
    assert_eq!(said.ended, "exit 1");
    assert!(!world.path("second").exists());
}

#[test]
fn a_provisioner_is_tried_again_as_often_as_it_may() {
    let (world, said) = provisioned(
        World::with_all(),
        r#"{"type": "shell", "max_retries": 2, "inline": ["echo try >> {{pwd}}/tries", "test $(grep -c try {{pwd}}/tries) = 3"]}"#,
    );
    assert_snapshot!(said);
    assert_eq!(world.read("tries"), "try\ntry\ntry\n");
}

#[test]
fn the_last_of_all_attempts_is_the_failure() {
    let (_world, said) = provisioned(
        World::with_all(),
        r#"{"type": "shell", "max_retries": 1, "inline": ["echo try >> {{pwd}}/tries", "exit $(grep -c try {{pwd}}/tries)"]}"#,
    );
    assert_snapshot!(said);
}

#[test]
fn a_provisioner_that_takes_too_long_is_ended() {
    let (world, said) = provisioned(
        World::with_all().pipe("never"),
        r#"{"type": "shell", "timeout": "1s", "inline": ["echo waiting", "cat {{pwd}}/never", "touch {{pwd}}/after"]}"#,
    );
    assert_snapshot!(said);
    assert!(!world.path("after").exists());
}

#[test]
fn a_pause_comes_before() {
    let (_world, said) =
        provisioned(World::with_all(), r#"{"type": "shell", "pause_before": "10ms", "inline": ["true"]}"#);
    assert_snapshot!(said);
}

// host.needs-communicator
#[test]
fn a_provisioner_without_a_machine_is_refused() {
    let world = World::with_all().template(
        r#"{"builders": [{"type": "null", "communicator": "none"}], "provisioners": [{"type": "shell", "inline": ["true"]}]}"#,
    );
    assert_snapshot!(world.run("build template.json"));
}

// host.needs-communicator
#[test]
fn a_builder_without_a_machine_cannot_provision() {
    let world = World::with_all().template(
        r#"{"builders": [{"type": "file", "content": "", "target": "x.txt"}], "provisioners": [{"type": "shell", "inline": ["true"]}]}"#,
    );
    assert_snapshot!(world.run("build template.json"));
}

#[test]
fn an_unknown_communicator_is_refused() {
    let world = World::with_all().template(
        r#"{"builders": [{"type": "null", "name": "near", "communicator": "locla"}, {"type": "null", "name": "far", "communicator": "carrier-pigeon"}]}"#,
    );
    assert_snapshot!(world.run("build template.json").by_build());
}

#[test]
fn a_script_that_is_not_there_is_told_before_anything_runs() {
    let (_world, said) = provisioned(World::with_all(), r#"{"type": "shell", "script": "setup.sh"}"#);
    assert_snapshot!(said);
}

/// A builder of the stage with these options, and something to do on its machine.
fn staged(options: &str) -> World {
    let provisioners = r#""provisioners": [{"type": "stage", "say": ["provisioning"]}]"#;
    let template =
        format!(r#"{{"builders": [{{"type": "stage", "target": "made.txt", {options}}}], {provisioners}}}"#);
    World::with(&[STAGE]).template(&template)
}

// host.expects-provisioning
#[test]
fn a_builder_that_never_has_its_machine_provisioned_has_failed() {
    assert_snapshot!(staged(r#""provisions": 0"#).run("build template.json"));
    let alone = r#"{"builders": [{"type": "stage", "provisions": 0}]}"#;
    let said = World::with(&[STAGE]).template(alone).run("build template.json");
    assert_eq!(said.ended, "exit 1", "also where there is nothing to do: {said}");
}

// host.expects-provisioning
#[test]
fn a_builder_that_goes_on_when_provisioning_has_failed_has_failed() {
    let world = staged(r#""careless": true"#);
    let failing = world.read("template.json").replace(r#""say": ["provisioning"]"#, r#""fail": "it broke""#);
    let world = world.template(&failing);
    assert_snapshot!(world.run("build template.json"));
    assert!(!world.path("made.txt").exists(), "nobody wants what a failed build has made");
}

// host.provisions-once
#[test]
fn a_machine_is_provisioned_once() {
    assert_snapshot!(staged(r#""provisions": 2"#).run("build template.json"));
}

// host.generated-data
#[test]
fn generated_data_that_is_no_object_is_the_builders_fault() {
    assert_snapshot!(staged(r#""claims": ["a list"]"#).run("build template.json"));
}
