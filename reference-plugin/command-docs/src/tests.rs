//! Whole answers of the command, beside a plugin with components of several kinds.
use std::collections::BTreeMap;

use packwire_plugin::{
    Build, BuildRun, Builder, Built, Context, DataSource, Diagnostic, Hook, HookRun, Outcome, Plugin,
    PostProcess, PostProcessRun, PostProcessed, PostProcessor, Provision, ProvisionRun, Provisioner, Query,
    QueryRun, Stop, testing::Host,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::docs::Docs;

/// How the disk is made.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("examples" = [{"gigabytes": 20}, {"gigabytes": 1, "format": "raw", "users": [{"name": "me"}]}]))]
#[expect(dead_code, reason = "only its schema counts")]
struct DiskConfig {
    /// Its size, in
    /// gigabytes.
    #[schemars(range(min = 1))]
    gigabytes: u32,
    /// What it is: `raw` | `qcow2`.
    #[serde(default)]
    format: Format,
    /// Who may log in.
    #[serde(default)]
    users: Vec<User>,
    /// What is written to it.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[deprecated]
    old: Option<bool>,
}

#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Raw,
    #[default]
    Qcow2,
}

/// A user of the machine.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema counts")]
struct User {
    /// The name.
    name: String,
    /// The password.
    #[schemars(extend("writeOnly" = true))]
    password: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Found {
    /// The newest version.
    version: String,
}

struct Any;

impl Builder for Any {
    type Config = DiskConfig;
    type Build = Any;
    const SUMMARY: &'static str = "Makes disks";
    const DOCUMENTATION: &'static str = "Makes a disk, and *nothing* else.\n\n- quickly\n";

    fn prepare(&self, _: DiskConfig, _: &Context) -> Result<Any, Vec<Diagnostic>> {
        Ok(Any)
    }
}

impl Build for Any {
    async fn run(self, _: BuildRun) -> Result<Built, Stop> {
        Err(Stop::Cancelled)
    }
}

impl Provisioner for Any {
    type Config = Nothing;
    type Provision = Any;
    const SUMMARY: &'static str = "Idles";

    fn prepare(&self, _: Nothing, _: &Context) -> Result<Any, Vec<Diagnostic>> {
        Ok(Any)
    }
}

impl Provision for Any {
    async fn run(self, _: ProvisionRun) -> Result<(), Stop> {
        Ok(())
    }
}

impl PostProcessor for Any {
    type Config = Nothing;
    type PostProcess = Any;
    const SUMMARY: &'static str = "Leaves it as it is";

    fn prepare(&self, _: Nothing, _: &Context) -> Result<Any, Vec<Diagnostic>> {
        Ok(Any)
    }
}

impl PostProcess for Any {
    async fn run(self, _: PostProcessRun) -> Result<PostProcessed, Stop> {
        Err(Stop::Cancelled)
    }
}

impl DataSource for Any {
    type Config = Nothing;
    type Query = Any;
    const SUMMARY: &'static str = "Looks a version up";

    fn prepare(&self, _: Nothing, _: &Context) -> Result<Any, Vec<Diagnostic>> {
        Ok(Any)
    }
}

impl Query for Any {
    type Output = Found;

