//! A scenario: what the author of a plugin says of its work, so that the suite may run it.
//!
//! Without one nothing is run, since a run may cost money. The format is TOML, its shape `scenario.schema.json`.

mod below;
mod key;
mod mistakes;
mod sense;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::components::Kind;

pub use below::{Existing, Relative};
pub use key::Key;

/// What a plugin's components do when they are run.
///
/// In all texts `${work}` is a fresh directory of the run, `${text}` a text that is hard to keep intact, `${secret}` a
/// text that must not be seen, `${integer}` the place of a number, `${server}` the address of a server with what `serve` says, and `${deaf}` that of one
/// that never answers.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// The version of this format.
    #[schemars(range(min = 1, max = 1))]
    packwire_scenario: u32,
    /// What `${server}` serves over HTTP: a path, and the text that is found there.
    #[serde(default)]
    pub serve: BTreeMap<String, String>,
    /// Builders, by name.
    #[serde(default)]
    builder: BTreeMap<String, Part>,
    /// Provisioners, by name.
    #[serde(default)]
    provisioner: BTreeMap<String, Part>,
    /// Post-processors, by name.
    #[serde(default)]
    post_processor: BTreeMap<String, Part>,
    /// Data sources, by name.
    #[serde(default)]
    data_source: BTreeMap<String, Part>,
    /// Hooks, by name.
    #[serde(default)]
    hook: BTreeMap<String, Part>,
    /// Commands, by name.
    #[serde(default)]
    command: BTreeMap<String, Part>,
    /// Communicators, by name.
    #[serde(default)]
    communicator: BTreeMap<String, Part>,
}

/// One component. Configurations are tables, as a template has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Part {
    /// A configuration whose run ends well, costs nothing, and may be repeated.
    pub run: Option<Value>,
    /// One whose run goes on until it is cancelled; without it the suite blocks `run` in what it lends.
    pub slow: Option<Value>,
    /// One whose run fails. Hooks: the generated data of a call that fails.
    pub fails: Option<Value>,
    /// One whose run meets a bug of the component: a panic, or an exception that nobody catches. Few have one.
    pub bug: Option<Value>,
    /// One whose run crashes the whole process. Fewer have one.
    pub crash: Option<Value>,
    /// One whose run asks the user something, and cannot go on without an answer.
    pub asks: Option<Value>,
    /// One that holds `${text}`, which comes out of the run unchanged: in texts, files, commands or generated data.
    pub echo: Option<Value>,
    /// One that holds the text `${integer}` where an integer belongs, whose digits come out of the run unchanged.
    pub integer: Option<Value>,
    /// One that holds `${secret}` in a member that its schema calls `writeOnly`.
    pub secret: Option<Value>,
    /// One whose run says more than 64 texts, or sends more than 1 MiB.
    pub much: Option<Value>,
    /// Configurations that are refused, each with the place that is wrong.
    #[serde(default)]
    pub invalid: Vec<Told>,
    /// Configurations that are taken, of which `prepare` warns, each with the place that it warns of.
    #[serde(default)]
    pub warns: Vec<Told>,
    /// One whose paths are relative, with what its run reads and makes.
    pub relative: Option<Relative>,
    /// Builders: one that allows to replace nothing, with what its run makes.
    pub existing: Option<Existing>,
    /// What a run of `run` says in this order, among other things.
    #[serde(default)]
    pub says: Vec<String>,
    /// A command for `sh` that succeeds if nothing is left of a run that did not end well, and fails where a run has
    /// made something.
    pub clean: Option<String>,
    /// Builders and post-processors: whether `run` yields an artifact (it does, unless this says no).
    pub artifact: Option<bool>,
    /// Builders and post-processors: the states that the artifact of `run` has beside what it describes.
    #[serde(default)]
    pub states: Vec<String>,
    /// How many seconds a run may take to end once it is cancelled; 60 without this.
    #[schemars(range(min = 0.1, max = 600.0))]
    pub grace: Option<f64>,
    /// How many seconds a run may take that nobody keeps waiting; 60 without this.
    #[schemars(range(min = 0.1, max = 100.0))]
    pub within: Option<f64>,
    /// What the machine that the suite lends answers to commands; other commands end with status 0.
    #[serde(default)]
    pub machine: Vec<Answered>,
    /// Files that are on this machine, by path.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Post-processors: the artifact that goes in.
    pub input: Option<Input>,
    /// Data sources: the value that `run` yields.
    pub value: Option<Value>,
    /// Hooks: the event that they know.
    pub event: Option<String>,
    /// Hooks: the generated data that comes with it.
    pub data: Option<Value>,
    /// Commands: the arguments of a run that ends well.
    pub arguments: Option<Vec<String>>,
    /// Commands: arguments after which all others are shown to the user unchanged.
    pub echo_arguments: Option<Vec<String>>,
    /// Commands: how they end after other arguments.
    #[serde(default)]
    pub ends: Vec<End>,
    /// Provisioners: the files on the machine that a run is there to make; it removes all others that it has put there.
    pub leaves: Option<Vec<String>>,
    /// Communicators: the language of their commands. Without it commands are not tried.
    pub shell: Option<Shell>,
    /// Keys that this component has nothing for: without them what they try does not apply to it.
    #[serde(default)]
    pub without: Vec<Key>,
}

