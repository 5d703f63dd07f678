//! The JSON Schema of an author's type, closed: a key that it does not name is a problem.
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

/// The JSON Schema 2020-12 of a type, as text: for a component's output schema.
pub fn schema_of<T: JsonSchema>() -> String {
    generate::<T>(SchemaSettings::draft2020_12().for_serialize()).to_string()
}

/// The schema of a configuration, in which every object is closed that its author did not leave open.
pub(super) fn closed_schema_of<C: JsonSchema>() -> Value {
    let mut schema = generate::<C>(SchemaSettings::draft2020_12().for_deserialize());
    if let Value::Object(root) = &mut schema {
        // A unit struct has no `type` of its own, and every configuration is an object.
        drop(root.insert("type".to_owned(), "object".into()));
        root.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    }
    close(&mut schema);
    schema
}

fn generate<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Value::Object(root) = &mut schema {
        // The name of a Rust type tells nobody anything.
        drop(root.remove("title"));
    }
    schema
}

/// Where subschemas stand, each alone.
const SINGLE: [&str; 4] = ["items", "additionalProperties", "contains", "not"];
/// Where subschemas stand by name.
const NAMED: [&str; 3] = ["properties", "patternProperties", "$defs"];
/// Where subschemas stand that speak of the same value as the schema around them.
const TOGETHER: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// Closes every object that names its properties.
fn close(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    for key in SINGLE {
        schema.get_mut(key).into_iter().for_each(close);
    }
    for key in NAMED {
        let named = schema.get_mut(key).and_then(Value::as_object_mut);
        named.into_iter().flat_map(Map::values_mut).for_each(close);
    }
    let combined = TOGETHER.iter().any(|key| schema.contains_key(*key));
    let names = schema.contains_key("properties");
    for key in TOGETHER {
        for part in schema.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            // Beside properties of its own, a part is not the whole object: the whole is closed below.
            if !names {
                close(part);
            }
        }
    }
    if names && !schema.contains_key("additionalProperties") {
        let closing = if combined || schema.contains_key("$ref") {
            "unevaluatedProperties"
        } else {
            "additionalProperties"
        };
        schema.entry(closing).or_insert(Value::Bool(false));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema counts")]
    struct Outer {
        inner: Inner,
        list: Vec<Inner>,
        labels: BTreeMap<String, Inner>,
        #[serde(flatten)]
        choice: Choice,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema counts")]
    struct Inner {
        name: String,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(tag = "kind")]
    #[expect(dead_code, reason = "only its schema counts")]
    enum Choice {
        A { a: u8 },
        B { b: u8 },
    }

    #[derive(Deserialize, JsonSchema)]
    struct Nothing;

    fn fits(schema: &Value, config: &str) -> bool {
        let config = serde_json::from_str(config).unwrap();
        jsonschema::draft202012::new(schema).unwrap().is_valid(&config)
    }

    #[test]
    fn objects_are_closed_at_every_depth_and_maps_stay_open() {
        let schema = closed_schema_of::<Outer>();
        let good = r#"{"inner": {"name": ""}, "list": [{"name": ""}], "labels": {"x": {"name": ""}}, "kind": "A", "a": 1}"#;
        assert!(fits(&schema, good), "{schema:#}");
        for (from, to) in [
            (r#""inner": {"#, r#""inner": {"more": 1, "#),
            (r#""list": [{"#, r#""list": [{"more": 1, "#),
            (r#""x": {"#, r#""x": {"more": 1, "#),
            (r#""a": 1"#, r#""a": 1, "more": 1"#),
        ] {
            assert!(!fits(&schema, &good.replace(from, to)), "{to}\n{schema:#}");
        }
    }

    #[test]
    fn a_component_without_options_takes_the_empty_object_alone() {
        let schema = closed_schema_of::<Nothing>();
        assert!(fits(&schema, "{}") && !fits(&schema, r#"{"a": 1}"#) && !fits(&schema, "null"), "{schema:#}");
        assert_eq!(schema["type"], "object");
    }
}
