//! A configuration against the JSON Schema that its component gave.

use serde_json::Value;

use super::walk::{below, walk};
use crate::template::Config;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON Pointer (RFC 6901) to the value, or to the object that lacks one.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
    /// How long it is one.
    pub(crate) lasts: Lasts,
}

/// What may still mend a problem of a configuration that is not known as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// Nothing: the key is wrong, not its value.
    Always,
    /// Another value at this place; members of it do not.
    WithItsValue,
    /// Another value at this place, or in it.
    WithItsMembers,
}

/// The component's schema cannot be used: a bug in the plugin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the component's configuration schema cannot be used: {why}")]
pub struct SchemaError {
    /// What is wrong with it.
    pub why: String,
}

/// Everything that is wrong with `config` by the schema; nothing if the schema is empty.
///
/// # Errors
/// The schema is no JSON Schema.
pub fn check_config(schema: &str, config: &Value) -> Result<Vec<Problem>, SchemaError> {
    if schema.is_empty() {
        return Ok(Vec::new());
    }
    let unusable = |why: String| SchemaError { why };
    let schema: Value = serde_json::from_str(schema).map_err(|error| unusable(error.to_string()))?;
    let validator = jsonschema::validator_for(&schema).map_err(|error| unusable(error.to_string()))?;
    let mut problems = case_problems(&schema, config);
    let reported = validator.iter_errors(config).flat_map(|error| problems_of(&error, &schema));
    for problem in reported.collect::<Vec<_>>() {
        if problems.iter().all(|known| known.pointer != problem.pointer) {
            problems.push(problem);
        }
    }
    Ok(problems)
}

/// As [`check_config`], as far as the configuration is known: what a late value may still mend is no problem yet.
///
/// # Errors
/// The schema is no JSON Schema.
pub fn check_late_config(schema: &str, config: &Config) -> Result<Vec<Problem>, SchemaError> {
    let mut problems = check_config(schema, &config.value)?;
    problems.retain(|Problem { pointer, lasts, .. }| match lasts {
        Lasts::Always => true,
        Lasts::WithItsValue => !config.is_late_at(pointer),
        Lasts::WithItsMembers => !config.is_late_at(pointer) && !config.is_late_below(pointer),
    });
    Ok(problems)
}

/// An unknown key is pointed at itself, not at the object around it.
fn problems_of(error: &jsonschema::ValidationError<'_>, schema: &Value) -> Vec<Problem> {
    use jsonschema::error::ValidationErrorKind as Kind;
    let pointer = error.instance_path().to_string();
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => unexpected
            .iter()
            .map(|key| Problem {
                pointer: below(&pointer, key),
                message: format!("`{key}` is unknown here"),
                hint: near(schema, error, key),
                lasts: Lasts::Always,
            })
            .collect(),
        Kind::Required { property } => {
            let key = property.as_str().map_or_else(|| property.to_string(), ToOwned::to_owned);
            vec![Problem {
                pointer,
                message: format!("`{key}` is missing"),
                hint: None,
                lasts: Lasts::WithItsValue,
            }]
        }
        kind => {
            let is_type = matches!(kind, Kind::Type { .. });
            let lasts = if is_type { Lasts::WithItsValue } else { Lasts::WithItsMembers };
            vec![Problem { pointer, message: error.to_string(), hint: None, lasts }]
        }
    }
}

fn near(schema: &Value, error: &jsonschema::ValidationError<'_>, key: &str) -> Option<String> {
    let keyword = error.schema_path().to_string();
    let holder = schema.pointer(keyword.rsplit_once('/')?.0)?;
    let known: Vec<&str> = holder.get("properties")?.as_object()?.keys().map(String::as_str).collect();
    crate::spell::hint(crate::spell::nearest(key, known.iter().copied()).as_deref(), known)
}

/// Keys that differ from a property only in case: Go's decoder takes `DRY_RUN` for `dry_run`, so that two such keys
/// would mean different things in different languages.
fn case_problems(schema: &Value, config: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(schema, config, &mut |schema, value, pointer| {
        let properties = schema.get("properties").and_then(Value::as_object);
        let (Some(properties), Some(object)) = (properties, value.as_object()) else { return };
        for key in object.keys().filter(|key| !properties.contains_key(*key)) {
            problems.extend(case_problem(properties.keys(), key, below(pointer, key)));
        }
    });
    problems
}

fn case_problem<'a>(
    mut properties: impl Iterator<Item = &'a String>,
    key: &str,
    pointer: String,
) -> Option<Problem> {
    let property = properties.find(|property| property.to_lowercase() == key.to_lowercase())?;
    let message = format!("`{key}` differs from `{property}` only in case");
    Some(Problem { pointer, message, hint: Some(format!("write `{property}`")), lasts: Lasts::Always })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r##"{
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "dry_run": {"type": "boolean"},
            "disks": {"type": "array", "items": {"$ref": "#/$defs/disk"}}
        },
        "required": ["path"],
        "additionalProperties": false,
        "$defs": {"disk": {"type": "object", "properties": {"size": {"type": "integer", "minimum": 1}}}}
    }"##;

    fn check(config: &str) -> String {
        let problems = check_config(SCHEMA, &serde_json::from_str(config).unwrap()).unwrap();
        let lines = problems.iter().map(|problem| {
            format!(
                "{} {} {}\n",
                problem.pointer,
                problem.message,
                problem.hint.as_deref().unwrap_or_default()
            )
        });
        lines.collect()
    }

    #[test]
    fn a_good_config_has_no_problem() {
        assert_eq!(check(r#"{"path": "x", "dry_run": true, "disks": [{"size": 2}]}"#), "");
    }

    #[test]
    fn all_problems_are_found_together() {
        insta::assert_snapshot!(check(r#"{"pth": 1, "dry_run": "no", "disks": [{"size": 0}, 7]}"#), @r#"
        /dry_run "no" is not of type "boolean" 
        /disks/0/size 0 is less than the minimum of 1 
        /disks/1 7 is not of type "object" 
        /pth `pth` is unknown here did you mean `path`?
         `path` is missing 
        "#);
    }

    #[test]
    fn a_key_that_differs_only_in_case_is_refused_at_any_depth() {
        insta::assert_snapshot!(check(r#"{"path": "x", "Dry_Run": true, "disks": [{"SIZE": 1, "other": 1}]}"#), @r"
        /Dry_Run `Dry_Run` differs from `dry_run` only in case write `dry_run`
        /disks/0/SIZE `SIZE` differs from `size` only in case write `size`
        ");
    }

    #[test]
    fn a_schema_that_is_none_is_the_plugins_fault() {
        assert!(check_config("{", &Value::Null).is_err());
        assert!(check_config(r#"{"type": 7}"#, &Value::Null).is_err());
        assert_eq!(check_config("", &Value::Null), Ok(Vec::new()));
    }

    #[test]
    fn a_schema_that_refers_to_itself_is_no_trap() {
        let schema =
            r##"{"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"a": {"$ref": "#/$defs/a"}}}}}"##;
        let config = serde_json::json!({"a": {"a": {"A": 1}}});
        assert_eq!(check_config(schema, &config).unwrap()[0].pointer, "/a/a/A");
        drop(check_config(r##"{"$ref": "#"}"##, &config));
        drop(check_config(r##"{"allOf": [{"$ref": "#"}, {"$ref": "#"}]}"##, &config));
        drop(check_config(r##"{"properties": {"a": {"not": {"$ref": "#/properties/a"}}}}"##, &config));
    }
}
