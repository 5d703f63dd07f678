//! One process for each plugin and run, however many components and builds use it.

use crate::rig::{FILE, LOCAL, NULL, SHELL, World};

#[test]
fn a_plugin_is_started_once_for_all_its_builds() {
    let template = r#"{
  "builders": [
    {"type": "null", "name": "a", "communicator": "local"},
    {"type": "null", "name": "b", "communicator": "local"},
    {"type": "null", "name": "c", "communicator": "local"}
  ],
  "provisioners": [
    {"type": "shell", "inline": ["true"]},
    {"type": "shell", "inline": ["true"]}
  ]
}"#;
    let world = World::with(&[FILE]).counted(NULL).counted(LOCAL).counted(SHELL).template(template);
    let said = world.run("build template.json");
    assert_eq!(said.ended, "exit 0", "{said}");
    let mut started: Vec<String> = world.read("started").lines().map(ToOwned::to_owned).collect();
    started.sort();
    assert_eq!(started, [NULL, LOCAL, SHELL]);
}
