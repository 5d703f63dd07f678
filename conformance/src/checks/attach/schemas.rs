//! The schemas that components declare, and their examples.

use serde_json::Value;

use crate::check::Checked;
use crate::components::{Kind, Offered, offered, text};
use crate::rig::{Attached, Manners, Rig};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Tries every schema of every component.
pub(super) async fn valid(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let plugin = &session.plugin;
    let components = plugin.read("the list of components", session.hello.read().and_then(offered))?;
    plugin.saw("there is a component", !components.is_empty(), format!("there are {}", components.len()));
    for component in &components {
        let Some((config, output)) = component.kind.map(rules) else { continue };
        let Offered { title, reader, .. } = component;
        let declared = plugin.read("a configSchema", text(reader.get_config_schema()))?;
        try_schema(&session, &format!("the configSchema of the {title}"), config, &declared);
        let declared = plugin.read("an outputSchema", text(reader.get_output_schema()))?;
        try_schema(&session, &format!("the outputSchema of the {title}"), output, &declared);
    }
    Ok(())
}

/// What stands at one place of SPEC.md's table of schemas.
#[derive(Clone, Copy)]
enum Rule {
    Empty,
    Object,
    ObjectOrEmpty,
    Any,
}

fn rules(kind: Kind) -> (Rule, Rule) {
    match kind {
        Kind::Builder => (Rule::Object, Rule::ObjectOrEmpty),
        Kind::Provisioner | Kind::PostProcessor | Kind::Communicator => (Rule::Object, Rule::Empty),
        Kind::DataSource => (Rule::Object, Rule::Any),
        Kind::Hook | Kind::Command => (Rule::Empty, Rule::Empty),
    }
}

fn try_schema(session: &Attached, place: &str, rule: Rule, declared: &str) {
    let plugin = &session.plugin;
    match rule {
        Rule::Empty => {
            let observed = format!("it has {} bytes", declared.len());
            plugin.saw(format!("{place} is empty"), declared.is_empty(), observed);
        }
        Rule::ObjectOrEmpty if declared.is_empty() => {
            plugin.saw(format!("{place} is empty, or a schema of type object"), true, "it is empty");
        }
        Rule::Object | Rule::ObjectOrEmpty | Rule::Any => {
            let problem = problem(declared, !matches!(rule, Rule::Any));
            let expected = format!("{place} is valid JSON Schema 2020-12 that accepts its own examples");
            plugin.saw(
                expected,
                problem.is_none(),
                problem.unwrap_or_else(|| "it is, and it does".to_owned()),
            );
        }
    }
}

/// The first thing wrong with a schema, if any.
fn problem(declared: &str, of_object: bool) -> Option<String> {
    let schema: Value = match serde_json::from_str(declared) {
        Ok(schema) => schema,
        Err(error) => return Some(format!("it is not JSON: {error}")),
    };
    let dialect = schema.get("$schema").and_then(Value::as_str).unwrap_or(DRAFT);
    if dialect.trim_end_matches('#') != DRAFT {
        return Some(format!("its $schema is {dialect}"));
    }
    if let Err(error) = jsonschema::draft202012::meta::validate(&schema) {
        return Some(format!("it is no JSON Schema: {error} (at {:?})", error.instance_path().as_str()));
    }
    if of_object && schema.get("type").and_then(Value::as_str) != Some("object") {
        return Some("its root does not say \"type\": \"object\"".to_owned());
    }
    example_problem(&schema)
}

fn example_problem(schema: &Value) -> Option<String> {
    let validator = match jsonschema::draft202012::new(schema) {
        Ok(validator) => validator,
        Err(error) => return Some(format!("it cannot be used: {error}")),
    };
    let examples = schema.get("examples").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    examples.iter().enumerate().find_map(|(at, example)| {
        let error = validator.validate(example).err()?;
        Some(format!("its example {} does not validate: {error}", at + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(declared: &str) -> String {
        problem(declared, true).unwrap_or_default()
    }

    #[test]
    fn a_good_schema_has_no_problem() {
        let schema = r#"{"type":"object","properties":{"a":{"type":"integer"}},"examples":[{"a":1}]}"#;
        assert_eq!(problem(schema, true), None);
        assert_eq!(problem("true", false), None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(told("{ type: object }").starts_with("it is not JSON"));
        assert!(told(r#"{"type":"object","required":"a"}"#).starts_with("it is no JSON Schema"));
        assert!(told(r#"{"type":"array"}"#).starts_with("its root does not say"));
        assert!(told(r#"{"type":"object","examples":[[]]}"#).starts_with("its example 1 does not validate"));
        assert!(
            told(r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}"#)
                .starts_with("its $schema")
        );
        assert!(told(r#"{"type":"object","$ref":"https://example.org/x"}"#).starts_with("it cannot be used"));
    }
}
