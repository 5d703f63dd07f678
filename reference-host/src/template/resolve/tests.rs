//! What becomes of templates when their variables are known.

use super::super::Given;
use super::*;
use time::macros::datetime;

fn run() -> RunContext {
    RunContext {
        started: datetime!(2026-03-07 14:05:09 UTC),
        template_dir: "/t".to_owned(),
        pwd: "/w".to_owned(),
        environment: [("WHO".to_owned(), "me".to_owned())].into(),
        uuid: || "0198-uuid".to_owned(),
    }
}

fn resolve(text: &str, given: &[&str]) -> Result<Vec<ResolvedBuild>, TemplateError> {
    whole(text, given).map(|resolved| resolved.builds)
}

fn whole(text: &str, given: &[&str]) -> Result<Resolved, TemplateError> {
    let template = Template::parse("t.json", text)?;
    let given: Vec<_> = given.iter().map(|text| Given::flag(text).unwrap()).collect();
    template.resolve(&Variables::settle(&template, &given, &run())?, &run())
}

fn check(expression: &str, expect: &str) {
    let quoted = serde_json::to_string(expression).unwrap();
    let text = format!(
        r#"{{"variables": {{"v": "x y", "w": "{{{{env `WHO`}}}}-{{{{user `v`}}}}"}},
            "builders": [{{"type": "file", "name": "b", "k": {quoted}}}]}}"#
    );
    let found = match resolve(&text, &[]) {
        Ok(builds) => builds[0].config.value["k"].as_str().unwrap().to_owned(),
        Err(TemplateError::Wrong { problems, .. }) => problems[0].to_string(),
        Err(other) => other.to_string(),
    };
    assert_eq!(found, expect, "{expression}");
}

#[test]
fn every_function_yields_what_it_says() {
    check("{{user `v`}} {{ user \"w\" }}", "x y me-x y");
    check("{{timestamp}} {{isotime}}", "1772892309 2026-03-07T14:05:09Z");
    check("{{isotime `060102`}} {{strftime `%Y`}}", "260307 2026");
    check("{{uuid}} {{build_name}} {{build_type}}", "0198-uuid b file");
    check("{{template_dir}} {{pwd}} {{packer_version}}", "/t /w 1.6.6");
    check("{{upper `é`}}{{lower `ABC`}}", "Éabc");
    check("{{split `a-b-c` `-` 1}}{{split `abc` `` 2}}", "bc");
    check("{{replace `a` `b` 1 `aaa`}} {{replace_all `a` `b` `aaa`}}", "baa bbb");
    check("{{replace_all ` ` `_` (upper (user `v`))}}", "X_Y");
    check("{{ .Path }} {{.Vars}}", "{{ .Path }} {{.Vars}}");
}

#[test]
fn a_wrong_call_is_named() {
    check("{{split `a` `-` 3}}", "template function `split` finds no part 3");
    check("{{user v}}", "template function `v` does not exist");
    check("{{user (upper `v`)}}", "template function `user` takes a name in quotes");
    check("{{uuid `x`}}", "template function `uuid` takes no argument, not 1");
    check("{{user `x`}}", "variable `x` is not declared");
    check("{{env `HOME`}}", "template function `env` works in `variables` only");
    check("{{strftime `%Q`}}", "template function `strftime` does not know `%Q`");
    check("{{consul_key `x`}}", "template function `consul_key` is not there yet");
    check("{{printf `x`}}", "template function `printf` is not there yet");
    check("{{uper `x`}}", "template function `uper` does not exist");
}

#[test]
fn given_values_win_and_are_taken_as_they_are() {
    let text = r#"{"variables": {"a": null, "b": "{{user `a`}}"}, "builders": [{"type": "f", "k": "{{user `b`}}"}]}"#;
    let builds = resolve(text, &["a=1", "a={{uuid}}"]).unwrap();
    assert_eq!(builds[0].config.value["k"], "{{uuid}}");
}

#[test]
fn variables_that_need_each_other_are_refused() {
    let text = r#"{"variables": {"a": "{{user `b`}}", "b": "{{user `a`}}"}, "builders": [{"type": "f"}]}"#;
    assert!(resolve(text, &[]).unwrap_err().to_string().contains("is made from itself"));
}

