//! The functions of the template language.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::config::{Asked, LateValue, Learned};
use super::expression::{self, Argument, Call, Phrase, Piece};
use super::problem::Problem;
use super::resolve::RunContext;
use super::source::Span;
use super::time_layout;
use super::version::PACKER_VERSION;
use crate::spell;

/// No string of a template grows beyond this: variables that double each other end here.
const LONGEST: usize = 1 << 20;

/// What expressions may ask for.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) run: &'a RunContext,
    pub(super) values: &'a BTreeMap<String, String>,
    /// Name and type of the build, where there is one.
    pub(super) build: Option<(&'a str, &'a str)>,
    /// Whether `env` works here.
    pub(super) env: bool,
    /// What the run has told so far.
    pub(super) learned: Learned<'a>,
}

/// Where every function is declared: its name and what it takes.
const FUNCTIONS: [(Function, &str, &[Parameter], usize); 18] = {
    use Function as F;
    use Parameter::{Name, Number, Text};
    [
        (F::User, "user", &[Name], 1),
        (F::Env, "env", &[Name], 1),
        (F::Timestamp, "timestamp", &[], 0),
        (F::Isotime, "isotime", &[Text], 0),
        (F::Strftime, "strftime", &[Text], 1),
        (F::Uuid, "uuid", &[], 0),
        (F::BuildName, "build_name", &[], 0),
        (F::BuildType, "build_type", &[], 0),
        (F::TemplateDir, "template_dir", &[], 0),
        (F::Pwd, "pwd", &[], 0),
        (F::PackerVersion, "packer_version", &[], 0),
        (F::Upper, "upper", &[Text], 1),
        (F::Lower, "lower", &[Text], 1),
        (F::Split, "split", &[Text, Text, Number], 3),
        (F::Replace, "replace", &[Text, Text, Number, Text], 4),
        (F::ReplaceAll, "replace_all", &[Text, Text, Text], 3),
        (F::Data, "data", &[Name, Name], 1),
        (F::Build, "build", &[Name], 1),
    ]
};

/// What Packer or Go have and we do not, with what to do instead.
const NOT_THERE_YET: [(&str, &str); 6] = [
    ("clean_resource_name", "each builder of Packer brings its own; write a name that your builder accepts"),
    ("consul_key", "set a variable from outside with `-var`"),
    ("vault", "set a variable from outside with `-var`"),
    ("aws_secretsmanager", "set a variable from outside with `-var`"),
    ("aws_secretsmanager_raw", "set a variable from outside with `-var`"),
    ("sed", "use `replace` or `replace_all`"),
];

const GO_BUILTINS: [&str; 19] = [
    "and", "or", "not", "len", "index", "slice", "print", "printf", "println", "html", "js", "urlquery",
    "call", "eq", "ne", "lt", "le", "gt", "ge",
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    User,
    Env,
    Timestamp,
    Isotime,
    Strftime,
    Uuid,
    BuildName,
    BuildType,
    TemplateDir,
    Pwd,
    PackerVersion,
    Upper,
    Lower,
    Split,
    Replace,
    ReplaceAll,
    Data,
    Build,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Parameter {
    /// A string written out, so that what a template depends on can be read from it.
    Name,
    Text,
    Number,
}

/// The functions that there are.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(_, name, ..)| *name)
}

