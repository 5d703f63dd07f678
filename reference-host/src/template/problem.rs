//! What can be wrong with a template: the user's mistakes, each with its places and a way out.

use std::path::PathBuf;

use super::source::{Source, Span};
use crate::spell;

/// Why there is no usable template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file could not be read as text.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file as the user named it.
        path: PathBuf,
        /// What the system said.
        #[source]
        why: std::io::Error,
    },
    /// It is written in Packer's other language.
    #[error("{} is an HCL2 template, and packwire runs JSON templates", path.display())]
    Hcl {
        /// The file as the user named it.
        path: PathBuf,
    },
    /// The text was read and is wrong in at least one way.
    #[error("{}: {}", text.name(), problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Wrong {
        /// What the places of the problems point into.
        text: Source,
        /// At least one, in the order of the text where that could be known.
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong, with its places in the [`Source`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message above each variant says what it is; the fields are its words and places"
)]
pub enum Problem {
    #[error("this is not JSON: {why}")]
    NotJson { at: Span, why: String },
    #[error("key `{key}` is there twice")]
    DuplicateKey { key: String, first: Span, second: Span },
    #[error("number {text} cannot be kept exactly")]
    InexactNumber { at: Span, text: String },
    #[error("{what} must be {expected}")]
    WrongShape { at: Span, what: String, expected: &'static str, found: &'static str },
    #[error("{place} has an unknown key `{key}`")]
    UnknownKey { at: Span, place: String, key: String, near: Option<String>, known: Vec<&'static str> },
    #[error("{what} is not there yet")]
    NotThereYet { at: Span, what: String, hint: &'static str },
    #[error("{place} has no `{key}`")]
    Missing { at: Span, place: String, key: &'static str },
    #[error("`min_packer_version` {text} is not a version")]
    BadVersion { at: Span, text: String },
    #[error("the template wants Packer {wanted}, and packwire runs templates of {ours}")]
    VersionTooNew { at: Span, wanted: String, ours: &'static str },
    #[error("{text:?} is not a duration")]
    BadDuration { at: Span, text: String },
    #[error("two builds are named `{name}`")]
    DuplicateBuild { name: String, first: Span, second: Span },
    #[error("`{list}` names build `{name}`, which does not exist")]
    UnknownBuild { at: Span, list: &'static str, name: String, near: Option<String>, known: Vec<String> },
    #[error("`only` and `except` exclude each other")]
    OnlyAndExcept { only: Span, except: Span },
    #[error("`sensitive-variables` names `{name}`, which is not a variable")]
    UnknownSensitive { at: Span, name: String, near: Option<String>, known: Vec<String> },
    #[error("the template expression cannot be read: {why}")]
    Expression { at: Span, why: String },
    #[error("{what} in template expressions is not there yet")]
    ExpressionNotThereYet { at: Span, what: String },
    #[error("template function `{name}` does not exist")]
    UnknownFunction { at: Span, name: String, near: Option<String> },
    #[error("template function `{name}` is not there yet")]
    FunctionNotThereYet { at: Span, name: String, hint: &'static str },
    #[error("template function `{function}` {why}")]
    Arguments { at: Span, function: &'static str, why: String },
    #[error("template function `env` works in `variables` only")]
    EnvOutsideVariables { at: Span },
    #[error("template function `{function}` works inside a build only")]
    OutsideBuild { at: Span, function: &'static str },
    #[error("template function `data` works in configurations only")]
    DataOutsideConfigs { at: Span },
    #[error("template function `build` works in provisioners and post-processors only")]
    BuildTooEarly { at: Span },
    #[error("data source `{name}` is not declared")]
    UnknownData { at: Span, name: String, near: Option<String>, known: Vec<String> },
    #[error("data source `{name}` is configured by its own value")]
    DataCycle { at: Span, name: String },
    #[error("data source `{name}` yields nothing at `{pointer}`")]
    NoSuchData { at: Span, name: String, pointer: String, near: Option<String>, known: Vec<String> },
    #[error("the builder has generated no `{key}`")]
    NotGenerated { at: Span, key: String, near: Option<String>, known: Vec<String> },
    #[error("template function `{function}` yields {found} here, which is no text")]
    NotWritable { at: Span, function: String, found: &'static str },
    #[error("`grant` names `{name}`, which is nothing that a template can grant")]
    UnknownGrant { at: Span, name: String, near: Option<String>, known: Vec<&'static str> },
    #[error("`hooks` names event `{name}`, which never comes")]
    UnknownEvent { at: Span, name: String, near: Option<String>, known: Vec<&'static str> },
    #[error("variable `{name}` is not declared")]
    UnknownVariable { at: Span, name: String, near: Option<String>, known: Vec<String> },
    #[error("variable `{name}` is made from itself")]
    VariableCycle { at: Span, name: String },
    #[error("the text grows beyond {limit} bytes")]
    TooLong { at: Span, limit: usize },
    #[error("{}", unset(names))]
    UnsetVariables { names: Vec<(String, Span)> },
    #[error("{origin} sets `{name}`, which is not a variable of the template")]
    UnknownGiven { origin: String, name: String, near: Option<String>, known: Vec<String> },
}

fn unset(names: &[(String, Span)]) -> String {
    let quoted: Vec<_> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
    match names.len() {
        1 => format!("required variable {} is not set", quoted.concat()),
        _ => format!("required variables {} are not set", quoted.join(", ")),
    }
}

impl Problem {
    /// The places to point at, each with the words to put there. Empty where the mistake is not in the text.
    #[must_use]
    pub fn labels(&self) -> Vec<(Span, String)> {
        match self {
            Self::DuplicateKey { first, second, .. } => twice(*first, *second),
            Self::DuplicateBuild { first, second, .. } => twice(*first, *second),
            Self::OnlyAndExcept { only, except } => twice(*only, *except),
            Self::UnsetVariables { names } => {
                names.iter().map(|(_, at)| (*at, "has no default".to_owned())).collect()
            }
            Self::WrongShape { at, found, .. } => vec![(*at, format!("this is {found}"))],
            Self::UnknownGiven { .. } => Vec::new(),
            _ => self.place().map(|at| (at, "here".to_owned())).into_iter().collect(),
        }
    }

    /// The one place of a problem that has one.
    fn place(&self) -> Option<Span> {
        match self {
            Self::NotJson { at, .. }
            | Self::InexactNumber { at, .. }
            | Self::WrongShape { at, .. }
            | Self::UnknownKey { at, .. }
            | Self::NotThereYet { at, .. }
            | Self::Missing { at, .. }
            | Self::BadVersion { at, .. }
            | Self::VersionTooNew { at, .. }
            | Self::BadDuration { at, .. }
            | Self::UnknownBuild { at, .. }
            | Self::UnknownSensitive { at, .. }
            | Self::Expression { at, .. }
            | Self::ExpressionNotThereYet { at, .. }
            | Self::UnknownFunction { at, .. }
            | Self::FunctionNotThereYet { at, .. }
            | Self::Arguments { at, .. }
            | Self::EnvOutsideVariables { at }
            | Self::OutsideBuild { at, .. }
            | Self::DataOutsideConfigs { at }
            | Self::BuildTooEarly { at }
            | Self::UnknownData { at, .. }
            | Self::DataCycle { at, .. }
            | Self::NoSuchData { at, .. }
            | Self::NotGenerated { at, .. }
            | Self::NotWritable { at, .. }
            | Self::UnknownGrant { at, .. }
            | Self::UnknownEvent { at, .. }
            | Self::UnknownVariable { at, .. }
            | Self::VariableCycle { at, .. }
            | Self::TooLong { at, .. } => Some(*at),
            Self::DuplicateKey { second, .. } | Self::DuplicateBuild { second, .. } => Some(*second),
            Self::OnlyAndExcept { except, .. } => Some(*except),
            Self::UnsetVariables { .. } | Self::UnknownGiven { .. } => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { near, known, .. }
            | Self::UnknownGrant { near, known, .. }
            | Self::UnknownEvent { near, known, .. } => spell::hint(near.as_deref(), known.iter().copied()),
            Self::UnknownBuild { near, known, .. }
            | Self::UnknownSensitive { near, known, .. }
            | Self::UnknownVariable { near, known, .. }
            | Self::UnknownData { near, known, .. }
            | Self::NoSuchData { near, known, .. }
            | Self::NotGenerated { near, known, .. }
            | Self::UnknownGiven { near, known, .. } => {
                spell::hint(near.as_deref(), known.iter().map(String::as_str))
            }
            Self::UnknownFunction { near, .. } => spell::hint(near.as_deref(), super::function::names()),
            Self::NotThereYet { hint, .. } | Self::FunctionNotThereYet { hint, .. } => {
                Some((*hint).to_owned())
            }
            Self::InexactNumber { .. } => Some("write it as a string".to_owned()),
            Self::BadDuration { .. } => {
                Some("durations look like \"90s\", \"1m30s\" or \"500ms\"".to_owned())
            }
            Self::UnsetVariables { .. } => {
                Some("set them with `-var NAME=VALUE` or `-var-file FILE`".to_owned())
            }
            Self::EnvOutsideVariables { .. } => {
                Some("declare a variable with this value and use `{{user `NAME`}}` here".to_owned())
            }
            Self::DataOutsideConfigs { .. } => Some(
                "write it in the configuration that needs the value: names and variables are settled before"
                    .to_owned(),
            ),
            Self::BuildTooEarly { .. } => {
                Some("what it yields is known when the builder has its machine".to_owned())
            }
            Self::NotWritable { .. } => Some(
                "point at a text, a number or a boolean; a list or an object stands in a text of its own"
                    .to_owned(),
            ),
            Self::ExpressionNotThereYet { .. } => {
                Some("there are calls of functions, and `{{ .Name }}`, which the plugin fills in".to_owned())
            }
            _ => None,
        }
    }
}

fn twice(first: Span, second: Span) -> Vec<(Span, String)> {
    vec![(first, "first here".to_owned()), (second, "and again here".to_owned())]
}