    async fn run(self, _: QueryRun) -> Result<Found, Stop> {
        Err(Stop::Cancelled)
    }
}

impl Hook for Any {
    async fn run(&self, _: HookRun) -> Outcome {
        Outcome::Done
    }
}

fn known() -> Plugin {
    Plugin::new("known", "1.0.0")
        .provisioner("wait", Any)
        .provisioner("idle", Any)
        .builder("disk", Any)
        .post_processor("same", Any)
        .data_source("version", Any)
        .hook("audit", "Writes down what happens", Any)
        .command("docs", Docs)
}

/// What stands on the terminal: `!` before what goes to standard error, and the exit status at the end.
async fn run(arguments: &[&str], known: Plugin) -> String {
    let host = Host::new();
    let status = host.run_command(Docs, arguments, known).await.unwrap();
    let line = |line: String| match line.strip_prefix("message: ") {
        Some(said) => said.to_owned(),
        None => line.replacen("error:", "!", 1),
    };
    let lines: Vec<_> = host.told().into_iter().map(line).chain([format!("exit {status}")]).collect();
    lines.join("\n")
}

async fn answered(arguments: &[&str]) -> Value {
    let told = run(arguments, known()).await;
    serde_json::from_str(told.strip_suffix("\nexit 0").unwrap()).unwrap()
}

#[tokio::test]
async fn all_components_are_listed_kind_by_kind() {
    insta::assert_snapshot!(run(&[], known()).await);
    insta::assert_snapshot!(run(&["provisioner"], known()).await);
    assert_eq!(run(&[], Plugin::new("empty", "1.0.0")).await, "no component is known\nexit 0");
}

#[tokio::test]
async fn a_component_is_told_of_with_its_options() {
    insta::assert_snapshot!(run(&["builder", "disk"], known()).await);
    insta::assert_snapshot!(run(&["data-source", "version"], known()).await);
    insta::assert_snapshot!(run(&["hook", "audit"], known()).await);
}

#[tokio::test]
async fn programs_get_json() {
    let listed = answered(&["--json", "builder"]).await;
    assert_eq!(
        listed,
        json!({"components": [{"kind": "builder", "name": "disk", "summary": "Makes disks"}]})
    );
    assert_eq!(answered(&["--json"]).await["components"].as_array().unwrap().len(), 7);
    let told = answered(&["builder", "disk", "--json"]).await;
    assert_eq!(told["configSchema"]["required"], json!(["gigabytes"]));
    assert_eq!(told["outputSchema"], Value::Null);
    insta::assert_snapshot!(format!("{:#}", told["options"]));
}

#[tokio::test]
async fn what_is_not_there_is_told_with_what_is_near() {
    let mut told = Vec::new();
    for arguments in [
        &["bulider"][..],
        &["disk"],
        &["thing", "disk"],
        &["builder", "dsik"],
        &["builder", "idle"],
        &["builder", "vm"],
        &["communicator", "ssh"],
    ] {
        told.push(format!("$ packwire docs {}\n{}", arguments.join(" "), run(arguments, known()).await));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn a_command_line_that_means_nothing_is_refused_and_help_is_given() {
    insta::assert_snapshot!(run(&["--jsno"], known()).await);
    insta::assert_snapshot!(run(&["--template-schema", "builder"], known()).await);
    insta::assert_snapshot!(run(&["--help"], known()).await);
}

/// What is wrong with a template, by the schema that editors get.
async fn problems(template: &Value) -> Vec<String> {
    let schema = answered(&["--template-schema"]).await;
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.iter_errors(template).map(|error| error.instance_path().as_str().to_owned()).collect()
}

#[tokio::test]
async fn an_editor_complains_of_nothing_that_the_host_takes() {
    let template = json!({
        "_comment": [], "description": "d", "min_packer_version": "1.0",
        "variables": {"a": "b", "c": null, "d": 1}, "sensitive-variables": ["a"],
        "data": {"v": {"type": "version", "grant": ["communicator"]}},
        "builders": [
            {"type": "disk", "gigabytes": 1, "format": "raw", "users": [{"name": "n", "password": "p"}]},
            {"type": "disk", "name": "{{user `a`}}", "gigabytes": "{{user `d`}}", "format": "{{user `a`}}",
                "labels": {"l": "m"}},
        ],
        "provisioners": [{
            "type": "idle", "only": ["disk"], "except": [], "override": {"disk": {}}, "pause_before": "1s",
            "timeout": "1m", "max_retries": 2,
        }],
        "error-cleanup-provisioner": {"type": "wait"},
        "hooks": {"packer_provision": ["audit", {"type": "audit", "only": ["disk"]}]},
        "post-processors": ["same", {"type": "same", "keep_input_artifact": true}, ["same", {"type": "same", "name": "n"}]],
    });
    assert_eq!(problems(&template).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_editor_complains_of_what_the_host_refuses() {
    let disk = json!({"type": "disk", "gigabytes": 1});
    for (wrong, place) in [
        (json!({}), ""),
        (json!({"builders": []}), "/builders"),
        (json!({"builders": [{"type": "dsik"}]}), "/builders/0/type"),
        (json!({"builders": [{"type": "disk"}]}), "/builders/0"),
        (json!({"builders": [{"type": "disk", "gigabytes": 0}]}), "/builders/0/gigabytes"),
        (json!({"builders": [{"type": "disk", "gigabytes": 1, "colour": 2}]}), "/builders/0"),
        (json!({"builders": [{"type": "disk", "gigabytes": 1, "users": [{}]}]}), "/builders/0/users/0"),
        (json!({"builders": [disk], "builder": []}), ""),
        (json!({"builders": [disk], "provisioners": [{"type": "disk"}]}), "/provisioners/0/type"),
        (json!({"builders": [disk], "post-processors": ["idle"]}), "/post-processors/0"),
        (json!({"builders": [disk], "hooks": {"e": [{"type": "audit", "name": "x"}]}}), "/hooks/e/0"),
    ] {
        assert!(problems(&wrong).await.contains(&place.to_owned()), "{wrong} at {place}");
    }
}
