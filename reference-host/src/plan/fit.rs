//! Strings → what the schema wants, where only one reading is possible.
//!
//! Template functions yield strings, and templates write `"port": "{{user `port`}}"`. Packer's plugins take `"22"` where
//! they want a number; ours are given the number, so that no plugin in any language has to guess.

use serde_json::{Number, Value};

use super::walk::{followed, property};

const DEEPEST: usize = 64;

/// The configuration with strings replaced where the schema wants a boolean or number and takes no string.
///
/// A schema that cannot be read changes nothing: [`super::check_config`] tells of it.
#[must_use]
pub fn fit_config(schema: &str, config: Value) -> Value {
    let Ok(schema) = serde_json::from_str::<Value>(schema) else { return config };
    let mut config = config;
    fit(&schema, &schema, &mut config, 0);
    config
}

fn fit(root: &Value, schema: &Value, value: &mut Value, depth: usize) {
    let Some(schema) = followed(root, schema).filter(|_| depth < DEEPEST) else { return };
    match value {
        Value::String(text) => {
            if let Some(fitted) = fitted(text, &types(root, schema)) {
                *value = fitted;
            }
        }
        Value::Array(elements) => {
            let Some(items) = schema.get("items") else { return };
            elements.iter_mut().for_each(|element| fit(root, items, element, depth + 1));
        }
        Value::Object(object) => {
            for (key, value) in object {
                if let Some(property) = property(schema, key) {
                    fit(root, property, value, depth + 1);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn fitted(text: &str, types: &[&str]) -> Option<Value> {
    if types.contains(&"string") {
        return None;
    }
    let boolean = || text.parse().ok().map(Value::Bool).filter(|_| types.contains(&"boolean"));
    let whole = || text.parse::<i64>().ok().map(Value::from);
    let integer = || whole().filter(|_| types.contains(&"integer") || types.contains(&"number"));
    let double = || text.parse().ok().and_then(Number::from_f64).map(Value::Number);
    let number = || double().filter(|_| types.contains(&"number"));
    boolean().or_else(integer).or_else(number)
}

/// Every type that the schema takes; `string` among them where it does not say.
///
/// Branches inside branches are not looked into: whoever writes such a schema can take a string.
fn types<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a str> {
    let branches = ["anyOf", "oneOf"].iter().find_map(|keyword| schema.get(*keyword)?.as_array());
    match branches.filter(|_| schema.get("type").is_none()) {
        Some(branches) => branches.iter().flat_map(|branch| named_types(root, branch)).collect(),
        None => named_types(root, schema),
    }
}

fn named_types<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a str> {
    match followed(root, schema).and_then(|schema| schema.get("type")) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec!["string"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SCHEMA: &str = r##"{"properties": {
        "port": {"type": ["integer", "null"]},
        "on": {"type": "boolean"},
        "rate": {"anyOf": [{"$ref": "#/$defs/rate"}, {"type": "null"}]},
        "name": {"type": "string"},
        "either": {"type": ["string", "integer"]},
        "any": {},
        "ports": {"items": {"type": "integer"}},
        "tags": {"additionalProperties": {"type": "boolean"}}
    }, "$defs": {"rate": {"type": "number"}}}"##;

    fn check(config: Value, expect: &Value) {
        assert_eq!(&fit_config(SCHEMA, config), expect);
    }

    #[test]
    fn strings_become_what_the_schema_wants() {
        check(
            json!({"port": "22", "on": "true", "rate": "1.5"}),
            &json!({"port": 22, "on": true, "rate": 1.5}),
        );
        check(
            json!({"ports": ["1", 2], "tags": {"a": "false"}}),
            &json!({"ports": [1, 2], "tags": {"a": false}}),
        );
    }

    #[test]
    fn strings_stay_where_a_string_is_taken_or_nothing_fits() {
        let config = json!({"name": "22", "either": "22", "any": "true", "port": "x", "on": "", "rate": "NaN", "z": "1"});
        check(config.clone(), &config);
    }

    #[test]
    fn a_schema_in_circles_ends() {
        let circles = r##"{"$ref": "#"}"##;
        assert_eq!(fit_config(circles, json!({"a": "1"})), json!({"a": "1"}));
        let circles = r##"{"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}"##;
        assert_eq!(fit_config(circles, json!("1")), json!("1"));
    }
}
