//! Diagnostics as they came.

use capnp::struct_list;
use packwire_schema::work_capnp::diagnostic::{self, Severity};
use serde_json::Value;

use crate::components::text;
use crate::stage::SECRET;

/// More than fit into a message of 8 MiB if each has a summary.
const MOST: u32 = 200_000;
/// How many characters of a detail are told.
const DETAIL: usize = 200;

/// One problem that a component told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Diagnostic {
    /// `error`, `warning`, `unset`, or what stands in for a member that is not in the schema.
    pub(crate) severity: String,
    pub(crate) summary: String,
    pub(crate) detail: String,
    pub(crate) path: String,
    /// Whether all of its texts are UTF-8.
    pub(crate) is_utf8: bool,
}

impl Diagnostic {
    /// Reads all of a list, unless it is longer than any that fits into a message.
    pub(crate) fn read_all(list: struct_list::Reader<'_, diagnostic::Owned>) -> capnp::Result<Vec<Self>> {
        let many = list.len();
        if many > MOST {
            return Err(capnp::Error::failed(format!("{many} diagnostics; the suite reads {MOST}")));
        }
        list.iter().map(Self::read).collect()
    }

    fn read(reader: diagnostic::Reader<'_>) -> capnp::Result<Self> {
        let severity = match reader.get_severity() {
            Ok(Severity::Error) => "error".to_owned(),
            Ok(Severity::Warning) => "warning".to_owned(),
            Ok(Severity::Unset) => "unset".to_owned(),
            Err(capnp::NotInSchema(number)) => format!("unknown {number}"),
        };
        let texts = [reader.get_summary()?, reader.get_detail()?, reader.get_path()?];
        let is_utf8 = texts.iter().all(|text| text.to_str().is_ok());
        let [summary, detail, path] = texts.map(|one| text(Ok(one)));
        Ok(Self { severity, summary: summary?, detail: detail?, path: path?, is_utf8 })
    }

    pub(crate) fn is_error(&self) -> bool {
        self.severity == "error"
    }

    /// All of it, to compare.
    pub(crate) fn in_full(&self) -> String {
        let Self { severity, summary, detail, path, is_utf8: _ } = self;
        format!("{severity} at {path:?}: {summary:?} {detail:?}")
    }

    /// In one line, for a report; the cause that an author looks for often stands in the detail.
    pub(crate) fn told(&self) -> String {
        let place = if self.path.is_empty() { "the whole" } else { &self.path };
        let told = format!("{} at {place}: {:?}", self.severity, shortened(&concealed(&self.summary)));
        match self.detail.trim() {
            "" => told,
            detail => format!("{told} (detail: {:?})", cut(&concealed(detail), DETAIL)),
        }
    }
}

/// Several in one line.
pub(crate) fn told(diagnostics: &[Diagnostic]) -> String {
    let first: Vec<String> = diagnostics.iter().take(3).map(Diagnostic::told).collect();
    match diagnostics.len() {
        0 => "no diagnostic".to_owned(),
        1..=3 => first.join("; "),
        more => format!("{}; and {} more", first.join("; "), more - 3),
    }
}

/// What fits on a line.
pub(crate) fn shortened(text: &str) -> String {
    cut(text, 120)
}

/// The beginning of a text, with a sign where more follows.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text without the one that must not be seen: reports are shown to others.
fn concealed(text: &str) -> String {
    text.replace(SECRET, "[the secret]")
}

/// Whether a path is a JSON Pointer to something that is in a value, or missing from an object or a list of it.
pub(crate) fn points_into(path: &str, value: &Value) -> bool {
    if path.is_empty() {
        return true;
    }
    let Some((parent, last)) = path.rsplit_once('/') else { return false };
    let well_formed = |token: &str| !token.replace("~0", "").replace("~1", "").contains('~');
    match value.pointer(parent) {
        Some(Value::Object(_)) => well_formed(last),
        Some(Value::Array(_)) => last == "-" || last.bytes().all(|digit| digit.is_ascii_digit()),
        _ => false,
    }
}

/// Whether a path is another one, or leads to something below it.
pub(crate) fn is_at_or_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A key as one token of a JSON Pointer, with its slash.
pub(crate) fn token(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(summary: &str, detail: &str) -> Diagnostic {
        let [summary, detail] = [summary, detail].map(str::to_owned);
        Diagnostic { severity: "error".to_owned(), summary, detail, path: String::new(), is_utf8: true }
    }

    #[test]
    fn the_detail_is_told_in_one_line_that_ends() {
        let long = error("no", &"é\n".repeat(300)).told();
        assert_eq!(long, format!("error at the whole: \"no\" (detail: \"{}…\")", "é\\n".repeat(100)));
        assert_eq!(error("no", " \n").told(), "error at the whole: \"no\"");
    }

    #[test]
    fn the_text_that_must_not_be_seen_is_not_told() {
        let told = error(&format!("with {SECRET}"), &format!("as {SECRET} is wrong")).told();
        let expected = "error at the whole: \"with [the secret]\" (detail: \"as [the secret] is wrong\")";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_path_leads_to_what_is_there_or_missing() {
        let value = json!({"a": [1], "b/c": {}});
        for path in ["", "/a", "/a/0", "/a/7", "/missing", "/b~1c", "/b~1c/d", ""] {
            assert!(points_into(path, &value), "{path}");
        }
        for path in ["a", "/b/c", "/missing/x", "/a/x", "/a/0/x", "/b~2c"] {
            assert!(!points_into(path, &value), "{path}");
        }
    }

    #[test]
    fn what_lies_below_a_place() {
        assert!(is_at_or_below("/a", "/a") && is_at_or_below("/a/0", "/a") && !is_at_or_below("/ab", "/a"));
    }
}
