//! The words for what is wrong with a configuration. No value is ever repeated: it may be a secret.
use jsonschema::{ValidationError, error::ValidationErrorKind};
use packwire_wire::Diagnostic;
use serde_json::Value;

/// How many problems are told of one configuration.
const MOST: usize = 100;
/// How alike two keys are, from 0 to 1, for one to be taken for a misspelling of the other.
const ALIKE: f64 = 0.75;

/// The JSON Pointer of a member of what `path` points to.
pub(super) fn below(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// At most [`MOST`] of them, errors first if some have to go, and how many there are more.
pub(super) fn bounded(mut told: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if told.len() > MOST {
        told.sort_by_key(|one| !one.is_error());
        let cut = told.split_off(MOST);
        let summary = format!("and {} problems more", cut.len());
        let some_are_errors = cut.iter().any(Diagnostic::is_error);
        told.push(if some_are_errors { Diagnostic::error(summary) } else { Diagnostic::warning(summary) });
    }
    told
}

/// The keys at the top that a misfit speaks of, if it is about such keys alone and none of them resembles a known one:
/// then they were meant for none, and the rest of the configuration can be judged without them.
pub(super) fn strangers(error: &ValidationError<'_>, schema: &Value) -> Option<Vec<String>> {
    let (ValidationErrorKind::AdditionalProperties { unexpected }
    | ValidationErrorKind::UnevaluatedProperties { unexpected }) = error.kind()
    else {
        return None;
    };
    let known = properties_beside(error, schema);
    let is_strange = |key: &String| meant(key, &known).is_none();
    (error.instance_path().as_str().is_empty() && unexpected.iter().all(is_strange))
        .then(|| unexpected.clone())
}

/// What one misfit means, at the place that the user can mend.
pub(super) fn misfit(error: &ValidationError<'_>, schema: &Value) -> Vec<Diagnostic> {
    let path = error.instance_path().as_str();
    let at_member = |key: &str, summary: String| Diagnostic::error(summary).at(below(path, key));
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let known = properties_beside(error, schema);
            unexpected.iter().map(|key| at_member(key, unknown(key, &known))).collect()
        }
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            vec![at_member(key, format!("`{key}` is missing"))]
        }
        ValidationErrorKind::Type { .. } => {
            let (expected, found) = (expected_types(error, schema), type_name(error.instance()));
            vec![Diagnostic::error(format!("must be {expected}, not {found}")).at(path)]
        }
        ValidationErrorKind::Enum { options } => {
            vec![Diagnostic::error(format!("must be one of {}", listed(options))).at(path)]
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let forms: Vec<_> = context.iter().filter(|form| !wants_null(form, schema)).collect();
            match forms[..] {
                // An optional value: what is wrong is wrong with the value.
                [form] => form.iter().flat_map(|error| misfit(error, schema)).collect(),
                _ => vec![Diagnostic::error("has none of the forms that are possible here").at(path)],
            }
        }
        _ => vec![Diagnostic::error(error.masked().to_string()).at(path)],
    }
}

/// Whether the form that was tried is only that the value is absent.
fn wants_null(form: &[ValidationError<'_>], schema: &Value) -> bool {
    let wants_null =
        |error: &ValidationError<'_>| schema.pointer(error.schema_path().as_str()) == Some(&"null".into());
    matches!(form, [only] if wants_null(only))
}

fn unknown(key: &str, known: &[&str]) -> String {
    match meant(key, known) {
        Some(twin) if is_case_twin(twin, key) => in_other_case(key, twin),
        Some(meant) => format!("there is no option `{key}`; did you mean `{meant}`?"),
        None => format!("there is no option `{key}`"),
    }
}

/// The known key that this one may have been meant for.
fn meant<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let twin = known.iter().find(|one| is_case_twin(one, key));
    let alike = known.iter().map(|one| (strsim::jaro_winkler(one, key), one));
    let alike = alike.filter(|(score, _)| *score >= ALIKE);
    let alike = || alike.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, one)| one);
    twin.or_else(alike).copied()
}

fn in_other_case(key: &str, meant: &str) -> String {
    format!("there is no option `{key}`; it is written `{meant}`")
}

fn is_case_twin(one: &str, other: &str) -> bool {
    one != other && one.to_lowercase() == other.to_lowercase()
}

/// The properties that the schema names beside the keyword that refused a key.
fn properties_beside<'a>(error: &ValidationError<'_>, schema: &'a Value) -> Vec<&'a str> {
    let keyword = error.schema_path().as_str();
    let around = keyword.rsplit_once('/').map_or("", |(around, _)| around);
    named_properties(schema.pointer(around))
}

fn named_properties(schema: Option<&Value>) -> Vec<&str> {
    let properties = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str)).collect()
}

/// Keys at the top that differ only in case from a property, where the schema is open and lets them pass.
pub(super) fn case_twins(config: &Value, schema: &Value, told: &[Diagnostic]) -> Vec<Diagnostic> {
    let known = named_properties(Some(schema));
    let keys = config.as_object().into_iter().flat_map(|config| config.keys());
    let twins = keys.filter(|key| !known.contains(&key.as_str())).filter_map(|key| {
        let twin = known.iter().find(|one| is_case_twin(one, key))?;
        Some(Diagnostic::error(in_other_case(key, twin)).at(below("", key)))
    });
    twins.filter(|twin| !told.contains(twin)).collect()
}

/// A warning for each key at the top that the schema calls deprecated.
pub(super) fn deprecations(config: &Value, schema: &Value) -> Vec<Diagnostic> {
    let keys = config.as_object().into_iter().flat_map(|config| config.keys());
    let is_deprecated = |key: &&String| schema["properties"][key.as_str()]["deprecated"] == true;
    keys.filter(is_deprecated)
        .map(|key| Diagnostic::warning(format!("`{key}` is deprecated")).at(below("", key)))
        .collect()
}

/// What serde could not decode though it fits the schema: a rule that only the type knows.
pub(super) fn undecodable(error: &serde_path_to_error::Error<serde_json::Error>) -> Diagnostic {
    let path = error.path().iter().fold(String::new(), |path, segment| match segment {
        serde_path_to_error::Segment::Seq { index } => below(&path, &index.to_string()),
        serde_path_to_error::Segment::Map { key } => below(&path, key),
        serde_path_to_error::Segment::Enum { variant } => below(&path, variant),
        serde_path_to_error::Segment::Unknown => path,
    });
    Diagnostic::error(error.inner().to_string()).at(path)
}

/// The types that the schema names where it refused one.
fn expected_types(error: &ValidationError<'_>, schema: &Value) -> String {
    let types = match schema.pointer(error.schema_path().as_str()) {
        Some(Value::Array(types)) => {
            types.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        Some(Value::String(name)) => vec![name.as_str()],
        _ => vec![],
    };
    if types.is_empty() {
        return "of another type".to_owned();
    }
    types.into_iter().map(with_article).collect::<Vec<_>>().join(" or ")
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {name}")
}

fn listed(options: &Value) -> String {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    let options = options.iter().filter(|option| !option.is_null()).map(Value::to_string);
    options.collect::<Vec<_>>().join(", ")
}
