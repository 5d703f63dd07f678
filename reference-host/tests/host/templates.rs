//! Whole outputs of `validate -syntax-only`: what is wrong with a template, and where.

use crate::rig::Rig;

fn checked(template: &str) -> String {
    Rig::with_template(template).run("validate -syntax-only template.json")
}

const GOOD: &str = r#"{
  "_comment": "anything",
  "description": "a file",
  "min_packer_version": "1.4.0",
  "variables": {"text": "hello", "home": "{{env `HOME`}}", "size": 7},
  "sensitive-variables": ["text"],
  "builders": [
    {"type": "file", "name": "one", "content": "{{user `text`}}", "target": "{{template_dir}}/one"},
    {"type": "file", "name": "two", "content": "{{ .Late }}", "target": "two"}
  ],
  "provisioners": [
    {"type": "shell", "only": ["one"], "pause_before": "1m30s", "max_retries": 2, "timeout": "5m",
     "override": {"one": {"inline": ["true"]}}, "inline": ["false"]}
  ]
}"#;
#[test]
fn a_good_template_passes() {
    insta::assert_snapshot!(checked(GOOD), @r"
    $ packwire validate -syntax-only template.json
    Syntax-only check passed. Everything looks okay.
    --- stderr ---
    --- exit 0 ---
    ");
}

#[test]
fn an_unknown_root_key_is_refused() {
    insta::assert_snapshot!(checked("{\n  \"biulders\": [],\n  \"builders\": [{\"type\": \"null\"}]\n}"));
}

#[test]
fn a_duplicate_key_is_refused_naming_both_places() {
    insta::assert_snapshot!(checked("{\"builders\": [\n  {\"type\": \"null\",\n   \"type\": \"file\"}\n]}"));
}

#[test]
fn bad_json_is_refused() {
    insta::assert_snapshot!(checked("{\n  \"builders\": [\n    {\"type\": \"null\"},\n  ]\n}"));
}

#[test]
fn a_builder_without_type_is_refused() {
    insta::assert_snapshot!(checked("{\n  \"builders\": [{\"name\": \"x\"}]\n}"));
}

#[test]
fn a_template_without_builders_is_refused() {
    insta::assert_snapshot!(checked("{\"variables\": {}}"));
}

#[test]
fn an_unknown_function_is_refused() {
    insta::assert_snapshot!(checked(
        "{\"builders\": [{\n  \"type\": \"file\",\n  \"target\": \"a\\t{{uesr `x`}}\",\n  \"content\": \"{{consul_key `k`}}\"\n}]}"
    ));
}

#[test]
fn an_unfinished_expression_is_refused() {
    insta::assert_snapshot!(checked("{\"builders\": [{\"type\": \"file\", \"target\": \"é {{user `x`\"}]}"));
}

#[test]
fn an_undeclared_variable_is_refused() {
    insta::assert_snapshot!(checked(
        "{\"variables\": {\"name\": \"\"}, \"builders\": [{\"type\": \"file\", \"target\": \"{{user `nmae`}}\"}]}"
    ));
}

#[test]
fn an_unknown_build_in_only_is_refused() {
    insta::assert_snapshot!(checked(
        "{\n  \"builders\": [{\"type\": \"file\"}],\n  \"provisioners\": [{\"type\": \"shell\", \"only\": [\"flie\"]}]\n}"
    ));
}

#[test]
fn what_is_not_there_yet_is_refused_by_name() {
    insta::assert_snapshot!(checked(
        "{\n  \"builders\": [{\"type\": \"file\"}],\n  \"post-processors\": [\"manifest\"],\n  \"push\": {}\n}"
    ));
}

#[test]
fn two_builds_of_one_name_are_refused() {
    insta::assert_snapshot!(checked("{\"builders\": [\n  {\"type\": \"file\"},\n  {\"type\": \"file\"}\n]}"));
}

#[test]
fn all_mistakes_are_told_at_once() {
    insta::assert_snapshot!(checked(
        r#"{
  "min_packer_version": "1.10.0",
  "variables": {"x": true},
  "sensitive-variables": ["y"],
  "builders": [{"type": 7}],
  "provisioners": [{"type": "shell", "only": [], "except": [], "pause_before": "soon", "max_retries": -1}]
}"#
    ));
}

#[test]
fn a_missing_file_and_an_hcl_template_are_explained() {
    insta::assert_snapshot!(Rig::new().run("validate -syntax-only gone.json"));
    insta::assert_snapshot!(Rig::new().run("validate -syntax-only box.pkr.hcl"));
}

#[test]
fn a_hostile_template_cannot_steer_the_terminal() {
    insta::assert_snapshot!(checked(
        "{\"builders\": [{\"type\": \"a\u{9b}31m\u{202e}\"}], \"\\u001b[2J\": 1}"
    ));
}

#[test]
fn a_report_has_colours_on_a_terminal_unless_they_are_forbidden() {
    let colourful = Rig::with_template("{}").on_a_terminal();
    assert!(colourful.run("validate -syntax-only template.json").contains("ESC["));
    let forbidden = Rig::with_template("{}").on_a_terminal().variable("NO_COLOR", "1");
    assert!(!forbidden.run("validate -syntax-only template.json").contains("ESC["));
}

proptest::proptest! {
    #[test]
    fn any_template_is_read_or_refused(at in 0_usize..400, removed in 0_usize..8, added in "([{}\\[\\]\",:`\\\\u09]|null|7){0,4}") {
        let mut text = GOOD.to_owned();
        let start = text.floor_char_boundary(at.min(text.len()));
        let end = text.floor_char_boundary((start + removed).min(text.len()));
        text.replace_range(start..end.max(start), &added);
        let shown = checked(&text);
        proptest::prop_assert!(shown.contains("--- exit 0 ---") || shown.contains("  x "), "{shown}");
    }
}
