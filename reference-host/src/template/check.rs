//! What can be said about a template before any variable is known.

use super::expression::{self, Argument, Call, Phrase, Piece};
use super::function;
use super::problem::Problem;
use super::read::{Provisioner, Template, Word};
use super::source::{Node, Shape, Source, Span};
use crate::spell;

/// Every expression that cannot be resolved, and every build name that is twice or not there.
pub(super) fn template(template: &Template) -> Vec<Problem> {
    let mut problems = expressions(template);
    let labels: Vec<Word> = template.builders.iter().map(|builder| builder.label().clone()).collect();
    if !labels.iter().any(|label| label.text.contains("{{")) {
        problems.extend(names(&labels, &template.provisioners));
    }
    problems
}

/// Builds of one name, and builds that provisioners name but nobody defines. Needs resolved names.
pub(super) fn names(builds: &[Word], provisioners: &[Provisioner]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, build) in builds.iter().enumerate() {
        if let Some(first) = builds[..index].iter().find(|first| first.text == build.text) {
            let name = build.text.clone();
            problems.push(Problem::DuplicateBuild { name, first: first.span, second: build.span });
        }
    }
    for provisioner in provisioners {
        let overrides: Vec<Word> = provisioner.overrides.iter().map(|(name, _)| name.clone()).collect();
        unknown_builds("only", provisioner.only.as_deref().unwrap_or_default(), builds, &mut problems);
        unknown_builds("except", &provisioner.except, builds, &mut problems);
        unknown_builds("override", &overrides, builds, &mut problems);
    }
    problems
}

fn unknown_builds(list: &'static str, named: &[Word], builds: &[Word], problems: &mut Vec<Problem>) {
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

fn expressions(template: &Template) -> Vec<Problem> {
    let variables = template.variables.iter().map(|variable| variable.name.text.clone()).collect();
    let mut checker = Checker { source: &template.source, variables, problems: Vec::new() };
    for default in template.variables.iter().filter_map(|variable| variable.default.as_ref()) {
        checker.phrase(&default.text, default.span, true);
    }
    for builder in &template.builders {
        if let Some(name) = &builder.name {
            checker.phrase(&name.text, name.span, false);
        }
        checker.node(&builder.config);
    }
    for provisioner in &template.provisioners {
        checker.node(&provisioner.config);
        provisioner.overrides.iter().for_each(|(_, config)| checker.node(config));
    }
    checker.problems
}

struct Checker<'a> {
    source: &'a Source,
    variables: Vec<String>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn node(&mut self, node: &Node) {
        match &node.shape {
            Shape::Text(text) => self.phrase(text, node.span, false),
            Shape::List(elements) => elements.iter().for_each(|element| self.node(element)),
            Shape::Object(members) => members.iter().for_each(|member| self.node(&member.value)),
            Shape::Null | Shape::Bool(_) | Shape::Number(_) => {}
        }
    }

    fn phrase(&mut self, text: &str, literal: Span, env: bool) {
        match expression::parse(Phrase { source: self.source, literal, text }) {
            Ok(pieces) => pieces.iter().for_each(|piece| match piece {
                Piece::Call(call) => self.call(call, env),
                Piece::Verbatim(_) => {}
            }),
            Err(problem) => self.problems.push(problem),
        }
    }

    fn call(&mut self, call: &Call, env: bool) {
        for argument in &call.arguments {
            match argument {
                Argument::Call(inner) => self.call(inner, env),
                Argument::Text(name) if call.name == "user" && !self.variables.contains(name) => {
                    self.problems.push(function::unknown_variable(name, call.at, self.variables.iter()));
                }
                Argument::Text(_) | Argument::Number(_) => {}
            }
        }
        if call.name == "env" && !env {
            self.problems.push(Problem::EnvOutsideVariables { at: call.at });
        }
    }
}