/// Whether there is such a function and it takes these arguments.
pub(super) fn check(call: &Call) -> Result<(), Problem> {
    let Some((_, name, parameters, required)) = FUNCTIONS.iter().find(|(_, name, ..)| *name == call.name)
    else {
        return Err(unknown(call));
    };
    let wrong = |why: String| Problem::Arguments { at: call.at, function: name, why };
    if call.arguments.len() < *required || call.arguments.len() > parameters.len() {
        return Err(wrong(format!(
            "takes {}, not {}",
            count(parameters.len(), *required),
            call.arguments.len()
        )));
    }
    for (parameter, argument) in parameters.iter().zip(&call.arguments) {
        match (parameter, argument) {
            (Parameter::Name, Argument::Text(_)) | (Parameter::Number, Argument::Number(_)) => {}
            (Parameter::Text, Argument::Text(_) | Argument::Call(_)) => {}
            (Parameter::Name, _) => return Err(wrong("takes a name in quotes".to_owned())),
            (Parameter::Text, _) => return Err(wrong("takes a string where there is a number".to_owned())),
            (Parameter::Number, _) => return Err(wrong("takes a number where there is a string".to_owned())),
        }
    }
    match call.arguments.get(1) {
        Some(Argument::Text(pointer)) if call.name == "data" && !is_pointer(pointer) => {
            Err(wrong("takes a JSON Pointer such as `/key/0` behind the name".to_owned()))
        }
        _ => Ok(()),
    }
}

