//! The content of an output: lines that belong to a file and a kind of checksum each.

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) checksum: String,
    /// The name of the file, without directories.
    pub(crate) name: String,
}

impl Line {
    fn text(&self) -> String {
        format!("{}\t{}\n", self.checksum, self.name)
    }
}

/// What is there, less what is said anew, and the new lines. What is no line of ours stays as it is.
pub(crate) fn with(there: &str, new: &[Line]) -> String {
    // The kinds of checksum are told apart by their length.
    let same = |text: &str, line: &Line| {
        let parts = text.split_once('\t');
        parts.is_some_and(|(checksum, name)| checksum.len() == line.checksum.len() && name == line.name)
    };
    let stays = |text: &&str| !new.iter().any(|line| same(text, line));
    let old = there.lines().filter(stays).map(|text| format!("{text}\n"));
    old.chain(new.iter().map(Line::text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(checksum: &str, name: &str) -> Line {
        Line { checksum: checksum.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn what_is_said_anew_replaces_what_was_said() {
        let first = with("", &[line("aa", "disk"), line("aaaa", "disk"), line("bb", "info")]);
        assert_eq!(first, "aa\tdisk\naaaa\tdisk\nbb\tinfo\n");
        assert_eq!(with(&first, &[line("cc", "disk")]), "aaaa\tdisk\nbb\tinfo\ncc\tdisk\n");
    }

    #[test]
    fn lines_of_others_stay() {
        let there = "# by hand\n\naa  disk\nbb\tdisk.old\nno end";
        assert_eq!(
            with(there, &[line("cc", "disk")]),
            "# by hand\n\naa  disk\nbb\tdisk.old\nno end\ncc\tdisk\n"
        );
    }

    #[test]
    fn files_of_one_name_have_a_line_each() {
        assert_eq!(with("", &[line("aa", "disk"), line("bb", "disk")]), "aa\tdisk\nbb\tdisk\n");
    }
}
