//! What can be said about a template before any variable is known.

use std::collections::BTreeMap;

use super::expression::{self, Argument, Call, Phrase, Piece};
use super::function;
use super::parts::{DataSource, Word};
use super::problem::Problem;
use super::read::Template;
use super::source::{Node, Shape, Source, Span};
use crate::spell;

/// Every expression that cannot be resolved, and every build name that is twice or not there.
pub(super) fn template(template: &Template) -> Vec<Problem> {
    let mut problems = expressions(template);
    problems.extend(data_cycle(template));
    let labels: Vec<Word> = template.builders.iter().map(|builder| builder.label().clone()).collect();
    if !labels.iter().any(|label| label.text.contains("{{")) {
        problems.extend(names(&labels, template));
    }
    problems
}

/// Builds of one name, and builds that other entries name but nobody defines. Needs resolved names.
pub(super) fn names(builds: &[Word], template: &Template) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, build) in builds.iter().enumerate() {
        if let Some(first) = builds[..index].iter().find(|first| first.text == build.text) {
            let name = build.text.clone();
            problems.push(Problem::DuplicateBuild { name, first: first.span, second: build.span });
        }
    }
    for filter in template.build_filters() {
        unknown_builds("only", filter.only.iter().flatten(), builds, &mut problems);
        unknown_builds("except", &filter.except, builds, &mut problems);
    }
    for provisioner in template.provisioners.iter().chain(&template.cleanup) {
        let overridden = provisioner.overrides.iter().map(|(name, _)| name);
        unknown_builds("override", overridden, builds, &mut problems);
    }
    problems
}

fn unknown_builds<'a>(
    list: &'static str,
    named: impl IntoIterator<Item = &'a Word>,
    builds: &[Word],
    problems: &mut Vec<Problem>,
) {
    for word in named {
        if builds.iter().all(|build| build.text != word.text) {
            let known = || builds.iter().map(|build| build.text.as_str());
            problems.push(Problem::UnknownBuild {
                at: word.span,
                list,
                name: word.text.clone(),
                near: spell::nearest(&word.text, known()),
                known: known().map(ToOwned::to_owned).collect(),
            });
        }
    }
}

/// Where an expression stands, which decides what it may ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The default of a variable.
    Variable,
    /// The name of a build.
    Name,
    /// A configuration that is needed before any builder has run.
    Early,
    /// The configuration of a data source, which belongs to no build.
    Data,
    /// A configuration that is needed when a builder has its machine or is done.
    Late,
}

fn expressions(template: &Template) -> Vec<Problem> {
    let names = |words: &mut dyn Iterator<Item = &Word>| words.map(|word| word.text.clone()).collect();
    let variables = names(&mut template.variables.iter().map(|variable| &variable.name));
    let data = names(&mut template.data.iter().map(|source| &source.name));
    let mut checker = Checker { source: &template.source, variables, data, problems: Vec::new() };
    for default in template.variables.iter().filter_map(|variable| variable.default.as_ref()) {
        checker.phrase(&default.text, default.span, Place::Variable);
    }
    for source in &template.data {
        checker.node(&source.config, Place::Data);
    }
    for builder in &template.builders {
        if let Some(name) = &builder.name {
            checker.phrase(&name.text, name.span, Place::Name);
        }
        checker.node(&builder.config, Place::Early);
    }
    for provisioner in template.provisioners.iter().chain(&template.cleanup) {
        checker.node(&provisioner.config, Place::Late);
        provisioner.overrides.iter().for_each(|(_, config)| checker.node(config, Place::Late));
    }
    for post_processor in template.post_processors.iter().flatten() {
        checker.node(&post_processor.config, Place::Late);
    }
    checker.problems
}

