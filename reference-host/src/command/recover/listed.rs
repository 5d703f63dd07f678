//! A run's ledger as people read it.

use std::fmt::Write as _;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::ledger::{Book, Entry, RunRecord, Thing};

/// As much of a component's own text as a list shows.
const TEXT: usize = 100;

/// The run, and a line for each entry.
pub(super) fn run(book: &Book) -> String {
    let RunRecord { run, began, template, directory, .. } = book.record();
    let mut text = format!("Run {run}\n  began {}\n", time(*began));
    let _infallible = writeln!(text, "  {} in {}", template.display(), directory.display());
    for entry in book.entries().values() {
        let _infallible = match entry {
            Entry::Thing(Thing { maker, text: said }) => writeln!(text, "  {maker}: {}", shortened(said)),
            Entry::Directory { path, maker } => {
                writeln!(text, "  a directory of {maker}: {}", path.display())
            }
        };
    }
    for unreadable in book.unreadable() {
        let _infallible = writeln!(text, "  {unreadable}: {}", unreadable.why);
    }
    text
}

fn time(began: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(began.into()).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| "at an unknown time".to_owned())
}

fn shortened(text: &str) -> String {
    let line = text.escape_debug().to_string().replace("\\\"", "\"");
    match line.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_that_is_not_too_long() {
        assert_eq!(shortened("{\"path\": \"/a\"}"), "{\"path\": \"/a\"}");
        assert_eq!(shortened("a\nb\u{1b}"), "a\\nb\\u{1b}");
        assert_eq!(shortened(&"\u{e9}".repeat(101)), format!("{}…", "\u{e9}".repeat(100)));
    }
}
