//! What a host calls once: `close` of all that was prepared, also where it never runs, and `describe` of an artifact.

use rustix::process::Signal;

use crate::grace::write;
use crate::rig::World;

/// The ids of the interfaces in `schema/packwire/`, each of whose second method is `close`.
const BUILD: u64 = 0xadd6_4f8c_0355_6990;
const PROVISION: u64 = 0xeb69_f1fc_713d_5656;
const POST_PROCESS: u64 = 0xe9ec_7fde_6aef_c29b;

fn world(builder: &str) -> World {
    let template = format!(
        r#"{{
  "builders": [{builder}],
  "provisioners": [{{"type": "stage", "fail": "out of paint"}}, {{"type": "stage", "say": ["never"]}}],
  "post-processors": [{{"type": "stage"}}]
}}"#
    );
    World::with(&[]).unplugged().template(&template)
}

const ARTIFACT: u64 = 0xa09e_c2dc_38c1_d1a0;

/// How often the host closed a build, a provision and a post-process.
fn closed(world: &World) -> [usize; 3] {
    [BUILD, PROVISION, POST_PROCESS].map(|interface| world.calls(interface, 1))
}

// host.closes-prepared
#[test]
fn what_is_only_validated_is_closed() {
    let world = world(r#"{"type": "stage"}"#);
    assert_eq!(world.run("validate template.json").ended, "exit 0");
    assert_eq!(closed(&world), [1, 2, 1]);
}

// host.closes-prepared
#[test]
fn what_never_runs_since_something_failed_is_closed_once_as_is_what_ran() {
    let world = world(r#"{"type": "stage"}"#);
    let said = world.run("build template.json");
    assert!(said.stdout.contains("out of paint"), "{said}");
    assert_eq!(closed(&world), [1, 2, 1]);
}

// host.closes-prepared
#[test]
fn what_never_runs_without_a_machine_is_closed() {
    let world = world(r#"{"type": "stage", "fail": "there is none"}"#);
    assert_eq!(world.run("build template.json").ended, "exit 1");
    assert_eq!(closed(&world), [1, 2, 1]);
}

// host.describes-once
#[test]
fn an_artifact_is_asked_once_what_it_is() {
    let template = r#"{
      "builders": [{"type": "stage", "target": "made.txt"}],
      "post-processors": [{"type": "stage", "input": "keep"}, {"type": "stage", "input": "keep"}]
    }"#;
    let world = World::with(&[]).unplugged().template(template);
    let said = world.run("build template.json");
    assert_eq!(said.ended, "exit 0", "{said}");
    assert_eq!([world.calls(ARTIFACT, 0), world.calls(ARTIFACT, 3)], [1, 1]);
}

// host.close-after-run
#[test]
fn what_runs_is_closed_when_it_has_answered_and_not_before() {
    let template = r#"{"builders": [{"type": "stage", "waits": true, "cleans_up_after": "swept"}]}"#;
    let world = World::with(&[]).unplugged().pipe("swept").template(template);
    let run = world.start("build template.json");
    run.until_said("Waiting for a machine");
    run.signal(Signal::INT);
    // This is told after seconds, in which a host in a hurry would have closed what it has cancelled.
    run.until_said("Waiting up to 10 min");
    assert_eq!(closed(&world), [0, 0, 0]);
    write(&world, "swept");
    run.said();
    assert_eq!(closed(&world), [1, 0, 0]);
}