fn is_pointer(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

fn count(most: usize, least: usize) -> String {
    match (least, most) {
        (0, 1) => "at most 1 argument".to_owned(),
        (least, most) if least < most => format!("{least} or {most} arguments"),
        (_, 0) => "no argument".to_owned(),
        (_, 1) => "1 argument".to_owned(),
        (_, many) => format!("{many} arguments"),
    }
}

fn unknown(call: &Call) -> Problem {
    let (at, name) = (call.at, call.name.clone());
    if let Some((_, hint)) = NOT_THERE_YET.iter().find(|(there, _)| *there == name) {
        return Problem::FunctionNotThereYet { at, name, hint };
    }
    if GO_BUILTINS.contains(&name.as_str()) {
        return Problem::FunctionNotThereYet { at, name, hint: "it is one of Go's own, not of Packer's" };
    }
    Problem::UnknownFunction { at, near: spell::nearest(&name, names()), name }
}

/// The text with every call replaced by what it yields.
pub(super) fn render(phrase: Phrase<'_>, scope: Scope<'_>) -> Result<String, Problem> {
    let mut text = String::new();
    for piece in expression::parse(phrase)? {
        match piece {
            Piece::Verbatim(verbatim) => text.push_str(&verbatim),
            Piece::Call(call) => text.push_str(&evaluate(&call, scope)?),
        }
        bounded(text.len(), phrase.literal)?;
    }
    Ok(text)
}

/// As [`render`]; a text that is nothing but one call of `data` or `build` becomes what is there, also a list or an
/// object.
pub(super) fn value(phrase: Phrase<'_>, scope: Scope<'_>) -> Result<Value, Problem> {
    let whole = match expression::parse(phrase)?.as_slice() {
        [Piece::Call(call)] if call.name == "data" => Some(data(call, scope)?),
        [Piece::Call(call)] if call.name == "build" => Some(build(call, scope)?),
        _ => None,
    };
    match whole {
        Some(Value::Array(_) | Value::Object(_) | Value::Null) => Ok(whole.cloned().unwrap_or_default()),
        _ => render(phrase, scope).map(Value::String),
    }
}

fn bounded(length: usize, at: Span) -> Result<(), Problem> {
    if length > LONGEST { Err(Problem::TooLong { at, limit: LONGEST }) } else { Ok(()) }
}

/// What a text asks for that only the run will tell; the text stands at `pointer` of its configuration.
pub(super) fn asked(phrase: Phrase<'_>, pointer: &str) -> Result<Vec<Asked>, Problem> {
    let mut asked = Vec::new();
    for piece in expression::parse(phrase)? {
        if let Piece::Call(call) = piece {
            collect_late(&call, pointer, &mut asked);
        }
    }
    Ok(asked)
}

fn collect_late(call: &Call, pointer: &str, asked: &mut Vec<Asked>) {
    let what = match (call.name.as_str(), call.arguments.as_slice()) {
        ("data", [Argument::Text(name), rest @ ..]) => {
            let place = if let [Argument::Text(place)] = rest { place.as_str() } else { "" };
            Some(LateValue::Data { name: name.clone(), pointer: place.to_owned() })
        }
        ("build", [Argument::Text(key)]) => Some(LateValue::Build { key: key.clone() }),
        _ => None,
    };
    asked.extend(what.map(|what| Asked { what, at: call.at, pointer: pointer.to_owned() }));
    for argument in &call.arguments {
        if let Argument::Call(inner) = argument {
            collect_late(inner, pointer, asked);
        }
    }
}

/// The names that a text asks `function` for, which is `user`, `env` or `data`, and where.
pub(super) fn references(phrase: Phrase<'_>, function: &str) -> Result<Vec<(String, Span)>, Problem> {
    let mut found = Vec::new();
    for piece in expression::parse(phrase)? {
        if let Piece::Call(call) = piece {
            collect(&call, function, &mut found);
        }
    }
    Ok(found)
}

fn collect(call: &Call, function: &str, found: &mut Vec<(String, Span)>) {
    for (index, argument) in call.arguments.iter().enumerate() {
        match argument {
            Argument::Text(name) if index == 0 && call.name == function => {
                found.push((name.clone(), call.at));
            }
            Argument::Call(inner) => collect(inner, function, found),
            Argument::Text(_) | Argument::Number(_) => {}
        }
    }
}

fn evaluate(call: &Call, scope: Scope<'_>) -> Result<String, Problem> {
    check(call)?;
    let function = FUNCTIONS.iter().find(|(_, name, ..)| *name == call.name);
    let Some((function, name, ..)) = function else { return Err(unknown(call)) };
    let outside = || Problem::OutsideBuild { at: call.at, function: name };
    let text = |index: usize| text(call, index, scope);
    let run = scope.run;
    Ok(match function {
        Function::User => user(&text(0)?, call.at, scope)?,
        Function::Env => env(&text(0)?, call.at, scope)?,
        Function::Timestamp => run.started.unix_timestamp().to_string(),
        Function::Isotime if call.arguments.is_empty() => time_layout::rfc3339(run.started),
        Function::Isotime => time_layout::go(&text(0)?, run.started),
        Function::Strftime => time_layout::strftime(&text(0)?, run.started).map_err(|directive| {
            let why = format!("does not know `{directive}`");
            Problem::Arguments { at: call.at, function: name, why }
        })?,
        Function::Uuid => (run.uuid)(),
        Function::BuildName => scope.build.ok_or_else(outside)?.0.to_owned(),
        Function::BuildType => scope.build.ok_or_else(outside)?.1.to_owned(),
        Function::TemplateDir => run.template_dir.clone(),
        Function::Pwd => run.pwd.clone(),
        Function::PackerVersion => PACKER_VERSION.to_owned(),
        Function::Upper => text(0)?.to_uppercase(),
        Function::Lower => text(0)?.to_lowercase(),
        Function::Split => split(&text(0)?, &text(1)?, number(call, 2), call.at)?,
        Function::Replace => replace(&text(3)?, &text(0)?, &text(1)?, number(call, 2), call.at)?,
        Function::ReplaceAll => replace(&text(2)?, &text(0)?, &text(1)?, -1, call.at)?,
        Function::Data => written(data(call, scope)?, call)?,
        Function::Build => written(build(call, scope)?, call)?,
    })
}

fn text(call: &Call, index: usize, scope: Scope<'_>) -> Result<String, Problem> {
    match call.arguments.get(index) {
        Some(Argument::Text(text)) => Ok(text.clone()),
        Some(Argument::Call(inner)) => evaluate(inner, scope),
        Some(Argument::Number(number)) => Ok(number.to_string()),
        None => Ok(String::new()),
    }
}

fn number(call: &Call, index: usize) -> i64 {
    match call.arguments.get(index) {
        Some(Argument::Number(number)) => *number,
        _ => 0,
    }
}

fn user(name: &str, at: Span, scope: Scope<'_>) -> Result<String, Problem> {
    scope.values.get(name).cloned().ok_or_else(|| unknown_variable(name, at, scope.values.keys()))
}

/// The problem of a name that no variable has.
pub(super) fn unknown_variable<'a>(
    name: &str,
    at: Span,
    known: impl Iterator<Item = &'a String> + Clone,
) -> Problem {
    let near = spell::nearest(name, known.clone().map(String::as_str));
    Problem::UnknownVariable { at, name: name.to_owned(), near, known: known.cloned().collect() }
}

