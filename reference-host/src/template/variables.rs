//! Which value each variable has: template default < given values, later ones winning.

use std::collections::{BTreeMap, BTreeSet};

use super::config::Learned;
use super::expression::Phrase;
use super::function::{self, Scope};
use super::given::Given;
use super::parts::{Variable, Word};
use super::problem::{Problem, TemplateError};
use super::read::Template;
use super::resolve::RunContext;
use crate::spell;

/// Defaults that refer to one another more often than this in a row are no honest template.
const LONGEST_CHAIN: usize = 100;

/// The value of every variable of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    values: BTreeMap<String, String>,
    sensitive: BTreeSet<String>,
    hidden: BTreeSet<String>,
}

impl Variables {
    /// Settles all variables of `template`.
    ///
    /// A default may use functions and other variables; a given value is taken as it is.
    ///
    /// # Errors
    /// A given name that the template does not declare; required variables that nobody set, all at once; defaults
    /// that cannot be resolved.
    pub fn settle(template: &Template, given: &[Given], run: &RunContext) -> Result<Self, TemplateError> {
        let mut problems = unknown(template, given);
        let given: BTreeMap<&str, &str> =
            given.iter().map(|given| (given.name.as_str(), given.value.as_str())).collect();
        problems.extend(unset(template, &given));
        let mut settling = Settling { template, given, run, values: BTreeMap::new() };
        if problems.is_empty() {
            let settled = template.variables.iter().map(|variable| settling.settle(variable, 0));
            problems = settled.filter_map(Result::err).collect();
        }
        if !problems.is_empty() {
            return Err(TemplateError::Wrong { text: template.source.clone(), problems });
        }
        let sensitive = template.variables.iter().filter(|variable| variable.sensitive);
        let sensitive = sensitive.map(|variable| variable.name.text.clone()).collect();
        Ok(Self { values: settling.values, sensitive, hidden: hidden(template) })
    }

    /// What can be known to be secret before variables are settled: messages about settling must not show it.
    #[must_use]
    pub fn foreseen_secrets(template: &Template, given: &[Given]) -> Vec<String> {
        let sensitive = template.variables.iter().filter(|variable| variable.sensitive);
        let texts = sensitive.flat_map(|variable| {
            let given = given.iter().filter(|given| given.name == variable.name.text);
            let default = variable.default.iter().map(|default| default.text.clone());
            given.map(|given| given.value.clone()).chain(default)
        });
        texts.filter(|text| !text.is_empty()).collect()
    }

    /// The values, by name.
    #[must_use]
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// Names and values that nobody may see; no value is empty.
    pub fn sensitive(&self) -> impl Iterator<Item = (&String, &String)> {
        self.values.iter().filter(|(name, value)| self.sensitive.contains(*name) && !value.is_empty())
    }

    /// The variables of the environment that sensitive variables are made from: no plugin inherits them.
    #[must_use]
    pub fn hidden_environment(&self) -> &BTreeSet<String> {
        &self.hidden
    }
}

fn hidden(template: &Template) -> BTreeSet<String> {
    let sensitive = template.variables.iter().filter(|variable| variable.sensitive);
    let defaults = sensitive.filter_map(|variable| variable.default.as_ref());
    let phrases = defaults.map(|default| Phrase {
        source: &template.source,
        literal: default.span,
        text: &default.text,
    });
    let asked = phrases.filter_map(|phrase| function::references(phrase, "env").ok());
    asked.flatten().map(|(name, _)| name).collect()
}

fn unknown(template: &Template, given: &[Given]) -> Vec<Problem> {
    let names = || template.variables.iter().map(|variable| variable.name.text.as_str());
    let unknown = given.iter().filter(|given| names().all(|name| name != given.name));
    unknown
        .map(|given| Problem::UnknownGiven {
            origin: given.origin.to_string(),
            name: given.name.clone(),
            near: spell::nearest(&given.name, names()),
            known: names().map(ToOwned::to_owned).collect(),
        })
        .collect()
}

fn unset(template: &Template, given: &BTreeMap<&str, &str>) -> Option<Problem> {
    let required = template.variables.iter().filter(|variable| variable.default.is_none());
    let names: Vec<_> = required
        .filter(|variable| !given.contains_key(variable.name.text.as_str()))
        .map(|variable| (variable.name.text.clone(), variable.name.span))
        .collect();
    (!names.is_empty()).then_some(Problem::UnsetVariables { names })
}

/// Variables on their way to their values.
struct Settling<'a> {
    template: &'a Template,
    given: BTreeMap<&'a str, &'a str>,
    run: &'a RunContext,
    values: BTreeMap<String, String>,
}

impl Settling<'_> {
    /// Settles what the variable refers to, then the variable; `depth` is how many wait for it.
    fn settle(&mut self, variable: &Variable, depth: usize) -> Result<(), Problem> {
        let name = variable.name.text.clone();
        if self.values.contains_key(&name) {
            return Ok(());
        }
        let value = match (self.given.get(name.as_str()), &variable.default) {
            (Some(given), _) => (*given).to_owned(),
            (None, Some(default)) => self.rendered(&name, default, depth)?,
            (None, None) => return Ok(()),
        };
        self.values.insert(name, value);
        Ok(())
    }

    fn rendered(&mut self, name: &str, default: &Word, depth: usize) -> Result<String, Problem> {
        let template = self.template;
        let phrase = Phrase { source: &template.source, literal: default.span, text: &default.text };
        for (needed, at) in function::references(phrase, "user")? {
            if depth > LONGEST_CHAIN || needed == name {
                return Err(Problem::VariableCycle { at, name: name.to_owned() });
            }
            if let Some(variable) = template.variables.iter().find(|variable| variable.name.text == needed) {
                self.settle(variable, depth + 1)?;
            }
        }
        let learned = Learned::default();
        let scope = Scope { run: self.run, values: &self.values, build: None, env: true, learned };
        function::render(phrase, scope)
    }
}
