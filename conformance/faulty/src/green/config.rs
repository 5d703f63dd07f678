//! The configuration, which both components share.
use packwire_schema::work_capnp::diagnostic::{self, Severity};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::fault::Fault;

/// What the author of a template may write. The schema in hello says the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) lines: Vec<String>,
    #[serde(default)]
    pub(crate) keep: bool,
    #[serde(default)]
    pub(crate) wait: bool,
    #[serde(default)]
    pub(crate) ask: bool,
    #[serde(default)]
    pub(crate) fail: bool,
    #[serde(default)]
    pub(crate) bug: bool,
    #[serde(default)]
    pub(crate) crash: bool,
    #[serde(default)]
    pub(crate) number: Option<i64>,
    #[serde(default)]
    pub(crate) child: bool,
    #[serde(default)]
    pub(crate) machine: bool,
    #[serde(default)]
    pub(crate) repeat: Option<usize>,
    #[serde(default)]
    pub(crate) upload: Option<usize>,
    #[serde(default)]
    pub(crate) commands: Vec<String>,
    #[serde(default)]
    pub(crate) file: Option<String>,
    #[serde(default)]
    pub(crate) password: Option<String>,
    /// Whether a file that is there may be replaced.
    #[serde(skip)]
    pub(crate) force: bool,
    /// What becomes of the half-made where the work fails.
    #[serde(skip)]
    pub(crate) half: Half,
}

/// What becomes of the half-made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Half {
    #[default]
    Goes,
    Stays,
    /// The user is asked.
    Asked,
}

/// The largest number that may be written.
const MOST: u64 = 100_000_000;

/// One thing wrong with a configuration, or with a piece of work: then without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    severity: Severity,
    summary: String,
    path: String,
}

impl Problem {
    /// A problem at a JSON Pointer; the empty one means the whole.
    pub(crate) fn at(path: &str, summary: &str) -> Self {
        Self { severity: Severity::Error, summary: summary.to_owned(), path: path.to_owned() }
    }

    /// Makes an error of a warning.
    pub(crate) fn worsen(&mut self) {
        self.severity = Severity::Error;
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Tells it in the wrong way, where that is the fault.
    pub(crate) fn spoil(&mut self, fault: Option<Fault>) {
        match fault {
            Some(Fault::EmptyPaths) => self.path.clear(),
            Some(Fault::GoFieldNamePaths) => self.path = field_name(&self.path),
            Some(Fault::EmptySummary) => self.summary.clear(),
            Some(Fault::MultiPageSummary) => self.summary = format!("{}\n", self.summary).repeat(200),
            Some(Fault::TracebackInSummary) => {
                self.summary = format!("Traceback (most recent call last): {}", self.summary);
            }
            Some(Fault::TzDependentResult) => {
                self.summary.extend(std::env::var("TZ").map(|zone| format!(" ({zone})")));
            }
            // In Turkish, the small letter of `I` has no dot.
            Some(Fault::LocaleLowercase)
                if std::env::var("LC_ALL").is_ok_and(|all| all.starts_with("tr")) =>
            {
                self.path = self.path.replace('I', "ı").to_lowercase();
            }
            _ => {}
        }
    }

    /// Fills in its diagnostic.
    pub(crate) fn write(&self, mut diagnostic: diagnostic::Builder<'_>) {
        let Self { severity, summary, path } = self;
        diagnostic.set_severity(*severity);
        diagnostic.set_summary(summary);
        diagnostic.set_path(path);
    }
}

/// `/lines/1` as `Lines.1`.
fn field_name(path: &str) -> String {
    let path = path.replacen('/', "", 1).replace('/', ".");
    let mut letters = path.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn read(text: &[u8]) -> Result<Self, Vec<Problem>> {
        let value: Value = serde_json::from_slice(text).map_err(|error| whole(&error))?;
        let Value::Object(object) = value else { return Err(vec![Problem::at("", "it is no object")]) };
        let problems: Vec<Problem> =
            missing(&object).into_iter().chain(object.iter().flat_map(member)).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        // Read again from the text: a duplicate key is refused here, and lost in a `Value`.
        serde_json::from_slice(text).map_err(|error| whole(&error))
    }
}

impl Config {
    /// What is odd with it, but no mistake.
    pub(crate) fn remarks(&self) -> Vec<Problem> {
        let idle = self.repeat.is_some() && self.lines.is_empty();
        let remark =
            Problem { severity: Severity::Warning, ..Problem::at("/repeat", "there is nothing to repeat") };
        if idle { vec![remark] } else { Vec::new() }
    }
}

fn whole(error: &serde_json::Error) -> Vec<Problem> {
    vec![Problem::at("", &error.to_string())]
}

fn missing(object: &Map<String, Value>) -> Option<Problem> {
    (!object.contains_key("name")).then(|| Problem::at("/name", "it is missing"))
}

fn member((key, value): (&String, &Value)) -> Vec<Problem> {
    let path = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
    match (key.as_str(), value) {
        ("name", Value::String(name)) if !name.is_empty() => Vec::new(),
        ("name", _) => vec![Problem::at(&path, "it is no text, or empty")],
        ("lines" | "commands", Value::Array(lines)) => {
            lines.iter().enumerate().filter_map(|line| text(&path, line)).collect()
        }
        ("lines" | "commands", _) => vec![Problem::at(&path, "it is no list of texts")],
        ("keep" | "wait" | "ask" | "fail" | "bug" | "crash" | "child" | "machine", Value::Bool(_)) => {
            Vec::new()
        }
        ("keep" | "wait" | "ask" | "fail" | "bug" | "crash" | "child" | "machine", _) => {
            vec![Problem::at(&path, "it is neither true nor false")]
        }
        ("repeat" | "upload", Value::Number(number)) if number.as_u64().is_some_and(|n| n <= MOST) => {
            Vec::new()
        }
        ("repeat" | "upload", _) => vec![Problem::at(&path, "it is no number, or too large")],
        ("number", Value::Number(number)) if number.as_i64().is_some_and(is_exact) => Vec::new(),
        ("number", _) => vec![Problem::at(&path, "it is no whole number, or too large")],
        ("file" | "password", Value::String(_)) => Vec::new(),
        ("file" | "password", _) => vec![Problem::at(&path, "it is no text")],
        _ => vec![Problem::at(&path, "nothing is called that")],
    }
}

/// Whether every reader of JSON sees the same number.
fn is_exact(number: i64) -> bool {
    number.unsigned_abs() < 1 << 53
}

fn text(path: &str, (at, line): (usize, &Value)) -> Option<Problem> {
    (!line.is_string()).then(|| Problem::at(&format!("{path}/{at}"), "it is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        Config::read(text.as_bytes())
            .expect_err("it is wrong")
            .into_iter()
            .map(|problem| problem.path)
            .collect()
    }

    #[test]
    fn all_problems_are_found_together() {
        assert_eq!(
            paths(r#"{"lines": ["a", 1], "keep": 0, "a/b": {}}"#),
            ["/name", "/lines/1", "/keep", "/a~1b"]
        );
    }

    #[test]
    fn what_is_no_configuration_is_a_problem_of_the_whole() {
        for text in ["", "[]", "{", r#"{"name": "a", "name": "b"}"#] {
            assert_eq!(paths(text), [""], "{text}");
        }
    }

    #[test]
    fn missing_members_have_their_defaults() {
        let config = Config { name: "a".to_owned(), ..Config::default() };
        assert_eq!(Config::read(br#"{"name": "a"}"#), Ok(config));
    }
}
