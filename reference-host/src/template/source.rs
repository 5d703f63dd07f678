//! The text of a template, places in it, and its JSON values with their places.

use std::ops::Range;
use std::sync::Arc;

/// A named text that messages can point into. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
}

impl Source {
    /// The text as it was read, and the name people know it by.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// What people call it, usually its path as they typed it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the bytes `part` of a decoded JSON string stand in the text, given where its literal stands.
    ///
    /// Escapes make the literal longer than what it says, so the two are walked side by side.
    #[must_use]
    pub fn within(&self, literal: Span, part: Range<usize>) -> Span {
        let Some(raw) = self.text.get(literal.start + 1..literal.end.saturating_sub(1)) else {
            return literal;
        };
        let mut decoded = 0;
        let mut offset = 0;
        let mut start = None;
        while offset < raw.len() && decoded < part.end {
            if decoded >= part.start {
                start.get_or_insert(offset);
            }
            let (taken, meant) = step(&raw[offset..]);
            offset += taken;
            decoded += meant;
        }
        let from = literal.start + 1;
        Span { start: from + start.unwrap_or(offset), end: from + offset }
    }
}

/// How many bytes the next character or escape of a JSON string takes, and how many it stands for.
fn step(raw: &str) -> (usize, usize) {
    let mut characters = raw.chars();
    match characters.next() {
        Some('\\') if characters.next() == Some('u') => unicode_escape(raw),
        Some('\\') => (raw.len().min(2), 1),
        Some(plain) => (plain.len_utf8(), plain.len_utf8()),
        None => (1, 1),
    }
}

fn unicode_escape(raw: &str) -> (usize, usize) {
    let unit = |from: usize| raw.get(from..from + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    match unit(2) {
        Some(0xD800..=0xDBFF) => (raw.len().min(12), 4),
        Some(code) => (raw.len().min(6), char::from_u32(code).map_or(3, char::len_utf8)),
        None => (raw.len().min(2), 1),
    }
}

/// A place in a [`Source`], in bytes, the end excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A JSON value that knows where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands, quotes and brackets included.
    pub span: Span,
    /// What it is.
    pub shape: Shape,
}

/// The six shapes of JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number that Rust holds exactly or as the nearest double.
    Number(serde_json::Number),
    /// A string, decoded.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// An object, in the order of the text; no two members have one key.
    Object(Vec<Member>),
}

/// One member of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The key, decoded.
    pub key: String,
    /// Where the key stands, quotes included.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Shape {
    /// What people call a value of this shape.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(literal: &str, wanted: &str, shown: &str) {
        let source = Source::new("t", literal);
        let decoded: String = serde_json::from_str(literal).unwrap();
        let at = decoded.find(wanted).unwrap();
        let span = source.within(Span { start: 0, end: literal.len() }, at..at + wanted.len());
        assert_eq!(&literal[span.start..span.end], shown);
    }

    #[test]
    fn a_part_of_a_string_is_found_behind_escapes() {
        check(r#""plain user x""#, "user", "user");
        check(r#""\n\t\"é😀 user""#, "user", "user");
        check(r#""\u00e9\ud83d\ude00 user""#, "user", "user");
        check(r#""a \"quoted\" word""#, "\"quoted\"", r#"\"quoted\""#);
    }
}
