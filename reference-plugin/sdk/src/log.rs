//! The plugin's log: lines with a level on standard error, which the host collects, filters and prefixes.
//!
//! What a user should see goes through the [`Ui`](crate::Ui). A host may be gone before its plugin: a line that
//! cannot be written is lost, and nothing else happens.
use std::{
    fmt::Display,
    io::{self, Write},
};

macro_rules! levels {
    ($($(#[$doc:meta])* $name:ident: $level:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(text: impl Display) {
            write($level, &text);
        }
    )*};
}

levels! {
    /// Every step, for whoever debugs the plugin.
    trace: "TRACE";
    /// What helps to understand a failure.
    debug: "DEBUG";
    /// What happens in the ordinary course.
    info: "INFO";
    /// What is odd, and did no harm.
    warn: "WARN";
    /// What went wrong.
    error: "ERROR";
}

fn write(level: &str, text: &dyn Display) {
    raw(&lines(level, &text.to_string()));
}

/// Writes text as it is, without a level; the text ends its own lines.
pub(crate) fn raw(text: &str) {
    // `eprintln!` panics when nobody reads any more.
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// Each line with its level, without what a terminal would obey.
fn lines(level: &str, text: &str) -> String {
    let visible = |one: char| if one.is_control() && one != '\t' { '\u{fffd}' } else { one };
    text.lines()
        .map(|line| format!("[{level}] {}\n", line.chars().map(visible).collect::<String>()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_level_and_no_escape_sequence() {
        assert_eq!(lines("INFO", "one\ntwo \u{1b}[31mred"), "[INFO] one\n[INFO] two \u{fffd}[31mred\n");
    }
}
