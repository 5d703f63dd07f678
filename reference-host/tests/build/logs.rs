//! The log, and what never gets into it.

use std::fs;

use insta::assert_snapshot;

use crate::rig::{SHELL, World};

const SECRET: &str = "correct horse battery";
/// The same in base64, as `base64` writes it.
const IN_BASE64: &str = "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5";

/// A script that shows a secret in all the ways in which that happens.
const LEAKY: &str = r#"{
  "variables": {"password": "{{env `PASSWORD`}}", "harmless": "{{env `HARMLESS`}}"},
  "sensitive-variables": ["password"],
  "builders": [{"type": "null", "name": "machine", "communicator": "local"}],
  "provisioners": [{
    "type": "shell",
    "environment_vars": ["GIVEN={{user `password`}}"],
    "inline": [
      "echo \"plain: $GIVEN\"",
      "printf 'encoded: '; printf '%s' \"$GIVEN\" | base64",
      "echo \"inherited: [$PASSWORD] [$HARMLESS]\""
    ]
  }, {
    "type": "shell",
    "inline": ["echo \"to stderr: {{user `password`}}\" >&2"]
  }]
}"#;

fn leaky() -> World {
    World::with_all().template(LEAKY).variable("PASSWORD", SECRET).variable("HARMLESS", "harmless")
}

// host.ui-masks
#[test]
fn secrets_are_masked_and_not_inherited() {
    let world = leaky();
    assert_snapshot!(world.run("build template.json"));
}

// host.ui-masks
#[test]
fn no_secret_that_a_plugin_logs_is_shown() {
    let script = format!("#!/bin/sh\necho 'plain {SECRET}'\necho 'encoded {IN_BASE64}' >&2\nexit 1\n");
    let template = LEAKY.replace("\"null\"", "\"odd\"");
    let world = leaky().script("packer-builder-odd", &script).template(&template);
    let world = world.variable("PACKER_LOG", "1").variable("PACKER_LOG_PATH", "log.txt");
    let said = world.run("build template.json");
    let log = world.read("log.txt");
    for (place, text) in [("stdout", &said.stdout), ("stderr", &said.stderr), ("the log", &log)] {
        assert!(!text.contains(SECRET) && !text.contains(IN_BASE64), "{place} has a secret:\n{text}");
    }
    for logged in ["packer-builder-odd: plain <sensitive>", "packer-builder-odd: encoded <sensitive>"] {
        assert!(log.contains(logged) && said.stderr.contains(logged), "no {logged:?} in {log}");
    }
}

// host.clean-environment
#[test]
fn no_plugin_has_a_secret_in_its_environment() {
    let script = "#!/bin/sh\nenv > environment\nexit 1\n";
    let template = LEAKY.replace("\"null\"", "\"odd\"");
    let world = leaky().script("packer-builder-odd", script).template(&template);
    let said = world.run("validate template.json");
    assert_eq!(said.ended, "exit 1", "{said}");
    let environment = world.read("environment");
    assert!(environment.contains("HARMLESS=harmless") && !environment.contains(SECRET), "{environment}");
}

#[test]
fn a_log_in_a_file_is_not_on_the_terminal() {
    let world = leaky().variable("PACKER_LOG_PATH", "log.txt");
    assert_eq!(world.run("build template.json").stderr, "");
    let log = world.read("log.txt");
    assert!(log.contains("packwire: [INFO] packwire v"));
    for shown in ["ui:     machine: inherited: [] [harmless]", "ui: Build 'machine' finished after"] {
        assert!(log.contains(shown), "no {shown:?} in {log}");
    }
    assert!(!log.contains(SECRET) && !log.contains(IN_BASE64), "{log}");
}

#[test]
fn a_log_on_the_terminal_does_not_say_again_what_builds_print() {
    let said = leaky().variable("PACKER_LOG", "1").run("build template.json");
    assert!(said.stderr.contains("packwire: [INFO] packwire v") && !said.stderr.contains("ui: "), "{said}");
}

#[test]
fn the_log_names_the_plugin_on_each_line() {
    let script = "#!/bin/sh\necho 'one line'\necho '[WARN] another' >&2\nexit 1\n";
    let world = World::with(&[]).script("packer-builder-odd", script).variable("PACKER_LOG", "1");
    let said = world.template(r#"{"builders": [{"type": "odd"}]}"#).run("validate template.json");
    assert_snapshot!(of_plugins(&said.stderr));
}

#[test]
fn a_log_path_that_cannot_be_written_ends_the_run() {
    let world = leaky().variable("PACKER_LOG_PATH", "no/such/directory/log.txt");
    assert_snapshot!(world.run("build template.json"));
}

#[test]
fn a_plugin_learns_nothing_of_the_log() {
    let script = "#!/bin/sh\nenv > environment\nexit 1\n";
    let world = World::with(&[SHELL])
        .script("packer-builder-odd", script)
        .template(r#"{"builders": [{"type": "odd"}]}"#)
        .variable("PACKER_LOG", "1")
        .variable("PACKER_LOG_PATH", "log.txt");
    world.run("validate template.json");
    let environment = fs::read_to_string(world.path("environment")).unwrap();
    assert!(!environment.contains("PACKER_LOG"), "{environment}");
}

/// The lines that plugins have written to the log, without date and time, sorted: two pipes have no common order.
fn of_plugins(log: &str) -> String {
    let lines = log.lines().filter_map(|line| line.get("2026/11/22 10:13:59 ".len()..));
    let mut lines: Vec<_> = lines.filter(|line| line.starts_with("packer-")).collect();
    lines.sort_unstable();
    lines.join("\n")
}
