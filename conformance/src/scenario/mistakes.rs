//! All that is wrong with a scenario, each with its place: `builder.x.run`.

use std::collections::BTreeMap;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::{Part, Scenario};
use crate::components::Kind;

/// The marks that stand for something.
const MARKS: [&str; 6] = ["work", "text", "secret", "integer", "server", "deaf"];

/// Everything that can be told at once of a text that is TOML.
pub(super) fn of(scenario: &Value) -> Vec<String> {
    let mut all = Vec::new();
    of_shape(scenario, &mut all);
    of_marks(scenario, "", &mut all);
    let serve = scenario.get("serve").cloned().unwrap_or_default();
    let serve: BTreeMap<String, String> = serde_json::from_value(serve).unwrap_or_default();
    for kind in Kind::ALL {
        let parts = scenario.get(kind.word()).and_then(Value::as_object);
        for (name, part) in parts.into_iter().flatten() {
            // One of another shape is told of above.
            let Ok(part) = serde_json::from_value::<Part>(part.clone()) else { continue };
            let place = format!("{}.{name}", kind.word());
            all.extend(part.mistakes(kind, &serve).into_iter().map(|mistake| format!("{place}: {mistake}")));
        }
    }
    all.sort();
    all
}

/// What the schema of the format refuses.
fn of_shape(scenario: &Value, all: &mut Vec<String>) {
    let Ok(schema) = serde_json::to_value(schemars::schema_for!(Scenario)) else { return };
    let Ok(validator) = jsonschema::draft202012::new(&schema) else { return };
    for error in validator.iter_errors(scenario) {
        told(&schema, &error, all);
    }
}

fn told(schema: &Value, error: &ValidationError<'_>, all: &mut Vec<String>) {
    let place = error.instance_path().as_str().trim_start_matches('/').replace('/', ".");
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = known(schema, &place).join("`, `");
            let below = if place.is_empty() { String::new() } else { format!("{place}.") };
            all.extend(
                unexpected.iter().map(|key| format!("{below}{key}: unknown key; there are `{known}`")),
            );
        }
        // What may be left out has its own schema, and that of nothing.
        ValidationErrorKind::AnyOf { context } => {
            context.first().into_iter().flatten().for_each(|inner| told(schema, inner, all));
        }
        ValidationErrorKind::OneOfNotValid { .. } => {
            let words = words(schema, &place).join("`, `");
            all.push(format!("{place}: {} is none of `{words}`", error.instance()));
        }
        _ => {
            let text = error.to_string().replace(", \"null\"", "").replace("\"null\", ", "");
            let text = text.replace("of types", "of type");
            let place = if place.is_empty() { "the whole" } else { &place };
            all.push(format!("{place}: {text}"));
        }
    }
}

/// The keys of what stands at a place.
fn known<'a>(schema: &'a Value, place: &str) -> Vec<&'a str> {
    let steps: Vec<&str> = place.split('.').filter(|step| !step.is_empty()).collect();
    let definition = match steps[..] {
        [] => schema,
        [_, _] => &schema["$defs"]["Part"],
        [.., "input"] => &schema["$defs"]["Input"],
        [.., "machine", _] => &schema["$defs"]["Answered"],
        [.., "relative"] => &schema["$defs"]["Relative"],
        [.., "existing"] => &schema["$defs"]["Existing"],
        [.., "ends", _] => &schema["$defs"]["End"],
        _ => &schema["$defs"]["Told"],
    };
    let properties = definition["properties"].as_object();
    properties.into_iter().flat_map(|all| all.keys().map(String::as_str)).collect()
}

/// The words that may stand at a place.
fn words<'a>(schema: &'a Value, place: &str) -> Vec<&'a str> {
    let definition = if place.contains(".without.") { "Key" } else { "Shell" };
    let words = schema["$defs"][definition]["oneOf"].as_array().into_iter().flatten();
    words.filter_map(|word| word["const"].as_str()).collect()
}

/// A mark that stands for nothing would be handed on as it is. Those of a shell and of templates look different: they
/// have upper case, digits or dots.
fn of_marks(value: &Value, place: &str, all: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let marks = text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
            let is_one = |mark: &&str| !mark.is_empty() && mark.chars().all(|one| one.is_ascii_lowercase());
            for mark in marks.filter(is_one).filter(|mark| !MARKS.contains(mark)) {
                let known = MARKS.map(|known| format!("`${{{known}}}`")).join(", ");
                all.push(format!("{place}: `${{{mark}}}` stands for nothing; there are {known}"));
            }
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, one)| of_marks(one, &below(place, at), all));
        }
        Value::Object(values) => {
            values.iter().for_each(|(key, one)| of_marks(one, &below(place, key), all));
        }
        _ => {}
    }
}

fn below(place: &str, step: impl std::fmt::Display) -> String {
    if place.is_empty() { step.to_string() } else { format!("{place}.{step}") }
}
