//! A step of something that is gone through in order, told as it went: what was seen, and what to do where it is wrong.

use anstyle::{AnsiColor, Style};
use serde::{Deserialize, Serialize};

use crate::report::printable;

/// One step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    title: String,
    seen: String,
    /// What to do; there is nothing to do where all is well.
    advice: Option<String>,
    /// What the program printed, where that may help.
    said: Vec<String>,
}

impl Step {
    /// All is well.
    pub(crate) fn fine(title: &str, seen: impl Into<String>) -> Self {
        Self { title: title.to_owned(), seen: seen.into(), advice: None, said: Vec::new() }
    }

    /// Something is wrong; this is what to do.
    pub(crate) fn wrong(title: &str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..Self::fine(title, seen) }
    }

    /// The same, with what the program printed.
    pub(crate) fn saying(self, said: Vec<String>) -> Self {
        Self { said, ..self }
    }

    pub(crate) fn is_fine(&self) -> bool {
        self.advice.is_none()
    }
}

/// All steps as text.
pub(crate) fn told(steps: &[Step], colour: bool) -> String {
    steps.iter().map(|step| step.text(colour)).collect()
}

impl Step {
    fn text(&self, colour: bool) -> String {
        let Self { title, seen, advice, said } = self;
        let (word, style) = match advice {
            None => ("ok", AnsiColor::Green.on_default()),
            Some(_) => ("wrong", AnsiColor::Red.on_default().bold()),
        };
        let style = if colour { style } else { Style::new() };
        let mut text = format!("  {style}{word:<6}{style:#} {title:<14} {}\n", printable(seen));
        let mut field = |name: &str, value: &str| {
            text.push_str(&format!("         {name:<14} {}\n", printable(value)));
        };
        if let Some(advice) = advice {
            field("what to do", advice);
        }
        for (index, line) in said.iter().enumerate() {
            field(if index == 0 { "it said" } else { "" }, line);
        }
        text
    }
}