/// A configuration of which `prepare` tells something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The configuration.
    pub config: Value,
    /// A JSON Pointer to what it tells something of.
    pub path: String,
    /// Other places of which it tells something in the same answer.
    #[serde(default)]
    pub also: Vec<String>,
}

/// What a machine answers to a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// A part of the command's line.
    pub command: String,
    /// What it prints.
    #[serde(default)]
    pub stdout: String,
    /// What it prints on the other stream.
    #[serde(default)]
    pub stderr: String,
    /// How often it prints that; once without this.
    pub repeat: Option<usize>,
    /// How it ends; 0 without this.
    #[serde(default)]
    pub status: i32,
    /// Whether it removes the files that its line names, and what is below the directories that it names.
    #[serde(default)]
    pub removes: bool,
}

/// How a command ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// The arguments.
    pub arguments: Vec<String>,
    /// The exit status.
    pub status: u8,
}

/// An artifact that goes in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Input {
    /// The kind of artifact.
    pub builder_id: String,
    /// Which one it is.
    pub id: String,
    /// Its files, made in `${work}`: a name, and what stands in it.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

impl Input {
    /// An artifact of one file, for post-processors of which no scenario says more.
    pub(crate) fn plain() -> Self {
        let files = BTreeMap::from([("input.txt".to_owned(), "an artifact of the suite\n".to_owned())]);
        Self { builder_id: "packwire.conformance".to_owned(), id: "input".to_owned(), files }
    }
}

/// The language of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Shell {
    /// `sh`, with `cat`, `head`, `kill`, `sleep` and `test`.
    Posix,
}

/// Why a file is no scenario.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ScenarioError {
    /// It cannot be read.
    #[error("the scenario {} cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what a scenario is.
    #[error("the scenario {} is not understood: {problem}", .path.display())]
    #[diagnostic(help("SPEC.md#scenarios says what may stand in a scenario"))]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// The line, and what is wrong there.
        problem: String,
    },
    /// It speaks of a component that the plugin does not offer.
    #[error("the scenario speaks of the {component}, which the plugin does not offer")]
    #[diagnostic(help("the plugin offers: {offered}"))]
    Unknown {
        /// Its kind and name.
        component: String,
        /// What there is.
        offered: String,
    },
}

