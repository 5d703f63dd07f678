//! What people and programs read: of a plugin that passes, and of five that do not.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the functions of a test may fail as it may"
)]

mod programs;
mod support;

use serde_json::{Value, json};
use support::{conformance, report};

/// What differs from run to run, in either report.
const FILTERS: [(&str, &str); 11] = [
    // The more rules there are, the fewer of them are tried here.
    (r"(of|all) \d+ rules", "$1 [n] rules"),
    (r"\d+ skipped", "[n] skipped"),
    (r#"[^ "`]*/packer-builder-green"#, "packer-builder-green"),
    (r"(?m)^(  messages ) .*(\n {10,}\d+ ms  link .*)*", "$1 [transcript]"),
    (r"nearest to its limit: .*", "nearest to its limit: [rule], [n] ms of [n] ms"),
    (r" (in|after) \d+\.\d s", " $1 [n] s"),
    (r"\d+(\.\d+)? (ms|%)", "[n] $2"),
    (r"process \d+", "process [pid]"),
    (r"`[^`\n]*/exe ", "`faulty "),
    (r"[0-9a-fA-F]{64}", "[token]"),
    (r"(/[^/\s`]+)+/pwc-[A-Za-z0-9]+", "[root]"),
];

/// Snapshots both reports of `faulty MANNER`, the code beside the text.
fn check(options: &[&str], manner: &str) {
    let said = conformance(options, manner);
    let told =
        format!("{}{}\nexit code {}", said.text, said.errors, said.code.expect("the suite is not killed"));
    let mut programs = report(options, manner);
    redact(&mut programs);
    let programs = serde_json::to_string_pretty(&programs).unwrap();
    insta::with_settings!({ filters => FILTERS.to_vec(), omit_expression => true }, {
        insta::assert_snapshot!(format!("{manner}.human"), told);
        insta::assert_snapshot!(format!("{manner}.json"), programs);
    });
}

/// Takes out of a JSON report what differs from run to run; what was skipped says nothing new.
fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(name, member)| match name.as_str() {
            "took_ms" | "limit_ms" | "waited_ms" => *member = json!("[ms]"),
            "rules" | "skipped" => *member = json!("[n]"),
            "transcript" => *member = json!("[transcript]"),
            "results" => keep_tried(member),
            _ => redact(member),
        }),
        Value::Array(elements) => elements.iter_mut().for_each(redact),
        _ => {}
    }
}

fn keep_tried(results: &mut Value) {
    results.as_array_mut().unwrap().retain(|result| result["status"] != "skipped");
    redact_all(results);
}

fn redact_all(results: &mut Value) {
    results.as_array_mut().unwrap().iter_mut().for_each(redact);
}

#[test]
fn a_plugin_that_keeps_every_rule() {
    check(&[], "green");
}

#[test]
fn a_fault_in_the_hello() {
    check(&["--only", "attach.hello-complete"], "duplicate-component");
}

#[test]
fn a_wrong_exit_status() {
    check(&["--only", "exit.*", "--skip", "exit.host-killed"], "exit-0-on-disconnect");
}

#[test]
fn a_deadline_that_is_not_kept() {
    check(&["--only", "exit.leave"], "lives-after-leave");
}

#[test]
fn a_warning() {
    check(&["--only", "log.stdout-silent"], "prints-banner");
}

#[test]
fn a_plugin_that_never_attaches() {
    check(&["--within", "2", "--only", "launch.no-arguments"], "needs-argv-start");
}
