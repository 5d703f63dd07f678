//! A configuration whose functions are resolved, but for what only the run will tell.
//!
//! `{{data}}` is known when the data sources have run, `{{build}}` when the builder has its machine. Until then such a
//! text stays as it was written, and [`Config::settled`] resolves it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::expression::Phrase;
use super::function::{self, Scope};
use super::problem::Problem;
use super::resolve::RunContext;
use super::source::{Member, Node, Shape, Source, Span};

/// The values of data sources, by name.
pub type Data = BTreeMap<String, Value>;

/// A configuration, and where its values stand in the template.
#[derive(Clone, Debug)]
pub struct Config {
    /// An object; as JSON text it is I-JSON, once it is not late any more.
    pub value: Value,
    spans: BTreeMap<String, Span>,
    /// What is not known yet, by JSON Pointer.
    late: BTreeMap<String, Late>,
    known: Arc<Known>,
    /// Name and type of the build, where there is one.
    build: Option<(String, String)>,
}

/// What is known from the start, the same for all configurations of a template.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) source: Source,
    pub(super) values: BTreeMap<String, String>,
    pub(super) run: RunContext,
}

/// A text that waits for its values.
#[derive(Clone, Debug, PartialEq)]
struct Late {
    text: String,
    literal: Span,
    asks: Vec<Asked>,
}

/// A value that only the run will tell, and where the template asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which.
    pub what: LateValue,
    /// The call's place.
    pub at: Span,
    /// JSON Pointer to the text, in the configuration that asks.
    pub pointer: String,
}

/// A value that only the run will tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LateValue {
    /// `{{data "NAME" "POINTER"}}`
    Data {
        /// The data source.
        name: String,
        /// A place in its value.
        pointer: String,
    },
    /// `{{build "KEY"}}`
    Build {
        /// A key of the generated data.
        key: String,
    },
}

/// What the run has told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Learned<'a> {
    /// What data sources have yielded.
    pub data: Option<&'a Data>,
    /// What the builder has generated.
    pub generated: Option<&'a Map<String, Value>>,
}

impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        (&self.value, &self.spans, &self.late) == (&other.value, &other.spans, &other.late)
    }
}

impl Config {
    /// Where the value that a JSON Pointer (RFC 6901) names was written, or the nearest value around it.
    #[must_use]
    pub fn locate(&self, pointer: &str) -> Option<Span> {
        let mut pointer = pointer;
        loop {
            if let Some(span) = self.spans.get(pointer) {
                return Some(*span);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }

    /// Whether some of its values are not known yet.
    #[must_use]
    pub fn is_late(&self) -> bool {
        !self.late.is_empty()
    }

    /// What it still asks for.
    pub fn asks(&self) -> impl Iterator<Item = &Asked> {
        self.late.values().flat_map(|late| &late.asks)
    }

    /// The data sources whose values it still asks for.
    #[must_use]
    pub fn asks_data(&self) -> BTreeSet<&str> {
        let named = |asked: &'_ Asked| matches!(asked.what, LateValue::Data { .. });
        self.asks().filter(|asked| named(asked)).map(|asked| asked.what.name()).collect()
    }

    /// Whether the value at this pointer, or one around it, is not known yet.
    #[must_use]
    pub fn is_late_at(&self, pointer: &str) -> bool {
        self.late.keys().any(|late| is_within(pointer, late))
    }

    /// Whether a value inside the one at this pointer is not known yet.
    #[must_use]
    pub fn is_late_below(&self, pointer: &str) -> bool {
        self.late.keys().any(|late| is_within(late, pointer))
    }

    /// The same with everything resolved that can be by what was learned.
    ///
    /// # Errors
    /// What was learned holds no such value, or one that cannot stand there.
    pub fn settled(&self, learned: Learned<'_>) -> Result<Self, Vec<Problem>> {
        let mut settled = self.clone();
        let mut problems = Vec::new();
        settled.late.retain(|pointer, late| {
            if !late.is_answered(learned) {
                return true;
            }
            match (self.render(late, learned), settled.value.pointer_mut(pointer)) {
                (Ok(value), Some(place)) => *place = value,
                (Ok(_), None) => {}
                (Err(problem), _) => problems.push(problem),
            }
            false
        });
        if problems.is_empty() { Ok(settled) } else { Err(problems) }
    }

    fn render(&self, late: &Late, learned: Learned<'_>) -> Result<Value, Problem> {
        let Late { text, literal, .. } = late;
        let phrase = Phrase { source: &self.known.source, literal: *literal, text };
        let build = self.build.as_ref().map(|(name, component)| (name.as_str(), component.as_str()));
        function::value(phrase, self.known.scope(build, learned))
    }

    /// Resolves what can be resolved from the start.
    pub(super) fn of(
        node: &Node,
        known: &Arc<Known>,
        build: Option<(&str, &str)>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut resolving =
            Resolving { known, build, problems, spans: BTreeMap::new(), late: BTreeMap::new() };
        let value = resolving.value(node, String::new());
        let Resolving { spans, late, .. } = resolving;
        let build = build.map(|(name, component)| (name.to_owned(), component.to_owned()));
        Self { value, spans, late, known: known.clone(), build }
    }
}

impl LateValue {
    /// The data source, or the key of the generated data.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Data { name, .. } => name,
            Self::Build { key } => key,
        }
    }
}

