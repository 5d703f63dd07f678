//! The kill matrix: the snapshot that says which checks caught which fault.

/// One fault, and the requirements whose checks failed or warned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) fault: String,
    pub(super) caught: Vec<String>,
}

/// Reads the rows `| fault | breaks | tried | caught by |`; everything else around them is for people.
pub(super) fn read(text: &str) -> Vec<Row> {
    text.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let &[fault, _, _, caught] = cells.as_slice() else { return None };
    let caught = caught.split([' ', ',']).filter(|word| word.contains('.'));
    Some(Row { fault: fault.to_owned(), caught: caught.map(str::to_owned).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_a_fault_and_what_caught_it() {
        let rows = read("---\nsource: x\n---\n| a-b | c.d | c.* | c.d, e.f (warn) |\n");
        assert_eq!(rows[0].fault, "a-b");
        assert_eq!(rows[0].caught, ["c.d", "e.f"]);
        assert_eq!(rows.len(), 1);
    }
}
