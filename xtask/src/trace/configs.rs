//! The JSON of SPEC.md: it is JSON, and what a chapter shows beside a schema is what that schema says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::Value as Json;

use super::document::Block;
use super::value::Value;

/// What a chapter says of the JSON in it.
#[derive(Default)]
pub(super) struct Told {
    config: Option<Schema>,
    output: Option<Schema>,
    pub(super) problems: Vec<String>,
}

struct Schema {
    text: Json,
    validator: Validator,
}

/// The title of the chapter that a line stands in.
pub(super) fn chapter_of(text: &str, line: usize) -> &str {
    text.lines().take(line).filter_map(|line| line.strip_prefix("## ")).last().unwrap_or_default()
}

/// What the chapters have of schemas, and what is wrong with their JSON.
pub(super) fn chapters<'a>(text: &'a str, blocks: &[Block<'_>]) -> BTreeMap<&'a str, Told> {
    let mut chapters = BTreeMap::<&str, Told>::new();
    for block in blocks.iter().filter(|block| block.language == "json") {
        let chapter = chapters.entry(chapter_of(text, block.line)).or_default();
        let problem = match (serde_json::from_str::<Json>(&block.lines.join("\n")), block.of) {
            (Err(error), _) => Some(error.to_string()),
            (Ok(json), "configSchema") => schema_of(json).map(|it| chapter.config = Some(it)).err(),
            (Ok(json), "outputSchema") => schema_of(json).map(|it| chapter.output = Some(it)).err(),
            (Ok(_), _) => None,
        };
        chapter.problems.extend(problem.map(|problem| format!("line {}: {problem}", block.line)));
    }
    for (at, line) in text.lines().enumerate().filter(|(_, line)| line.starts_with('|')) {
        if let Some(chapter) = chapters.get_mut(chapter_of(text, at + 1)) {
            let problem = chapter.config.as_ref().and_then(|schema| row_gone_wrong(schema, line));
            chapter.problems.extend(problem.map(|problem| format!("line {}: {problem}", at + 1)));
        }
    }
    chapters
}

fn schema_of(text: Json) -> Result<Schema, String> {
    let validator = jsonschema::draft202012::meta::validate(&text)
        .map_err(|error| error.to_string())
        .and_then(|()| jsonschema::draft202012::new(&text).map_err(|error| error.to_string()))?;
    let schema = Schema { text, validator };
    let examples = schema.text.get("examples").and_then(Json::as_array).cloned().unwrap_or_default();
    match examples.iter().find(|example| !schema.refusals(&example.to_string()).is_empty()) {
        Some(example) => Err(format!("the schema refuses its example {example}")),
        None => Ok(schema),
    }
}

impl Schema {
    /// The places for which it refuses a configuration, as JSON Pointers.
    fn refusals(&self, config: &str) -> BTreeSet<String> {
        let Ok(json) = serde_json::from_str::<Json>(config) else { return BTreeSet::from([String::new()]) };
        let places = self.validator.iter_errors(&json).flat_map(|error| {
            let place = error.instance_path().to_string();
            match error.kind() {
                ValidationErrorKind::AdditionalProperties { unexpected } => {
                    unexpected.iter().map(|key| format!("{place}/{key}")).collect()
                }
                ValidationErrorKind::Required { property } => {
                    vec![format!("{place}/{}", property.as_str().unwrap_or_default())]
                }
                _ => vec![place],
            }
        });
        places.chain(twice(config)).collect()
    }

    /// The deprecated members of a configuration.
    fn warnings(&self, config: &str) -> BTreeSet<String> {
        let json: Json = serde_json::from_str(config).unwrap_or_default();
        let deprecated =
            |key: &&String| self.text["properties"][key.as_str()]["deprecated"] == Json::Bool(true);
        let keys = json.as_object().into_iter().flat_map(|object| object.keys());
        keys.filter(deprecated).map(|key| format!("/{key}")).collect()
    }
}

/// The keys of an object that stand there more than once.
fn twice(config: &str) -> Vec<String> {
    struct Keys;
    impl<'de> Visitor<'de> for Keys {
        type Value = Vec<String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
            let (mut seen, mut again) = (BTreeSet::new(), Vec::new());
            while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                if !seen.insert(key.clone()) {
                    again.push(format!("/{key}"));
                }
            }
            Ok(again)
        }
    }
    serde_json::Deserializer::from_str(config).deserialize_map(Keys).unwrap_or_default()
}

/// A row `| configuration | what `prepare` answers |` that the schema contradicts.
fn row_gone_wrong(schema: &Schema, row: &str) -> Option<String> {
    let mut cells = row.split('|').skip(1).map(str::trim);
    let (configs, answer) = (cells.next()?, cells.next()?);
    let fine = answer.starts_with("an object");
    if !fine && !answer.starts_with("an error") && !answer.starts_with("errors") {
        return None;
    }
    let told: BTreeSet<String> =
        spans(answer).filter(|span| span.starts_with('/')).map(str::to_owned).collect();
    spans(configs).find_map(|config| {
        let (refused, warned) = (schema.refusals(config), schema.warnings(config));
        if refused.is_empty() != fine {
            return Some(format!("the schema says otherwise of `{config}`: {refused:?}"));
        }
        let places = if fine { warned } else { refused };
        let places: BTreeSet<String> = places.into_iter().filter(|place| !place.is_empty()).collect();
        (places != told).then(|| format!("`{config}` is about {places:?}"))
    })
}