impl Late {
    fn is_answered(&self, learned: Learned<'_>) -> bool {
        self.asks.iter().all(|asked| match &asked.what {
            LateValue::Data { name, .. } => learned.data.is_some_and(|data| data.contains_key(name)),
            LateValue::Build { .. } => learned.generated.is_some(),
        })
    }
}

impl Known {
    pub(super) fn scope<'a>(&'a self, build: Option<(&'a str, &'a str)>, learned: Learned<'a>) -> Scope<'a> {
        Scope { run: &self.run, values: &self.values, build, env: false, learned }
    }
}

fn is_within(pointer: &str, around: &str) -> bool {
    pointer.strip_prefix(around).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

struct Resolving<'a> {
    known: &'a Known,
    build: Option<(&'a str, &'a str)>,
    problems: &'a mut Vec<Problem>,
    spans: BTreeMap<String, Span>,
    late: BTreeMap<String, Late>,
}

impl Resolving<'_> {
    fn value(&mut self, node: &Node, pointer: String) -> Value {
        let value = match &node.shape {
            Shape::Null => Value::Null,
            Shape::Bool(boolean) => Value::Bool(*boolean),
            Shape::Number(number) => Value::Number(number.clone()),
            Shape::Text(text) => self.text(text, node.span, &pointer),
            Shape::List(elements) => {
                let elements = elements.iter().enumerate();
                Value::Array(
                    elements.map(|(index, node)| self.value(node, format!("{pointer}/{index}"))).collect(),
                )
            }
            Shape::Object(members) => {
                let mut object = Map::new();
                for Member { key, value, .. } in members {
                    object.insert(key.clone(), self.value(value, format!("{pointer}/{}", escaped(key))));
                }
                Value::Object(object)
            }
        };
        self.spans.insert(pointer, node.span);
        value
    }

    fn text(&mut self, text: &str, literal: Span, pointer: &str) -> Value {
        match self.resolve(text, literal, pointer) {
            Ok(value) => value,
            Err(problem) => {
                if !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
                Value::String(text.to_owned())
            }
        }
    }

    /// The value; or the text as it is, noted as late.
    fn resolve(&mut self, text: &str, literal: Span, pointer: &str) -> Result<Value, Problem> {
        let phrase = Phrase { source: &self.known.source, literal, text };
        let asks = function::asked(phrase, pointer)?;
        if asks.is_empty() {
            return function::value(phrase, self.known.scope(self.build, Learned::default()));
        }
        self.late.insert(pointer.to_owned(), Late { text: text.to_owned(), literal, asks });
        Ok(Value::String(text.to_owned()))
    }
}

/// A key as one step of a JSON Pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
