//! What a build prints, makes and answers.

use insta::assert_snapshot;

use crate::rig::{FILE, LOCAL, NULL, SHELL, World};

const TWO: &str = r#"{
  "variables": {"greeting": "hello"},
  "builders": [
    {"type": "file", "name": "note", "content": "{{user `greeting`}}\n", "target": "note.txt"},
    {"type": "null", "name": "machine", "communicator": "local"}
  ],
  "provisioners": [
    {
      "type": "shell",
      "only": ["machine"],
      "inline": ["echo \"$GREETING from $PACKER_BUILD_NAME\"", "echo made > {{pwd}}/made.txt"],
      "environment_vars": ["GREETING={{user `greeting`}}"]
    },
    {"type": "shell", "only": ["machine"], "inline": ["echo careful >&2"]},
    {"type": "shell", "only": ["machine"], "inline": ["cat {{pwd}}/made.txt"]}
  ]
}"#;

#[test]
fn two_builds_run_side_by_side_with_provisioners() {
    let world = World::with_all().template(TWO);
    assert_snapshot!(world.run("build template.json").by_build());
    assert_eq!((world.read("note.txt"), world.read("made.txt")), ("hello\n".to_owned(), "made\n".to_owned()));
}

// host.services-of-open
#[test]
fn two_machines_run_at_the_same_time() {
    // Each waits for the other: one after the other they would wait for ever.
    let template = r#"{
  "builders": [
    {"type": "null", "name": "left", "communicator": "local"},
    {"type": "null", "name": "right", "communicator": "local"}
  ],
  "provisioners": [
    {"type": "shell", "only": ["left"], "inline": ["echo from-left > {{pwd}}/there", "cat {{pwd}}/back"]},
    {"type": "shell", "only": ["right"], "inline": ["cat {{pwd}}/there", "echo from-right > {{pwd}}/back"]}
  ]
}"#;
    let world = World::with_all().pipe("there").pipe("back").template(template);
    assert_snapshot!(world.run("build template.json").by_build());
}

// host.resolves-before-prepare
#[test]
fn variables_are_given_on_the_command_line() {
    let world = World::with(&[FILE]).template(TWO);
    assert_snapshot!(world.run("build -only=note -var greeting=moin template.json"));
    assert_eq!(world.read("note.txt"), "moin\n");
}

#[test]
fn what_an_earlier_build_left_is_replaced_where_the_user_allows_it() {
    let world = World::with(&[FILE]).template(TWO).file("note.txt", "mine\n");
    assert_snapshot!(world.run("build -only=note template.json"));
    assert_eq!(world.read("note.txt"), "mine\n");
    assert_snapshot!(world.run("build -only=note -force template.json"));
    assert_eq!(world.read("note.txt"), "hello\n");
}

#[test]
fn a_warning_is_shown_and_the_build_goes_on() {
    let template = r#"{
  "builders": [{"type": "null", "communicator": "local"}],
  "provisioners": [
    {"type": "shell", "inline": ["true"], "env": {"STAGE": "test"}, "execute_command": "sh {{ .Path }}"}
  ]
}"#;
    let world = World::with(&[NULL, LOCAL, SHELL]).template(template);
    assert_snapshot!("a_warning_is_shown", world.run("validate template.json"));
    let said = world.run("build template.json");
    assert_eq!(said.ended, "exit 0", "{said}");
    assert!(said.stderr.contains("scripts run without their variables"), "{said}");
}

// host.validates-without-running
#[test]
fn a_template_is_validated_and_nothing_is_made() {
    let world = World::with_all().template(TWO);
    assert_snapshot!(world.run("validate template.json"));
    assert!(!world.path("note.txt").exists());
}

#[test]
fn colours_are_for_terminals() {
    let world = World::with(&[FILE]).template(TWO).variable("TERM", "xterm-256color");
    assert!(!world.run("build -only=note template.json").stdout.contains('\x1b'));
}
