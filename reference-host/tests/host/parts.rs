//! Whole outputs of `validate -syntax-only`: data sources, hooks, post-processors, and what they are granted.

use crate::rig::Rig;

fn checked(template: &str) -> String {
    Rig::with_template(template).run("validate -syntax-only template.json")
}

/// A template that has everything, each in every form.
const WHOLE: &str = r#"{
  "variables": {"owner": "me"},
  "data": {
    "release": {"type": "http", "url": "https://example.invalid/{{user `owner`}}"},
    "notes": {"type": "http", "url": "{{data `release` `/notes/url`}}", "grant": []}
  },
  "builders": [
    {"type": "null", "name": "a", "size": "{{data `release` `/size`}}"},
    {"type": "null", "name": "b"}
  ],
  "provisioners": [
    {"type": "shell", "inline": ["echo {{build `Host`}} {{upper (data `release` `/tag`)}}"], "grant": ["communicator"]}
  ],
  "error-cleanup-provisioner": {"type": "shell", "inline": ["dmesg"], "only": ["a"]},
  "hooks": {
    "packer_provision": ["timings", {"type": "notify", "except": ["b"], "grant": ["communicator"]}],
    "my_builder_rebooted": ["notify"]
  },
  "post-processors": [
    "checksum",
    {"type": "compress", "name": "pack", "only": ["a"], "keep_input_artifact": true},
    ["compress", {"type": "manifest", "keep_input_artifact": "false", "output": "{{data `release`}}"}]
  ]
}"#;

#[test]
fn a_template_with_everything_passes() {
    insta::assert_snapshot!(checked(WHOLE), @r"
    $ packwire validate -syntax-only template.json
    Syntax-only check passed. Everything looks okay.
    --- stderr ---
    --- exit 0 ---
    ");
}

#[test]
fn post_processors_of_a_wrong_shape_are_refused() {
    insta::assert_snapshot!(checked(
        r#"{
  "builders": [{"type": "null"}],
  "post-processors": [
    7,
    [],
    [["nested"]],
    {"name": "nameless"},
    {"type": "compress", "keep_input_artifact": "perhaps", "only": ["nul"]}
  ]
}"#
    ));
}

#[test]
fn hooks_of_a_wrong_shape_are_refused() {
    insta::assert_snapshot!(checked(
        r#"{
  "builders": [{"type": "null"}],
  "hooks": {
    "packer_provision": "timings",
    "packer_cleanup_provision": [1, {"type": "timings", "onyl": ["null"]}]
  }
}"#
    ));
}

#[test]
fn an_event_that_never_comes_is_refused() {
    insta::assert_snapshot!(checked(
        r#"{
  "builders": [{"type": "null"}],
  "hooks": {"packer_provison": ["timings"], "packer_shutdown": ["timings"]}
}"#
    ));
}

#[test]
fn what_cannot_be_granted_is_refused() {
    insta::assert_snapshot!(checked(
        r#"{
  "builders": [{"type": "null"}],
  "provisioners": [{"type": "shell", "grant": ["comunicator", "everything"]}],
  "post-processors": [{"type": "upload", "grant": "communicator"}]
}"#
    ));
}

#[test]
fn an_error_cleanup_provisioner_is_one() {
    insta::assert_snapshot!(checked(
        r#"{
  "builders": [{"type": "null"}],
  "error-cleanup-provisioner": [{"type": "shell"}]
}"#
    ));
}

#[test]
fn data_sources_of_a_wrong_shape_are_refused() {
    insta::assert_snapshot!(checked(
        r#"{
  "data": {"release": "http", "notes": {"url": "x"}},
  "builders": [{"type": "null"}]
}"#
    ));
}

#[test]
fn a_data_source_that_is_not_declared_is_refused() {
    insta::assert_snapshot!(checked(
        r#"{
  "data": {"release": {"type": "http"}},
  "builders": [{"type": "null", "x": "{{data `relaese` `/tag`}}", "y": "{{data `release` `tag`}}"}]
}"#
    ));
}

#[test]
fn data_sources_that_need_each_other_are_refused() {
    insta::assert_snapshot!(checked(
        r#"{
  "data": {
    "a": {"type": "http", "url": "{{data `b`}}"},
    "b": {"type": "http", "url": "x {{upper (data `a` `/x`)}}"}
  },
  "builders": [{"type": "null"}]
}"#
    ));
}

#[test]
fn values_that_are_not_known_yet_are_refused() {
    insta::assert_snapshot!(checked(
        r#"{
  "variables": {"v": "{{data `d`}}"},
  "data": {"d": {"type": "http", "url": "{{build `Host`}} {{build_name}}"}},
  "builders": [{"type": "null", "name": "{{data `d`}}", "host": "{{build `Host`}}"}]
}"#
    ));
}
