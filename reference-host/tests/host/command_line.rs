//! Whole outputs: help, version, and command lines that are refused.

use crate::rig::Rig;

#[test]
fn help_shows_every_command_and_the_exit_codes() {
    insta::assert_snapshot!(Rig::new().run("--help"));
}

#[test]
fn nothing_typed_is_answered_with_help() {
    insta::assert_snapshot!(Rig::new().run(""));
}

#[test]
fn help_of_build_shows_its_flags() {
    insta::assert_snapshot!(Rig::new().run("build --help"));
}

#[test]
fn help_of_validate_shows_its_flags() {
    insta::assert_snapshot!(Rig::new().run("validate -h"));
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    insta::assert_snapshot!(Rig::new().run("biuld t.json"));
}

#[test]
fn the_version_names_the_packer_whose_templates_run() {
    insta::assert_snapshot!(Rig::new().run("version"), @r"
    $ packwire version
    packwire v0.1.0 (runs templates of Packer 1.6.6)
    --- stderr ---
    --- exit 0 ---
    ");
    insta::assert_snapshot!(Rig::new().run("-version"), @r"
    $ packwire -version
    packwire 0.1.0
    --- stderr ---
    --- exit 0 ---
    ");
}

#[test]
fn a_transport_that_is_none_is_refused() {
    insta::assert_snapshot!(Rig::new().variable("PACKER_PLUGIN_TRANSPORT", "udp").run("plugins"));
    let tcp = Rig::new().variable("PACKER_PLUGIN_TRANSPORT", "tcp");
    insta::assert_snapshot!(tcp.variable("PACKER_PLUGIN_MIN_PORT", "x").run("plugins"));
}

#[test]
fn what_packer_has_and_we_do_not_is_refused() {
    insta::assert_snapshot!(Rig::new().run("inspect t.json"));
    insta::assert_snapshot!(Rig::new().run("build -on-error=ask t.json"));
    insta::assert_snapshot!(Rig::new().run("build -var x t.json"));
}