fn spans(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

impl Told {
    /// How an answer of `prepare` contradicts what the chapter's schema says of the configuration.
    pub(super) fn contradicts_prepare(&self, asked: &Value, answer: &Value) -> Option<String> {
        let config = asked.field("config").and_then(Value::whole_text)?;
        let (refused, told) = (self.config.as_ref()?.refusals(config), errors(answer));
        (refused != told).then(|| format!("the schema finds {refused:?} in {config}, and `prepare` {told:?}"))
    }

    /// How a value, or generated data, contradicts what the chapter's schema says of it.
    pub(super) fn contradicts_yield(&self, answer: &Value) -> Option<String> {
        let outcome = answer.field("outcome")?;
        let yielded = ["value", "generatedData"].iter().find_map(|name| outcome.field(name)?.whole_text())?;
        let refused = self.output.as_ref()?.refusals(yielded);
        (!refused.is_empty()).then(|| format!("the schema refuses {yielded}: {refused:?}"))
    }
}

/// The paths of the errors that an answer holds.
fn errors(answer: &Value) -> BTreeSet<String> {
    let Some(Value::List(diagnostics)) = answer.field("diagnostics") else { return BTreeSet::new() };
    let is_error = |it: &&Value| it.field("severity") == Some(&Value::Word("error".to_owned()));
    let path = |it: &Value| it.field("path").and_then(Value::whole_text).unwrap_or_default().to_owned();
    diagnostics.iter().filter(is_error).map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::super::document::blocks;
    use super::*;

    const SCHEMA: &str = r#"{"type": "object", "properties": {"a": {"type": "integer"}, "old": {"deprecated": true}},
        "required": ["a"], "additionalProperties": false, "examples": [{"a": 1}]}"#;

    fn told(rest: &str) -> Vec<String> {
        let text =
            format!("## One\n```json configSchema\n{SCHEMA}\n```\n{rest}\n## Two\n| `1` | an object |\n");
        chapters(&text, &blocks(&text)).into_values().flat_map(|chapter| chapter.problems).collect()
    }

    #[test]
    fn rows_that_the_schema_bears_out_are_right() {
        for row in [
            r#"| `{"a": 1}` | an object |"#,
            r#"| `{"a": 1, "old": 2}` | an object, and a warning at `/old` |"#,
            r#"| `{"a": "x", "b": 1}` | errors at `/a` and `/b` |"#,
            r#"| `{"a": 1, "a": 1}` | an error at `/a` |"#,
            "| an empty text, `null`, `[]` | an error |",
            "| something | else |",
        ] {
            assert_eq!(told(row), Vec::<String>::new(), "{row}");
        }
    }

    #[test]
    fn rows_that_it_contradicts_are_told() {
        for (row, problem) in [
            (r#"| `{"a": 1}` | an error |"#, r#"line 6: the schema says otherwise of `{"a": 1}`: {}"#),
            (r#"| `{}` | an object |"#, r#"line 6: the schema says otherwise of `{}`: {"/a"}"#),
            (r#"| `{}` | an error at `/b` |"#, r#"line 6: `{}` is about {"/a"}"#),
            (r#"| `{"a": 1, "old": 2}` | an object |"#, r#"line 6: `{"a": 1, "old": 2}` is about {"/old"}"#),
        ] {
            assert_eq!(told(row), [problem], "{row}");
        }
    }

    #[test]
    fn json_that_is_none_and_schemas_that_are_none_are_told() {
        assert_eq!(told("```json\n{\n```"), ["line 6: EOF while parsing an object at line 1 column 1"]);
        assert_eq!(
            told("```json outputSchema\n{\"type\": \"string\", \"examples\": [1]}\n```"),
            ["line 6: the schema refuses its example 1"]
        );
        assert_eq!(told("```json outputSchema\n{\"type\": 1}\n```").len(), 1);
    }

    fn one(judge: impl Fn(&Told) -> Option<String>) -> Option<String> {
        let text =
            format!("## One\n```json configSchema\n{SCHEMA}\n```\n```json outputSchema\n{SCHEMA}\n```\n");
        judge(&chapters(&text, &blocks(&text))["One"])
    }

    fn value(text: &str) -> Value {
        Value::read(text).unwrap()
    }

    #[test]
    fn an_answer_of_prepare_agrees_with_the_schema_of_its_chapter() {
        let told = |config: &str, answer: &str| {
            let asked = Value::Struct(vec![("config".to_owned(), Value::Text(config.to_owned()))]);
            one(|chapter| chapter.contradicts_prepare(&asked, &value(answer)))
        };
        let errors = r#"(diagnostics = [(severity = error, path = "/a"), (severity = error, path = "/b")])"#;
        assert_eq!(told(r#"{"b": 1}"#, errors), None);
        assert_eq!(
            told(r#"{"b": 1}"#, "(build = <cap>)").unwrap(),
            r#"the schema finds {"/a", "/b"} in {"b": 1}, and `prepare` {}"#
        );
        assert_eq!(told(r#"{"a": 1}"#, "(diagnostics = [])"), None);
        assert_eq!(
            told(r#"{"a": 1}"#, errors).unwrap(),
            r#"the schema finds {} in {"a": 1}, and `prepare` {"/a", "/b"}"#
        );
    }

    #[test]
    fn what_a_run_yields_agrees_with_the_schema_of_its_chapter() {
        let told = |answer: &str| one(|chapter| chapter.contradicts_yield(&value(answer)));
        assert_eq!(told(r#"(outcome = (value = "{\"a\": 1}"))"#), None);
        assert_eq!(
            told(r#"(outcome = (generatedData = "{}"))"#).unwrap(),
            r#"the schema refuses {}: {"/a"}"#
        );
    }
}
