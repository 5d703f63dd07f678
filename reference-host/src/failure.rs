//! Why a build, or a part of it, failed: sorted by who is to blame, told in one way.

use packwire_wire::Diagnostic;

use crate::plugins::PluginFailure;
use crate::prepare::Refusal;
use crate::template::Problem;

/// Why a build, or a part of it, is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A component says so; at least one diagnostic is an error.
    Said {
        /// `builder file`, `provisioner shell`, …
        who: String,
        /// What it says.
        diagnostics: Vec<Diagnostic>,
    },
    /// Its plugin cannot be used any more, or broke the protocol.
    Broken {
        /// `builder file`, `provisioner shell`, …
        who: String,
        /// What happened.
        why: PluginFailure,
    },
    /// The host refuses what a plugin asks of it.
    Refused(String),
    /// Several parts failed, each for itself.
    Several(Vec<Failure>),
    /// It took longer than the template allows.
    TimedOut {
        /// `provisioner shell`, …
        who: String,
        /// The template's words.
        after: String,
    },
    /// It was cancelled, and did not clean up in time.
    Stuck {
        /// `builder file`, `provisioner shell`, …
        who: String,
        /// The time that it had, in seconds.
        grace: u64,
    },
    /// It was cancelled, and has cleaned up.
    Cancelled,
}

impl Failure {
    /// What a component said.
    pub(crate) fn said(who: &str, diagnostics: Vec<Diagnostic>) -> Self {
        Self::Said { who: who.to_owned(), diagnostics }
    }

    /// What a component does against the protocol.
    pub(crate) fn bug(who: &str, what: &str) -> Self {
        Self::said(who, vec![Diagnostic::error(format!("a bug in the plugin: {what}"))])
    }

    /// What the host refuses.
    pub(crate) fn host(why: String) -> Self {
        Self::Refused(why)
    }

    /// All of them as one; `None` if there is none.
    pub(crate) fn all(mut failures: Vec<Self>) -> Option<Self> {
        match failures.len() {
            0 | 1 => failures.pop(),
            _ => Some(Self::Several(failures)),
        }
    }

    /// What made it impossible to prepare a component again.
    pub(crate) fn refused(who: &str, refusal: Refusal) -> Self {
        match refusal {
            Refusal::Config(diagnostics) => Self::said(who, diagnostics),
            Refusal::Late(problems) => Self::said(who, problems.iter().map(unknown).collect()),
            Refusal::Plugin(why) => Self::Broken { who: who.to_owned(), why },
        }
    }

    /// The same for the plugin that waits for it: at least one error.
    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Said { diagnostics, .. } => diagnostics.clone(),
            other => vec![Diagnostic::error(other.to_string())],
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Said { who, diagnostics } => {
                let errors: Vec<_> = diagnostics.iter().filter(|one| one.is_error()).map(told).collect();
                write!(f, "{who}: {}", errors.join("\n"))
            }
            Self::Broken { who, why } => {
                write!(f, "{who}: {why}")?;
                why.hint.iter().try_for_each(|hint| write!(f, "\n  {hint}"))?;
                if why.last_lines.is_empty() {
                    return Ok(());
                }
                write!(f, "\n  the last lines of its log:")?;
                why.last_lines.iter().try_for_each(|line| write!(f, "\n    {line}"))
            }
            Self::Refused(why) => f.write_str(why),
            Self::Several(failures) => {
                let told: Vec<_> = failures.iter().map(ToString::to_string).collect();
                f.write_str(&told.join("\n"))
            }
            Self::TimedOut { who, after } => write!(f, "{who}: it was not done after {after}"),
            Self::Stuck { who, grace } => {
                write!(f, "{who}: it was cancelled, and did not clean up within {grace} s")
            }
            Self::Cancelled => f.write_str("it was cancelled"),
        }
    }
}

fn unknown(problem: &Problem) -> Diagnostic {
    let diagnostic = Diagnostic::error(problem.to_string());
    match problem.hint() {
        Some(hint) => diagnostic.with_detail(hint),
        None => diagnostic,
    }
}

fn told(diagnostic: &Diagnostic) -> String {
    let Diagnostic { summary, detail, path, .. } = diagnostic;
    let place = if path.is_empty() { String::new() } else { format!(" (at {path})") };
    let detail: String = detail.lines().map(|line| format!("\n  {line}")).collect();
    format!("{summary}{place}{detail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_name_who_and_why() {
        let said = Failure::said(
            "builder file",
            vec![
                Diagnostic::warning("odd"),
                Diagnostic::error("no such file").at("/source").with_detail("looked in /a\nand in /b"),
                Diagnostic::error("no target"),
            ],
        );
        let why = PluginFailure {
            plugin: "packer-builder-file".to_owned(),
            what: "it was killed by signal KILL during `Build.run`".to_owned(),
            last_lines: vec!["[INFO] writing".to_owned()],
            hint: None,
        };
        let broken = Failure::Broken { who: "builder file".to_owned(), why };
        let stuck = Failure::Stuck { who: "provisioner shell".to_owned(), grace: 60 };
        let late = Failure::TimedOut { who: "provisioner shell".to_owned(), after: "5s".to_owned() };
        insta::assert_snapshot!(format!("{said}\n{broken}\n{stuck}\n{late}\n{}", Failure::Cancelled), @r"
        builder file: no such file (at /source)
          looked in /a
          and in /b
        no target
        builder file: plugin packer-builder-file: it was killed by signal KILL during `Build.run`
          the last lines of its log:
            [INFO] writing
        provisioner shell: it was cancelled, and did not clean up within 60 s
        provisioner shell: it was not done after 5s
        it was cancelled
        ");
    }
}
