//! Which values of a configuration are secret: those that the schema calls `writeOnly`.

use serde_json::Value;

use super::walk::walk;

/// Every secret text in `config`. A schema that cannot be read marks nothing: [`super::check_config`] tells of it.
#[must_use]
pub fn secrets_of(schema: &str, config: &Value) -> Vec<String> {
    let Ok(schema) = serde_json::from_str::<Value>(schema) else { return Vec::new() };
    let mut secrets = Vec::new();
    walk(&schema, config, &mut |schema, value, _| {
        if schema.get("writeOnly") == Some(&Value::Bool(true)) {
            collect(value, &mut secrets);
        }
    });
    secrets
}

/// All texts in a value: who marks an object means what is in it.
fn collect(value: &Value, secrets: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() && !secrets.contains(text) => secrets.push(text.clone()),
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, secrets)),
        Value::Object(object) => object.values().for_each(|value| collect(value, secrets)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_write_only_is_secret_at_any_depth() {
        let schema = r##"{"properties": {
            "password": {"$ref": "#/$defs/secret"},
            "users": {"items": {"anyOf": [{"properties": {"key": {"writeOnly": true}}}, {"type": "null"}]}},
            "tokens": {"writeOnly": true, "type": "object"},
            "name": {"type": "string"}
        }, "$defs": {"secret": {"type": "string", "writeOnly": true}}}"##;
        let config = json!({
            "password": "p4ss", "users": [{"key": "k1", "name": "n"}, null], "tokens": {"a": "t1"}, "name": "x"
        });
        assert_eq!(secrets_of(schema, &config), ["p4ss", "k1", "t1"]);
        assert!(secrets_of("", &config).is_empty());
    }
}
