//! What can be seen of the plugin without a host: its list, and how it refuses to start. `conformance` sees the rest.
use std::process::{Command, Output, Stdio};

#[expect(clippy::disallowed_methods, reason = "each is waited for, and ends by itself")]
#[expect(clippy::expect_used, reason = "a test without its binary has failed")]
fn faulty(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faulty"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    command.output().expect("the binary was built with this test")
}

fn told(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    format!("{stderr}{}", output.status)
}

fn launched(manner: &str, address: &str, protocol: &str) -> String {
    let variables = [
        ("PACKER_PLUGIN_ADDRESS", address),
        ("PACKER_PLUGIN_TOKEN", "0f"),
        ("PACKER_PLUGIN_PROTOCOL", protocol),
    ];
    told(&faulty(&[manner], &variables))
}

#[test]
fn the_list_names_every_manner_and_what_it_breaks() {
    insta::assert_snapshot!(String::from_utf8_lossy(&faulty(&["list"], &[]).stdout));
}

#[test]
fn without_a_host_it_says_what_it_is() {
    insta::assert_snapshot!(told(&faulty(&["green"], &[])), @r"
    [INFO] this is the Packwire plugin green: it is of use only when a host, such as `packwire`, starts it
    exit status: 2
    ");
}

#[test]
fn every_unusable_variable_is_named() {
    insta::assert_snapshot!(launched("green", "http://localhost", "1,"), @r#"
    [INFO] PACKER_PLUGIN_ADDRESS is unusable: it starts with neither unix: nor tcp:
    [INFO] PACKER_PLUGIN_PROTOCOL is unusable: "1," is no list of version numbers such as 1,2
    exit status: 2
    "#);
}

#[test]
fn without_a_common_version_the_refusal_line_stands_alone() {
    insta::assert_snapshot!(launched("green", "unix:/nowhere/s", "2,3"), @r"
    packwire: no common protocol version; plugin speaks 1; host offers 2,3
    exit status: 3
    ");
}

#[test]
fn where_nobody_listens_it_gives_up() {
    insta::assert_snapshot!(launched("green", "unix:/nowhere/s", "1"), @r"
    [INFO] cannot reach the host: No such file or directory (os error 2)
    exit status: 4
    ");
}

#[test]
fn a_fault_differs_in_one_thing() {
    insta::assert_snapshot!(launched("silent-refusal", "unix:/nowhere/s", "2,3"), @"exit status: 3");
    assert_eq!(launched("silent-refusal", "unix:/nowhere/s", "1"), launched("green", "unix:/nowhere/s", "1"));
}
