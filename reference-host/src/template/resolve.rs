//! [`Template`] × [`Variables`] → builds whose names and configurations hold no function any more.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::check;
use super::expression::Phrase;
use super::function::{self, Scope};
use super::problem::{Problem, TemplateError};
use super::read::{Builder, Provisioner, Template, Word};
use super::source::{Member, Node, Shape, Source, Span};
use super::variables::Variables;

/// What template functions learn about the world; one for a whole run, so that all builds see one time.
#[derive(Clone, Debug)]
pub struct RunContext {
    /// `timestamp`, `isotime` and `strftime`.
    pub started: OffsetDateTime,
    /// `template_dir`: the directory of the template, absolute.
    pub template_dir: String,
    /// `pwd`: the host's working directory.
    pub pwd: String,
    /// `env`.
    pub environment: BTreeMap<String, String>,
    /// `uuid`: a new one at each call.
    pub uuid: fn() -> String,
}

/// One build with everything resolved that the host can resolve.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedBuild {
    /// Unique in the template.
    pub name: String,
    /// Which builder component.
    pub component: Word,
    /// What the builder is given.
    pub config: Config,
    /// Those that run in this build, in order.
    pub provisioners: Vec<ResolvedProvisioner>,
}

/// One provisioner as it runs in one build.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedProvisioner {
    /// Which provisioner component.
    pub component: Word,
    /// What it is given in this build.
    pub config: Config,
    /// How long to wait before it starts.
    pub pause_before: Duration,
    /// How long one attempt may take, the pause included.
    pub timeout: Option<Duration>,
    /// How often it is tried again after a failure.
    pub max_retries: u32,
}

/// A configuration, and where its values stand in the template.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// An object; as JSON text it is I-JSON.
    pub value: Value,
    spans: BTreeMap<String, Span>,
}

impl Config {
    /// Where the value that a JSON Pointer (RFC 6901) names was written, or the nearest value around it.
    #[must_use]
    pub fn locate(&self, pointer: &str) -> Option<Span> {
        let mut pointer = pointer;
        loop {
            if let Some(span) = self.spans.get(pointer) {
                return Some(*span);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }
}

impl Template {
    /// Resolves every build.
    ///
    /// # Errors
    /// Everything that cannot be resolved, at once.
    pub fn resolve(
        &self,
        variables: &Variables,
        run: &RunContext,
    ) -> Result<Vec<ResolvedBuild>, TemplateError> {
        let mut resolver = Resolver { source: &self.source, variables, run, problems: Vec::new() };
        let names: Vec<Word> = self.builders.iter().map(|builder| resolver.name(builder)).collect();
        resolver.problems.extend(check::names(&names, &self.provisioners));
        let builds = self.builders.iter().zip(names);
        let builds =
            builds.map(|(builder, name)| resolver.build(builder, name.text, &self.provisioners)).collect();
        if resolver.problems.is_empty() {
            return Ok(builds);
        }
        Err(TemplateError::Wrong { text: self.source.clone(), problems: resolver.problems })
    }
}

struct Resolver<'a> {
    source: &'a Source,
    variables: &'a Variables,
    run: &'a RunContext,
    problems: Vec<Problem>,
}

impl Resolver<'_> {
    fn name(&mut self, builder: &Builder) -> Word {
        let label = builder.label();
        Word { text: self.rendered(&label.text, label.span, None), span: label.span }
    }

    fn build(&mut self, builder: &Builder, name: String, provisioners: &[Provisioner]) -> ResolvedBuild {
        let build = (name.as_str(), builder.component.text.as_str());
        let config = self.config(&builder.config, build);
        let running = provisioners.iter().filter(|provisioner| provisioner.runs_in(&name));
        let provisioners = running.map(|provisioner| self.provisioner(provisioner, build)).collect();
        ResolvedBuild { component: builder.component.clone(), config, provisioners, name }
    }

    fn provisioner(&mut self, provisioner: &Provisioner, build: (&str, &str)) -> ResolvedProvisioner {
        let config = self.config(&overridden(provisioner, build.0), build);
        ResolvedProvisioner {
            component: provisioner.component.clone(),
            config,
            pause_before: provisioner.pause_before,
            timeout: provisioner.timeout,
            max_retries: provisioner.max_retries,
        }
    }

    fn config(&mut self, node: &Node, build: (&str, &str)) -> Config {
        let mut spans = BTreeMap::new();
        let value = self.value(node, build, String::new(), &mut spans);
        Config { value, spans }
    }

    fn value(
        &mut self,
        node: &Node,
        build: (&str, &str),
        pointer: String,
        spans: &mut BTreeMap<String, Span>,
    ) -> Value {
        let value = match &node.shape {
            Shape::Null => Value::Null,
            Shape::Bool(boolean) => Value::Bool(*boolean),
            Shape::Number(number) => Value::Number(number.clone()),
            Shape::Text(text) => Value::String(self.rendered(text, node.span, Some(build))),
            Shape::List(elements) => {
                let elements = elements.iter().enumerate();
                let values = elements
                    .map(|(index, node)| self.value(node, build, format!("{pointer}/{index}"), spans));
                Value::Array(values.collect())
            }
            Shape::Object(members) => {
                let mut object = Map::new();
                for Member { key, value, .. } in members {
                    let pointer = format!("{pointer}/{}", escaped(key));
                    object.insert(key.clone(), self.value(value, build, pointer, spans));
                }
                Value::Object(object)
            }
        };
        spans.insert(pointer, node.span);
        value
    }

    fn rendered(&mut self, text: &str, literal: Span, build: Option<(&str, &str)>) -> String {
        let scope = Scope { run: self.run, values: self.variables.values(), build, env: false };
        function::render(Phrase { source: self.source, literal, text }, scope).unwrap_or_else(|problem| {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
            text.to_owned()
        })
    }
}

/// A key as one step of a JSON Pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The configuration with the members that the build's override replaces or adds.
fn overridden(provisioner: &Provisioner, build: &str) -> Node {
    let mut config = provisioner.config.clone();
    let Shape::Object(members) = &mut config.shape else { return config };
    for (_, replacement) in provisioner.overrides.iter().filter(|(name, _)| name.text == build) {
        let Shape::Object(replacements) = &replacement.shape else { continue };
        for replacement in replacements {
            members.retain(|member| member.key != replacement.key);
            members.push(replacement.clone());
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use super::super::given::Given;
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
        let text =
            r#"{"variables": {"a": "{{user `b`}}", "b": "{{user `a`}}"}, "builders": [{"type": "f"}]}"#;
        assert!(resolve(text, &[]).unwrap_err().to_string().contains("is made from itself"));
    }

    #[test]
    fn variables_that_double_each_other_end_at_a_limit() {
        let doubled =
            (1..40).map(|n| format!(r#", "v{n}": "{{{{user `v{0}`}}}}{{{{user `v{0}`}}}}""#, n - 1));
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
}
