//! A configuration and its schema, side by side.

use serde_json::Value;

/// More than any honest schema and configuration need; a schema may refer to itself in circles.
const MOST_STEPS: usize = 1_000_000;
const DEEPEST: usize = 128;

/// Called with each part of the schema, the value it speaks about, and the JSON Pointer to that value.
type Visit<'a> = dyn FnMut(&'a Value, &Value, &str) + 'a;

/// Visits every value together with every part of the schema that speaks about it.
pub(super) fn walk<'a>(schema: &'a Value, config: &Value, visit: &mut Visit<'a>) {
    Walk { root: schema, visit, steps: MOST_STEPS }.go(schema, config, "", 0);
}

struct Walk<'a, 'v> {
    root: &'a Value,
    visit: &'v mut Visit<'a>,
    steps: usize,
}

impl<'a> Walk<'a, '_> {
    fn go(&mut self, schema: &'a Value, value: &Value, pointer: &str, depth: usize) {
        let Some(steps) = self.steps.checked_sub(1).filter(|_| depth < DEEPEST) else { return };
        self.steps = steps;
        (self.visit)(schema, value, pointer);
        if let Some(target) = target(self.root, schema) {
            self.go(target, value, pointer, depth + 1);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for branch in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
                self.go(branch, value, pointer, depth + 1);
            }
        }
        self.go_into(schema, value, pointer, depth + 1);
    }

    fn go_into(&mut self, schema: &'a Value, value: &Value, pointer: &str, depth: usize) {
        match (value, schema.get("items")) {
            (Value::Array(elements), Some(items)) => {
                for (index, element) in elements.iter().enumerate() {
                    self.go(items, element, &format!("{pointer}/{index}"), depth);
                }
            }
            (Value::Object(object), _) => {
                for (key, value) in object {
                    if let Some(property) = property(schema, key) {
                        self.go(property, value, &below(pointer, key), depth);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The schema of a member.
pub(super) fn property<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    let named = schema.get("properties").and_then(|properties| properties.get(key));
    named.or_else(|| schema.get("additionalProperties"))
}

/// The pointer to a member.
pub(super) fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// What a local reference refers to.
fn target<'a>(root: &'a Value, schema: &Value) -> Option<&'a Value> {
    root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)
}

/// The schema behind local references. Long chains of them are given up: they may be circles.
pub(super) fn followed<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    let mut schema = schema;
    for _ in 0..16 {
        if schema.get("$ref").is_none() {
            return Some(schema);
        }
        schema = target(root, schema)?;
    }
    None
}