/// The value that a data source has yielded, or the part of it that the call points at.
fn data<'a>(call: &Call, scope: Scope<'a>) -> Result<&'a Value, Problem> {
    let (name, pointer) = (word(call, 0), word(call, 1));
    let Some(value) = scope.learned.data.and_then(|data| data.get(name)) else {
        return Err(Problem::DataOutsideConfigs { at: call.at });
    };
    value.pointer(pointer).ok_or_else(|| no_such_data(call.at, name, pointer, value))
}

/// What the value around the missing one has instead.
fn no_such_data(at: Span, name: &str, pointer: &str, value: &Value) -> Problem {
    let mut reached = pointer;
    let mut known = Vec::new();
    let mut near = None;
    while let Some((around, missing)) = reached.rsplit_once('/') {
        if let Some(found) = value.pointer(around) {
            let members = found.as_object().into_iter().flat_map(Map::keys);
            known = members.cloned().collect();
            near = spell::nearest(missing, known.iter().map(String::as_str));
            break;
        }
        reached = around;
    }
    Problem::NoSuchData { at, name: name.to_owned(), pointer: pointer.to_owned(), near, known }
}

fn build<'a>(call: &Call, scope: Scope<'a>) -> Result<&'a Value, Problem> {
    let key = word(call, 0);
    let Some(generated) = scope.learned.generated else { return Err(Problem::BuildTooEarly { at: call.at }) };
    generated.get(key).ok_or_else(|| no_such_key(call.at, key, generated))
}

fn no_such_key(at: Span, key: &str, generated: &Map<String, Value>) -> Problem {
    let near = spell::nearest(key, generated.keys().map(String::as_str));
    Problem::NotGenerated { at, key: key.to_owned(), near, known: generated.keys().cloned().collect() }
}

/// A value within a text.
fn written(value: &Value, call: &Call) -> Result<String, Problem> {
    let refused = |found| Err(Problem::NotWritable { at: call.at, function: call.name.clone(), found });
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(boolean) => Ok(boolean.to_string()),
        Value::Null => refused("null"),
        Value::Array(_) => refused("an array"),
        Value::Object(_) => refused("an object"),
    }
}

fn word(call: &Call, index: usize) -> &str {
    match call.arguments.get(index) {
        Some(Argument::Text(text)) => text,
        _ => "",
    }
}

fn env(name: &str, at: Span, scope: Scope<'_>) -> Result<String, Problem> {
    if !scope.env {
        return Err(Problem::EnvOutsideVariables { at });
    }
    Ok(scope.run.environment.get(name).cloned().unwrap_or_default())
}

fn split(text: &str, separator: &str, index: i64, at: Span) -> Result<String, Problem> {
    let mut parts: Box<dyn Iterator<Item = &str>> = match separator {
        "" => Box::new(text.split("").filter(|part| !part.is_empty())),
        _ => Box::new(text.split(separator)),
    };
    let part = usize::try_from(index).ok().and_then(|index| parts.nth(index));
    part.map(ToOwned::to_owned).ok_or_else(|| Problem::Arguments {
        at,
        function: "split",
        why: format!("finds no part {index}"),
    })
}

/// Like Go's `strings.Replace`: a negative limit replaces all.
fn replace(text: &str, old: &str, new: &str, limit: i64, at: Span) -> Result<String, Problem> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let times = text.matches(old).take(limit).count();
    bounded(times.saturating_mul(new.len()).saturating_add(text.len()), at)?;
    Ok(text.replacen(old, new, times))
}
