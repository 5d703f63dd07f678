//! Why work stopped short of its end, made for `?`.
use packwire_wire::{Aborted, Broken, Diagnostic, Outcome};

/// Work did not reach its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It failed; at least one diagnostic is an error.
    Failed(Vec<Diagnostic>),
    /// It was cancelled, and what it had begun is undone.
    Cancelled,
}

impl Stop {
    /// A failure with one error: one line for the person who wrote the template.
    pub fn failed(summary: impl Into<String>) -> Self {
        Self::Failed(vec![Diagnostic::error(summary)])
    }
}

/// `Ok` for an outcome that is done, and for others why it is not.
///
/// # Errors
/// The outcome, as a [`Stop`].
pub fn done(outcome: Outcome) -> Result<(), Stop> {
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Failed(diagnostics) => Err(Stop::Failed(diagnostics)),
        Outcome::Cancelled => Err(Stop::Cancelled),
    }
}

/// What work answers that yields nothing but how it ended.
pub fn outcome(result: Result<(), Stop>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(Stop::Failed(diagnostics)) => Outcome::Failed(diagnostics),
        Err(Stop::Cancelled) => Outcome::Cancelled,
    }
}

impl From<Diagnostic> for Stop {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Failed(vec![diagnostic])
    }
}

impl From<Vec<Diagnostic>> for Stop {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Failed(diagnostics)
    }
}

impl From<Broken> for Stop {
    /// A lost link cancels all work that came over it.
    fn from(broken: Broken) -> Self {
        if broken.is_link_lost() { Self::Cancelled } else { Self::failed(broken.to_string()) }
    }
}

impl From<Aborted> for Stop {
    fn from(aborted: Aborted) -> Self {
        Self::failed(aborted.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use packwire_wire::Reason;

    #[test]
    fn a_lost_link_is_a_cancellation_and_a_bug_of_the_host_a_failure() {
        let broken = |reason| Stop::from(Broken { call: "Ui.say", reason });
        assert_eq!(broken(Reason::LinkLost), Stop::Cancelled);
        let raised = Reason::Exception { summary: "no".to_owned(), full: String::new() };
        assert_eq!(broken(raised), Stop::failed("a bug: `Ui.say` raised an exception: no"));
    }
}
