//! Whole outputs of commands that resolve variables and plugins.

use crate::rig::Rig;

const TEMPLATE: &str = r#"{
  "variables": {"name": null, "size": null, "secret": "hunter22"},
  "sensitive-variables": ["secret"],
  "builders": [{"type": "file", "name": "{{user `name`}}", "target": "{{user `secret`}}"}],
  "provisioners": [{"type": "shel"}]
}"#;

fn rig() -> Rig {
    Rig::with_template(TEMPLATE).plugin("packer-builder-file").plugin("packer-provisioner-shell")
}

#[test]
fn all_unset_variables_are_told_at_once() {
    insta::assert_snapshot!(rig().run("validate template.json"));
}

#[test]
fn an_unknown_variable_on_the_command_line_is_refused() {
    insta::assert_snapshot!(rig().run("build -var nmae=x -var size=1 template.json"));
}

#[test]
fn an_unknown_variable_in_a_file_is_refused() {
    let rig = rig().file("vars.json", r#"{"name": "a", "size": 1, "sice": 2}"#);
    insta::assert_snapshot!(rig.run("build -var-file=vars.json template.json"));
}

#[test]
fn a_wrong_variable_file_is_shown() {
    insta::assert_snapshot!(
        rig().file("vars.json", "{\"name\": [1]}").run("build -var-file vars.json template.json")
    );
}

#[test]
fn a_component_that_nobody_offers_is_refused() {
    insta::assert_snapshot!(rig().run("build -var name=a -var size=1 template.json"));
}

#[test]
fn an_unknown_build_on_the_command_line_is_refused() {
    insta::assert_snapshot!(rig().run("build -var name=alpha -var size=1 -only=alhpa template.json"));
    insta::assert_snapshot!(rig().run("build -var name=alpha -var size=1 -except=alpha template.json"));
}

#[test]
fn plugins_lists_what_was_found_and_what_was_not_taken() {
    let rig = rig().file("packer-builder-text", "").plugin("packer-plugin-many");
    insta::assert_snapshot!(rig.variable("PACKER_PLUGIN_PATH", "relative").run("plugins"));
}

#[test]
fn a_wrong_config_file_is_shown() {
    let rig = Rig::new().file("config.json", "{\"builder\": {}}");
    let config = rig.path().join("config.json");
    let rig = rig.variable("PACKER_CONFIG", config.to_str().unwrap());
    insta::assert_snapshot!(rig.run("plugins"));
}
