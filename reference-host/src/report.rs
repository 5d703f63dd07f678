//! Errors of the library → reports for people, which point into the text that is wrong.

use std::fmt::Display;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use crate::catalog::{CatalogError, Unknown};
use crate::cli::NotThereYet;
use crate::command::BadTransport;
use crate::ledger::LedgerError;
use crate::log::LogError;
use crate::plan::{BadConfig, PlanError};
use crate::plugins::PluginFailure;
use crate::prepare::{NotReady, Refusal, Remark};
use crate::spell;
use crate::template::{Problem, Source, Span, TemplateError, Word};
use crate::ui::{Secrets, escaped};

/// Lines are wrapped here, whatever the terminal: a report looks the same in every log.
const WIDTH: usize = 100;

/// One thing to tell the user, with the places it is about.
#[derive(Debug)]
pub struct Report {
    message: String,
    cause: Option<Cause>,
    text: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
    hint: Option<String>,
}

/// What the system said, one line below the message.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cause(String);

impl Report {
    /// A report that points nowhere.
    #[must_use]
    pub fn new(message: &dyn Display) -> Self {
        let message = lines_escaped(&message.to_string());
        Self { message, cause: None, text: None, labels: Vec::new(), hint: None }
    }

    /// The same, with a way out.
    #[must_use]
    pub fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.map(|hint| lines_escaped(&hint));
        self
    }

    /// The same, with what is behind it.
    #[must_use]
    pub fn with_cause(mut self, cause: &dyn Display) -> Self {
        self.cause = Some(Cause(lines_escaped(&cause.to_string())));
        self
    }

    /// The same, pointing into a text.
    #[must_use]
    pub fn pointing(mut self, text: &Source, labels: Vec<(Span, String)>) -> Self {
        if !labels.is_empty() {
            self.text = Some(NamedSource::new(escaped(text.name()), harmless(text.text())));
        }
        let label = |(span, label): (Span, String)| {
            LabeledSpan::new(Some(lines_escaped(&label)), span.start, length(text.text(), span))
        };
        self.labels = labels.into_iter().map(label).collect();
        self
    }

    /// The same without secrets in our own words; the text pointed into is masked line by line when it is printed.
    #[must_use]
    pub fn masked(mut self, secrets: &Secrets) -> Self {
        self.message = secrets.masked(&self.message);
        self.hint = self.hint.map(|hint| secrets.masked(&hint));
        self.cause = self.cause.map(|Cause(cause)| Cause(secrets.masked(&cause)));
        self
    }

    /// The report as text: in colours for a terminal, plain for everything else.
    #[must_use]
    pub fn rendered(&self, colours: bool) -> String {
        let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
        let mut text = String::new();
        match handler.render_report(&mut text, self) {
            Ok(()) => text,
            Err(_) => format!("{}\n", self.message),
        }
    }
}

impl Display for Report {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Report {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as &dyn std::error::Error)
    }
}

impl Diagnostic for Report {
    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        self.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.text.as_ref().map(|text| text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as Box<_>)
    }
}

/// How much to underline: of what goes over several lines only the bracket that opens it.
fn length(text: &str, span: Span) -> usize {
    match text.get(span.start..span.end) {
        Some(part) if part.contains('\n') => 1,
        Some(part) => part.len(),
        None => 0,
    }
}