#[test]
fn variables_that_double_each_other_end_at_a_limit() {
    let doubled = (1..40).map(|n| format!(r#", "v{n}": "{{{{user `v{0}`}}}}{{{{user `v{0}`}}}}""#, n - 1));
    let text = format!(
        r#"{{"variables": {{"v0": "x"{}}}, "builders": [{{"type": "f"}}]}}"#,
        doubled.collect::<String>()
    );
    assert!(resolve(&text, &[]).unwrap_err().to_string().contains("grows beyond"));
}

#[test]
fn an_override_replaces_members_in_its_build_only() {
    let text = r#"{"builders": [{"type": "f", "name": "a"}, {"type": "f", "name": "b"}],
        "provisioners": [{"type": "shell", "inline": ["x"], "n": 1, "override": {"b": {"inline": ["y"]}}},
                         {"type": "shell", "only": ["a"], "pause_before": "1s", "max_retries": "2"}]}"#;
    let builds = resolve(text, &[]).unwrap();
    assert_eq!(builds[0].provisioners.len(), 2);
    assert_eq!(builds[0].provisioners[1].max_retries, 2);
    assert_eq!(builds[1].provisioners.len(), 1);
    assert_eq!(builds[0].provisioners[0].config.value.to_string(), r#"{"inline":["x"],"n":1}"#);
    let config = &builds[1].provisioners[0].config;
    assert_eq!(config.value.to_string(), r#"{"n":1,"inline":["y"]}"#);
    let span = config.locate("/inline/0").unwrap();
    assert_eq!(&text[span.start..span.end], r#""y""#);
}

#[test]
fn a_pointer_to_what_is_not_there_finds_what_is_around_it() {
    let text = r#"{"builders": [{"type": "f", "a/b": {"c~": [1, 2]}}]}"#;
    let config = resolve(text, &[]).unwrap().remove(0).config;
    let shown = |pointer: &str| config.locate(pointer).map(|span| &text[span.start..span.end]);
    assert_eq!(shown("/a~1b/c~0/1"), Some("2"));
    assert_eq!(shown("/a~1b/c~0/7/x"), Some("[1, 2]"));
    assert_eq!(shown("/missing"), Some(r#"{"type": "f", "a/b": {"c~": [1, 2]}}"#));
}

#[test]
fn names_made_by_functions_are_compared_when_resolved() {
    let text = r#"{"variables": {"n": "a"},
        "builders": [{"type": "f", "name": "{{user `n`}}"}, {"type": "f", "name": "a"}]}"#;
    assert!(resolve(text, &[]).unwrap_err().to_string().contains("two builds are named `a`"));
    assert!(resolve(text, &["n=b"]).is_ok());
}

const LATE: &str = r#"{
    "data": {"d": {"type": "http", "url": "x"}},
    "builders": [{"type": "f", "size": "{{data `d` `/size`}}", "all": "{{data `d`}}", "known": "{{build_name}}"}],
    "provisioners": [{"type": "shell", "inline": ["{{build `Host`}} {{data `d` `/tag`}} {{uuid}}", "{{uuid}}"]}]
}"#;

fn data() -> super::super::Data {
    [("d".to_owned(), serde_json::json!({"size": 7, "tag": "v1", "list": [1, {"x": true}]}))].into()
}

#[test]
fn what_only_the_run_will_tell_stays_as_it_was_written() {
    let build = resolve(LATE, &[]).unwrap().remove(0);
    let (builder, shell) = (&build.config, &build.provisioners[0].config);
    assert_eq!(builder.value["known"], "f");
    assert_eq!(builder.value["size"], "{{data `d` `/size`}}");
    assert!(builder.is_late() && shell.is_late());
    assert!(builder.is_late_at("/all/x") && !builder.is_late_at("/known") && shell.is_late_below(""));
    assert!(shell.is_late_below("/inline") && !shell.is_late_at("/inline/1"));
    assert_eq!(shell.asks_data().into_iter().collect::<Vec<_>>(), ["d"]);
}

#[test]
fn late_values_are_filled_in_as_they_become_known() {
    let build = resolve(LATE, &[]).unwrap().remove(0);
    let data = data();
    let learned = Learned { data: Some(&data), generated: None };
    let builder = build.config.settled(learned).unwrap();
    assert!(!builder.is_late());
    assert_eq!(builder.value["size"], "7");
    assert_eq!(builder.value["all"], data["d"], "an object takes the place of a text that is nothing else");
    let shell = build.provisioners[0].config.settled(learned).unwrap();
    assert!(shell.is_late(), "it needs the builder, too");
    let generated = serde_json::json!({"Host": "example"});
    let learned = Learned { data: Some(&data), generated: generated.as_object() };
    let shell = shell.settled(learned).unwrap();
    assert_eq!(shell.value["inline"], serde_json::json!(["example v1 0198-uuid", "0198-uuid"]));
}

/// What is said of an expression that asks in vain.
fn late(expression: &str) -> String {
    let quoted = serde_json::to_string(expression).unwrap();
    let text = format!(
        r#"{{"data": {{"d": {{"type": "http"}}}}, "builders": [{{"type": "f"}}],
            "provisioners": [{{"type": "shell", "k": {quoted}}}]}}"#
    );
    let build = resolve(&text, &[]).unwrap().remove(0);
    let (data, generated) = (data(), serde_json::json!({"Host": "example", "Ports": [1]}));
    let learned = Learned { data: Some(&data), generated: generated.as_object() };
    match build.provisioners[0].config.settled(learned) {
        Ok(config) => config.value["k"].to_string(),
        Err(problems) => format!("{}; {}", problems[0], problems[0].hint().unwrap_or_default()),
    }
}

#[test]
fn a_late_value_that_is_not_there_is_named() {
    let expressions = [
        "{{data `d` `/tga`}}",
        "{{data `d` `/list/1/y/z`}}",
        "{{data `d` `/tag/x`}}",
        "{{build `Hots`}}",
        "x{{data `d` `/list`}}",
        "x{{build `Ports`}}",
        "{{build `Ports`}}",
        "{{data `d` `/list`}}",
        "{{upper (data `d` `/list/1/x`)}}",
    ];
    let told: Vec<_> =
        expressions.iter().map(|expression| format!("{expression}: {}", late(expression))).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    {{data `d` `/tga`}}: data source `d` yields nothing at `/tga`; did you mean `tag`?
    {{data `d` `/list/1/y/z`}}: data source `d` yields nothing at `/list/1/y/z`; did you mean `x`?
    {{data `d` `/tag/x`}}: data source `d` yields nothing at `/tag/x`; 
    {{build `Hots`}}: the builder has generated no `Hots`; did you mean `Host`?
    x{{data `d` `/list`}}: template function `data` yields an array here, which is no text; point at a text, a number or a boolean; a list or an object stands in a text of its own
    x{{build `Ports`}}: template function `build` yields an array here, which is no text; point at a text, a number or a boolean; a list or an object stands in a text of its own
    {{build `Ports`}}: [1]
    {{data `d` `/list`}}: [1,{"x":true}]
    {{upper (data `d` `/list/1/x`)}}: "TRUE"
    "#);
}

#[test]
fn sequences_hold_what_runs_in_their_build() {
    let text = r#"{"builders": [{"type": "f", "name": "a"}, {"type": "f", "name": "b"}],
        "error-cleanup-provisioner": {"type": "shell", "except": ["b"]},
        "hooks": {"packer_provision": ["t", {"type": "u", "only": ["b"]}]},
        "post-processors": [{"type": "x", "only": ["a"]}, ["y", {"type": "z", "name": "last", "except": ["a"]}]]}"#;
    let builds = resolve(text, &[]).unwrap();
    let shown = |build: &ResolvedBuild| {
        let names = |sequence: &Vec<ResolvedPostProcessor>| {
            sequence.iter().map(|one| one.name.clone()).collect::<Vec<_>>().join(",")
        };
        let sequences: Vec<_> = build.sequences.iter().map(names).collect();
        let hooks: Vec<_> = build.hooks.iter().map(|hook| hook.component.text.as_str()).collect();
        format!("{} {} {}", sequences.join(" "), hooks.join(","), build.cleanup.is_some())
    };
    assert_eq!(shown(&builds[0]), "x y t true");
    assert_eq!(shown(&builds[1]), "y,last t,u false");
}
