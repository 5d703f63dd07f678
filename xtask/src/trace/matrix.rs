//! The kill matrix: the snapshot that says which checks caught which fault.

/// One fault, and the requirements whose checks failed or warned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) fault: String,
    /// What the check of the broken rule expected and saw.
    pub(super) observed: String,
    pub(super) caught: Vec<String>,
}

impl Row {
    /// Whether what was seen is that the plugin did not come as far as attach, in the words of the suite.
    pub(super) fn never_attached(&self) -> bool {
        let (_, seen) = self.observed.split_once('⇒').unwrap_or_default();
        seen.contains("before it attached") || seen.contains("no attach, and")
    }
}

/// Reads the rows `| fault | breaks | observed | caught by |`; everything else around them is for people.
pub(super) fn read(text: &str) -> Vec<Row> {
    text.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let &[fault, _, observed, caught] = cells.as_slice() else { return None };
    let caught = caught.split([' ', ',']).filter(|word| word.contains('.'));
    let caught = caught.map(str::to_owned).collect();
    Some(Row { fault: fault.to_owned(), observed: observed.to_owned(), caught })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_a_fault_and_what_caught_it() {
        let rows = read(
            "---\nsource: x\n---\n| a-b | c.d | attaches ⇒ it exited with status 2 before it attached | c.d, e.f (warn) |\n",
        );
        assert_eq!(rows[0].fault, "a-b");
        assert!(rows[0].never_attached());
        assert_eq!(rows[0].caught, ["c.d", "e.f"]);
        assert_eq!(rows.len(), 1);
    }
}