struct Checker<'a> {
    source: &'a Source,
    variables: Vec<String>,
    data: Vec<String>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn node(&mut self, node: &Node, place: Place) {
        for (text, literal) in texts(node) {
            self.phrase(text, literal, place);
        }
    }

    fn phrase(&mut self, text: &str, literal: Span, place: Place) {
        match expression::parse(Phrase { source: self.source, literal, text }) {
            Ok(pieces) => pieces.iter().for_each(|piece| match piece {
                Piece::Call(call) => self.call(call, place),
                Piece::Verbatim(_) => {}
            }),
            Err(problem) => self.problems.push(problem),
        }
    }

    fn call(&mut self, call: &Call, place: Place) {
        for argument in &call.arguments {
            if let Argument::Call(inner) = argument {
                self.call(inner, place);
            }
        }
        self.problems.extend(self.misplaced(call, place).or_else(|| self.unknown(call)));
    }

    fn misplaced(&self, call: &Call, place: Place) -> Option<Problem> {
        let at = call.at;
        match (call.name.as_str(), place) {
            ("env", Place::Name | Place::Early | Place::Data | Place::Late) => {
                Some(Problem::EnvOutsideVariables { at })
            }
            ("data", Place::Variable | Place::Name) => Some(Problem::DataOutsideConfigs { at }),
            ("build", Place::Variable | Place::Name | Place::Early | Place::Data) => {
                Some(Problem::BuildTooEarly { at })
            }
            ("build_name", Place::Data) => Some(Problem::OutsideBuild { at, function: "build_name" }),
            ("build_type", Place::Data) => Some(Problem::OutsideBuild { at, function: "build_type" }),
            _ => None,
        }
    }

    fn unknown(&self, call: &Call) -> Option<Problem> {
        let Some(Argument::Text(name)) = call.arguments.first() else { return None };
        match call.name.as_str() {
            "user" if !self.variables.contains(name) => {
                Some(function::unknown_variable(name, call.at, self.variables.iter()))
            }
            "data" if !self.data.contains(name) => Some(Problem::UnknownData {
                at: call.at,
                name: name.clone(),
                near: spell::nearest(name, self.data.iter().map(String::as_str)),
                known: self.data.clone(),
            }),
            _ => None,
        }
    }
}

/// Every text in a value.
fn texts(node: &Node) -> Vec<(&str, Span)> {
    match &node.shape {
        Shape::Text(text) => vec![(text, node.span)],
        Shape::List(elements) => elements.iter().flat_map(texts).collect(),
        Shape::Object(members) => members.iter().flat_map(|member| texts(&member.value)).collect(),
        Shape::Null | Shape::Bool(_) | Shape::Number(_) => Vec::new(),
    }
}

/// A data source whose configuration leads back to its own value.
fn data_cycle(template: &Template) -> Option<Problem> {
    let asks = |source: &DataSource| {
        let phrases = texts(&source.config).into_iter();
        let phrases = phrases.map(|(text, literal)| Phrase { source: &template.source, literal, text });
        phrases.flat_map(|phrase| function::references(phrase, "data").unwrap_or_default()).collect()
    };
    let asks: BTreeMap<&str, Vec<(String, Span)>> =
        template.data.iter().map(|source| (source.name.text.as_str(), asks(source))).collect();
    let mut settled = Vec::new();
    let mut open: Vec<&str> = asks.keys().copied().collect();
    // What asks only for what is settled is settled; what is left then goes in circles, or asks for what does.
    while let Some(next) = open.iter().position(|name| {
        asks[name]
            .iter()
            .all(|(asked, _)| settled.contains(&asked.as_str()) || !asks.contains_key(asked.as_str()))
    }) {
        settled.push(open.remove(next));
    }
    let (mut name, mut seen) = (*open.first()?, Vec::new());
    loop {
        let (asked, at) = asks[name].iter().find(|(asked, _)| open.contains(&asked.as_str()))?;
        if seen.contains(&asked.as_str()) || asked == name {
            return Some(Problem::DataCycle { at: *at, name: asked.clone() });
        }
        seen.push(name);
        name = asked;
    }
}
