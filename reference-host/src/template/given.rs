//! Values of variables that come from outside the template.

use std::path::{Path, PathBuf};

use super::json;
use super::problem::{Problem, TemplateError};
use super::reader::Reader;
use super::source::{Shape, Source};

/// One value from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Which variable.
    pub name: String,
    /// Its value, taken as it is: expressions in it mean nothing.
    pub value: String,
    /// Where it came from, for messages.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `-var`
    Flag,
    /// `-var-file`
    File(PathBuf),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag => formatter.write_str("`-var`"),
            Self::File(path) => write!(formatter, "`-var-file` {}", path.display()),
        }
    }
}

impl Given {
    /// What one `-var` says: `NAME=VALUE`. `None` without a name or a `=`.
    #[must_use]
    pub fn flag(text: &str) -> Option<Self> {
        let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
        Some(Self { name: name.to_owned(), value: value.to_owned(), origin: Origin::Flag })
    }

    /// What a `-var-file` says: one JSON object of strings and numbers. A relative path is of `directory`.
    ///
    /// # Errors
    /// The file cannot be read, or is not such an object.
    pub fn file(directory: &Path, path: &Path) -> Result<Vec<Self>, TemplateError> {
        let text = std::fs::read_to_string(directory.join(path))
            .map_err(|why| TemplateError::Unreadable { path: path.to_owned(), why })?;
        let source = Source::new(&path.to_string_lossy(), &text);
        Self::parse(&source, path).map_err(|problems| TemplateError::Wrong { text: source, problems })
    }

    fn parse(source: &Source, path: &Path) -> Result<Vec<Self>, Vec<Problem>> {
        let root = json::read(source)?;
        let mut reader = Reader::default();
        let mut given = Vec::new();
        for member in reader.members(&root, "a variable file") {
            let value = match &member.value.shape {
                Shape::Text(text) => Some(text.clone()),
                Shape::Number(number) => Some(number.to_string()),
                _ => reader.refuse(
                    &member.value,
                    &format!("variable `{}`", member.key),
                    "a string or a number",
                ),
            };
            let origin = Origin::File(path.to_owned());
            given.extend(value.map(|value| Self { name: member.key.clone(), value, origin }));
        }
        if reader.problems.is_empty() { Ok(given) } else { Err(reader.problems) }
    }
}