impl Scenario {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|problem| ScenarioError::NotUnderstood { path: path.to_owned(), problem })
    }

    /// Reads a text; the error has all that is wrong, each with its line or its place.
    pub fn parse(text: &str) -> Result<Self, String> {
        let told = |error: toml::de::Error| error.to_string().trim_end().to_owned();
        let table: toml::Table = toml::from_str(text).map_err(told)?;
        match table.get("packwire-scenario") {
            Some(toml::Value::Integer(other)) if *other != 1 => {
                return Err(format!("`packwire-scenario = {other}`: this suite reads version 1"));
            }
            _ => {}
        }
        let value = serde_json::to_value(&table).map_err(|error| error.to_string())?;
        match &mistakes::of(&value)[..] {
            [] => toml::from_str(text).map_err(told),
            [mistake] => Err(mistake.clone()),
            all => Err(format!("{} mistakes\n{}", all.len(), all.join("\n"))),
        }
    }

    /// What is said of one component.
    pub(crate) fn part(&self, kind: Kind, name: &str) -> Option<&Part> {
        self.of(kind).get(name)
    }

    /// Everything that it speaks of must be there: `offered` are components such as `builder custom-cloud`.
    pub(crate) fn fits(&self, offered: &[String]) -> Result<(), ScenarioError> {
        let unknown = self.parts().map(|(kind, name, _)| format!("{} {name}", kind.word()));
        match unknown.into_iter().find(|component| !offered.contains(component)) {
            Some(component) => Err(ScenarioError::Unknown { component, offered: offered.join(", ") }),
            None => Ok(()),
        }
    }

    fn parts(&self) -> impl Iterator<Item = (Kind, &String, &Part)> {
        Kind::ALL
            .into_iter()
            .flat_map(|kind| self.of(kind).iter().map(move |(name, part)| (kind, name, part)))
    }

    fn of(&self, kind: Kind) -> &BTreeMap<String, Part> {
        match kind {
            Kind::Builder => &self.builder,
            Kind::Provisioner => &self.provisioner,
            Kind::PostProcessor => &self.post_processor,
            Kind::DataSource => &self.data_source,
            Kind::Hook => &self.hook,
            Kind::Command => &self.command,
            Kind::Communicator => &self.communicator,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_read() {
        let text = "packwire-scenario = 1\n[builder.x]\nrun = { size = 1 }\nsays = [\"one\"]\n";
        let scenario = Scenario::parse(text).unwrap();
        let part = scenario.part(Kind::Builder, "x").unwrap();
        assert_eq!(part.run, Some(serde_json::json!({"size": 1})));
        assert!(scenario.fits(&["builder x".to_owned()]).is_ok());
        assert!(scenario.fits(&[]).unwrap_err().to_string().contains("builder x"));
    }

    fn told(text: &str) -> String {
        Scenario::parse(text).err().unwrap_or_default()
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        insta::assert_snapshot!(told("packwire-scenario = 2\n"), @"`packwire-scenario = 2`: this suite reads version 1");
        insta::assert_snapshot!(told("packwire-scenario = 1\n[hook.x]\nevent = \"a\"\nrun = {}\n"), @"hook.x: `run` means nothing for a hook: take it out");
        insta::assert_snapshot!(told("packwire-scenario = 1\n[post-processor.x]\nrun = {}\n"), @"post-processor.x: `input` is missing: a post-processor needs an artifact");
        insta::assert_snapshot!(told("packwire-scenario = 1\n[builder.x\n"));
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        insta::assert_snapshot!(told(
            r#"
            colour = 3
            serve = { "/a" = "${txt}" }
            [builder.x]
            rum = {}
            slow = 1.5
            says = "one"
            grace = 0
            artifact = "no"
            invalid = [{ config = {}, path = 1, als = [] }]
            [builder.y]
            run = { lines = ["${echo}", "${HOME}", "${var.x}"] }
            echo = { lines = ["a"] }
            integer = { number = "${integer" }
            secret = { password = "secret" }
            leaves = []
            bug = 1
            without = ["bug", "shell"]
            [post-processor.z]
            input = { builder-id = "a", ids = "b" }
            [command.w]
            fails = {}
            ends = [{ arguments = [], status = 256 }]
            without = ["run"]
            [communicator.v]
            run = {}
            shell = "fish"
            "#
        ));
    }

    #[test]
    fn a_component_is_without_what_its_kind_may_have() {
        let without = "packwire-scenario = 1\n[builder.x]\nrun = {}\nwithout = [\"bug\", \"crash\"]\n";
        assert_eq!(told(without), "");
    }

    #[test]
    fn a_text_may_come_from_what_a_run_is_given() {
        let text = "packwire-scenario = 1\nserve = { \"/it\" = \"${text}\" }\n[data-source.x]\nrun = {}\necho = { url = \"${server}/it\" }\n";
        assert!(Scenario::parse(text).is_ok());
    }

    #[test]
    fn every_key_of_a_scenario_is_explained_in_the_specification() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../SPEC.md");
        let text = std::fs::read_to_string(file).unwrap();
        let chapter =
            text.split("\n### Scenarios\n").nth(1).and_then(|rest| rest.split("\n### ").next()).unwrap();
        let explained: Vec<&str> =
            chapter.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let schema = serde_json::to_value(schemars::schema_for!(Scenario)).unwrap();
        let mut keys: Vec<&str> =
            schema["$defs"]["Part"]["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        keys.retain(|key| !explained.contains(key));
        assert_eq!(keys, Vec::<&str>::new());
    }

    #[test]
    fn the_committed_schema_is_that_of_the_format() {
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(Scenario)).unwrap() + "\n";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenario.schema.json");
        if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
            std::fs::write(&file, &schema).unwrap();
        }
        assert!(std::fs::read_to_string(file).unwrap() == schema, "renew it: INSTA_UPDATE=always cargo test");
    }
}
