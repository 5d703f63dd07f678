//! A configuration against the JSON Schema that its component gave.

use serde_json::Value;

/// More than any honest schema and configuration need.
const MOST_STEPS: usize = 1_000_000;
const DEEPEST: usize = 128;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON Pointer (RFC 6901) to the value, or to the object that lacks one.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
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
    let mut walk = CaseWalk { root: &schema, problems: Vec::new(), steps: MOST_STEPS };
    walk.visit(&schema, config, "", 0);
    let mut problems = walk.problems;
    let reported = validator.iter_errors(config).flat_map(|error| problems_of(&error, &schema));
    for problem in reported.collect::<Vec<_>>() {
        if problems.iter().all(|known| known.pointer != problem.pointer) {
            problems.push(problem);
        }
    }
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
                pointer: format!("{pointer}/{}", escaped(key)),
                message: format!("`{key}` is unknown here"),
                hint: near(schema, error, key),
            })
            .collect(),
        Kind::Required { property } => {
            let key = property.as_str().map_or_else(|| property.to_string(), ToOwned::to_owned);
            vec![Problem { pointer, message: format!("`{key}` is missing"), hint: None }]
        }
        _ => vec![Problem { pointer, message: error.to_string(), hint: None }],
    }
}

fn near(schema: &Value, error: &jsonschema::ValidationError<'_>, key: &str) -> Option<String> {
    let keyword = error.schema_path().to_string();
    let holder = schema.pointer(keyword.rsplit_once('/')?.0)?;
    let known: Vec<&str> = holder.get("properties")?.as_object()?.keys().map(String::as_str).collect();
    crate::spell::hint(crate::spell::nearest(key, known.iter().copied()).as_deref(), known)
}

/// Looks for keys that differ from a property only in case: Go's decoder takes `DRY_RUN` for `dry_run`, so that two such
/// keys would mean different things in different languages.
struct CaseWalk<'a> {
    root: &'a Value,
    problems: Vec<Problem>,
    /// How many steps are left: a schema may refer to itself in circles that no configuration ends.
    steps: usize,
}

impl<'a> CaseWalk<'a> {
    fn visit(&mut self, schema: &'a Value, config: &Value, pointer: &str, depth: usize) {
        let Some(steps) = self.steps.checked_sub(1).filter(|_| depth < DEEPEST) else { return };
        self.steps = steps;
        let Some(schema) = followed(self.root, schema) else { return };
        self.visit_object(schema, config, pointer, depth);
        if let (Some(items), Some(elements)) = (schema.get("items"), config.as_array()) {
            for (index, element) in elements.iter().enumerate() {
                self.visit(items, element, &format!("{pointer}/{index}"), depth + 1);
            }
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for branch in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
                self.visit(branch, config, pointer, depth + 1);
            }
        }
    }

    fn visit_object(&mut self, schema: &'a Value, config: &Value, pointer: &str, depth: usize) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let (Some(properties), Some(object)) = (properties, config.as_object()) else { return };
        for (key, value) in object {
            let below = format!("{pointer}/{}", escaped(key));
            match properties.get(key) {
                Some(property) => self.visit(property, value, &below, depth + 1),
                None => self.problems.extend(case_problem(properties.keys(), key, below)),
            }
        }
    }
}

fn case_problem<'a>(
    mut properties: impl Iterator<Item = &'a String>,
    key: &str,
    pointer: String,
) -> Option<Problem> {
    let property = properties.find(|property| property.to_lowercase() == key.to_lowercase())?;
    let message = format!("`{key}` differs from `{property}` only in case");
    Some(Problem { pointer, message, hint: Some(format!("write `{property}`")) })
}

/// A local reference's target. Chains of references are followed so far, then given up: they may be circles.
pub(super) fn followed<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    let mut schema = schema;
    for _ in 0..16 {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => schema = root.pointer(reference.strip_prefix('#')?)?,
            None => return Some(schema),
        }
    }
    None
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
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