/// A message may have several lines; no line may have a control character.
fn lines_escaped(text: &str) -> String {
    text.split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

/// The text with harmful characters replaced by harmless ones of the same length, so that places stay right.
fn harmless(text: &str) -> String {
    let replaced = |character: char| {
        if matches!(character, '\n' | '\t' | '\r')
            || escaped(character.encode_utf8(&mut [0; 4])).starts_with(character)
        {
            return character;
        }
        match character.len_utf8() {
            1 => '?',
            2 => '¿',
            _ => char::REPLACEMENT_CHARACTER,
        }
    };
    text.chars().map(replaced).collect()
}

/// What can be told as one report or several.
pub trait Reported {
    /// At least one.
    fn reports(&self) -> Vec<Report>;
}

impl Reported for TemplateError {
    fn reports(&self) -> Vec<Report> {
        match self {
            Self::Unreadable { why, .. } => vec![Report::new(self).with_cause(why)],
            Self::Hcl { .. } => {
                vec![Report::new(self).with_hint(Some("write it as a JSON template".to_owned()))]
            }
            Self::Wrong { text, problems } => each(text, problems),
        }
    }
}

impl Reported for CatalogError {
    fn reports(&self) -> Vec<Report> {
        match self {
            Self::Unreadable { why, .. } => vec![Report::new(self).with_cause(why)],
            Self::Wrong { text, problems } => each(text, problems),
        }
    }
}

impl Reported for PlanError {
    fn reports(&self) -> Vec<Report> {
        match self {
            Self::UnknownBuild { near, known, .. } => {
                let hint = spell::hint(near.as_deref(), known.iter().map(String::as_str));
                vec![Report::new(self).with_hint(hint)]
            }
            Self::NothingLeft => vec![Report::new(self)],
            Self::BadSchema { why, .. } => vec![Report::new(self).with_cause(why)],
            Self::BadConfigs { text, problems } => problems.iter().map(|bad| bad_config(text, bad)).collect(),
            Self::UnknownComponents { text, unknown } => {
                unknown.iter().map(|(word, unknown)| unknown_component(text, word, unknown)).collect()
            }
        }
    }
}

impl Reported for NotReady {
    fn reports(&self) -> Vec<Report> {
        self.remarks.iter().flat_map(|remark| remarked(&self.text, remark)).collect()
    }
}

impl Reported for PluginFailure {
    fn reports(&self) -> Vec<Report> {
        vec![plugin_failure(&self.to_string(), self)]
    }
}

impl Reported for LogError {
    fn reports(&self) -> Vec<Report> {
        vec![Report::new(self).with_cause(&self.why)]
    }
}

impl Reported for BadTransport {
    fn reports(&self) -> Vec<Report> {
        vec![Report::new(self).with_hint(Some(self.hint().to_owned()))]
    }
}

impl Reported for LedgerError {
    fn reports(&self) -> Vec<Report> {
        vec![Report::new(self).with_cause(&self.why)]
    }
}

impl Reported for NotThereYet {
    fn reports(&self) -> Vec<Report> {
        vec![Report::new(self)]
    }
}

fn each(text: &Source, problems: &[Problem]) -> Vec<Report> {
    let report =
        |problem: &Problem| Report::new(problem).with_hint(problem.hint()).pointing(text, problem.labels());
    problems.iter().map(report).collect()
}

fn bad_config(text: &Source, bad: &BadConfig) -> Report {
    let BadConfig { kind, component, at, problem } = bad;
    let message = format!("the {kind} `{}` cannot be configured: {}", component.text, problem.message);
    Report::new(&message).with_hint(problem.hint.clone()).pointing(text, vec![(*at, "here".to_owned())])
}

/// What a component or its plugin remarked on one use of it.
pub(crate) fn remarked(text: &Source, remark: &Remark) -> Vec<Report> {
    let Remark { name, kind, build, config, what } = remark;
    let build = build.as_ref().map(|build| format!(" in build `{build}`")).unwrap_or_default();
    let who = format!("{kind} `{}`{build}", name.text);
    match what {
        Refusal::Late(problems) => problems
            .iter()
            .map(|problem| {
                Report::new(&format!("the {who} cannot be configured: {problem}"))
                    .with_hint(problem.hint())
                    .pointing(text, problem.labels())
            })
            .collect(),
        Refusal::Plugin(failure) => {
            let here = vec![(name.span, "here".to_owned())];
            vec![
                plugin_failure(&format!("the {who} cannot be used: {failure}"), failure).pointing(text, here),
            ]
        }
        Refusal::Config(diagnostics) => diagnostics
            .iter()
            .map(|diagnostic| {
                let severity = if diagnostic.is_error() { "" } else { "warning: " };
                let hint = Some(diagnostic.detail.clone()).filter(|detail| !detail.is_empty());
                let at = config.locate(&diagnostic.path).unwrap_or(name.span);
                Report::new(&format!("{severity}the {who}: {}", diagnostic.summary))
                    .with_hint(hint)
                    .pointing(text, vec![(at, "here".to_owned())])
            })
            .collect(),
    }
}

fn plugin_failure(message: &str, failure: &PluginFailure) -> Report {
    let log = (!failure.last_lines.is_empty())
        .then(|| format!("the last lines of its log:\n{}", failure.last_lines.join("\n")));
    let hints: Vec<String> = failure.hint.map(ToOwned::to_owned).into_iter().chain(log).collect();
    Report::new(&message).with_hint((!hints.is_empty()).then(|| hints.join("\n")))
}

fn unknown_component(text: &Source, word: &Word, unknown: &Unknown) -> Report {
    Report::new(unknown).with_hint(Some(unknown.hint())).pointing(text, vec![(word.span, "here".to_owned())])
}
