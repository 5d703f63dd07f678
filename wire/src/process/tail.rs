//! The last lines of a stream, kept for the message that says why a plugin failed.

use std::collections::VecDeque;

const MOST_LINES: usize = 20;
const MOST_BYTES: usize = 8 * 1024;

/// At most 20 lines and 8 KiB, the newest ones.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Tail {
    pub(super) fn push(&mut self, line: &str) {
        let line = &line[..line.floor_char_boundary(MOST_BYTES)];
        self.lines.push_back(line.to_owned());
        self.bytes += line.len();
        while self.lines.len() > MOST_LINES || self.bytes > MOST_BYTES {
            self.bytes -= self.lines.pop_front().map_or(0, |oldest| oldest.len());
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(lines: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut tail = Tail::default();
        lines.into_iter().for_each(|line| tail.push(&line));
        tail.lines()
    }

    #[test]
    fn the_newest_twenty_lines_are_kept() {
        let kept = tail((0..50).map(|n| n.to_string()));
        assert_eq!(kept, (30..50).map(|n| n.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn long_lines_push_older_ones_out() {
        let kept = tail(["a", "b", "c"].map(|letter| letter.repeat(4000)));
        assert_eq!(kept, ["b", "c"].map(|letter| letter.repeat(4000)));
    }

    #[test]
    fn a_line_longer_than_all_is_cut_between_characters() {
        let kept = tail([format!("x{}", "ü".repeat(8000))]);
        assert_eq!(kept, [format!("x{}", "ü".repeat(4095))]);
    }
}
