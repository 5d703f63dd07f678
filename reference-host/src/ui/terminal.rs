//! The one place where text leaves for people.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use super::escape::escaped;
use super::secrets::Secrets;

/// The five colours that builds take in turn, and red for what went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// The first build.
    Green,
    /// The second.
    Cyan,
    /// The third.
    Magenta,
    /// The fourth.
    Yellow,
    /// The fifth.
    Blue,
    /// Errors of any build.
    Red,
}

impl Colour {
    /// The colour of the build with this index.
    #[must_use]
    pub fn of(index: usize) -> Self {
        [Self::Green, Self::Cyan, Self::Magenta, Self::Yellow, Self::Blue][index % 5]
    }

    fn ansi(self) -> anstyle::AnsiColor {
        match self {
            Self::Green => anstyle::AnsiColor::Green,
            Self::Cyan => anstyle::AnsiColor::Cyan,
            Self::Magenta => anstyle::AnsiColor::Magenta,
            Self::Yellow => anstyle::AnsiColor::Yellow,
            Self::Blue => anstyle::AnsiColor::Blue,
            Self::Red => anstyle::AnsiColor::Red,
        }
    }
}

/// How a line looks where there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// As it is.
    Plain,
    /// Coloured: details.
    Light(Colour),
    /// Bold and coloured: headlines and errors.
    Bold(Colour),
}

impl Paint {
    fn style(self) -> anstyle::Style {
        match self {
            Self::Plain => anstyle::Style::new(),
            Self::Light(colour) => anstyle::Style::new().fg_color(Some(colour.ansi().into())),
            Self::Bold(colour) => anstyle::Style::new().bold().fg_color(Some(colour.ansi().into())),
        }
    }
}

/// Writes lines, each whole: lines of parallel builds never mix, no secret and no control character passes.
pub struct Terminal {
    writer: Mutex<Box<dyn Write + Send>>,
    colours: bool,
    secrets: Arc<Secrets>,
    echo: Option<Echo>,
}

/// Who else hears each line.
type Echo = Box<dyn Fn(&str) + Send + Sync>;

impl std::fmt::Debug for Terminal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Terminal").field("colours", &self.colours).finish_non_exhaustive()
    }
}

impl Terminal {
    /// Writes to `writer`, in colours or not.
    #[must_use]
    pub fn new(writer: Box<dyn Write + Send>, colours: bool, secrets: Arc<Secrets>) -> Self {
        Self { writer: Mutex::new(writer), colours, secrets, echo: None }
    }

    /// The same, telling somebody else each line as well.
    #[must_use]
    pub fn echoing(self, echo: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { echo: Some(Box::new(echo)), ..self }
    }

    /// Whether lines are painted.
    #[must_use]
    pub fn has_colours(&self) -> bool {
        self.colours
    }

    /// What this terminal masks.
    #[must_use]
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// Writes every line of `text` behind `prefix`, all of them in one go.
    ///
    /// A terminal that went away is no reason to fail a build: the text is lost then.
    pub fn print(&self, prefix: &str, text: &str, paint: Paint) {
        let lines: String = text.split('\n').map(|line| self.line(prefix, line, paint)).collect();
        if let Some(echo) = &self.echo {
            text.split('\n')
                .filter(|line| !line.trim().is_empty())
                .for_each(|line| echo(&format!("{prefix}{line}")));
        }
        self.write(&lines);
    }

    /// Writes text whose lines were styled by us; secrets are masked, control characters are the caller's duty.
    pub(crate) fn print_styled(&self, text: &str) {
        let lines: String = text.lines().map(|line| self.secrets.masked(line) + "\n").collect();
        self.write(&lines);
    }

    fn line(&self, prefix: &str, line: &str, paint: Paint) -> String {
        let text = escaped(&self.secrets.masked(line.trim_end()));
        let prefix = escaped(&self.secrets.masked(prefix));
        let whole = format!("{prefix}{text}");
        let whole = whole.trim_end();
        if self.colours && paint != Paint::Plain && !whole.is_empty() {
            let style = paint.style();
            return format!("{style}{whole}{style:#}\n");
        }
        format!("{whole}\n")
    }

    fn write(&self, text: &str) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _gone = writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
    }
}
