//! Whether a file can be written, known before the run whose result it is to hold.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

/// Tries to open it for writing. What is there stays as it is, and what is not there is not made: a run that ends early
/// leaves no empty file.
pub(crate) fn probe(path: &Path) -> io::Result<()> {
    // A link that leads nowhere is there, and stays.
    let is_new = path.symlink_metadata().is_err();
    OpenOptions::new().append(true).create(true).open(path)?;
    if is_new { std::fs::remove_file(path) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::probe;

    #[test]
    fn a_probe_changes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let (old, new) = (place.path().join("old"), place.path().join("new"));
        std::fs::write(&old, "kept").unwrap();
        probe(&old).unwrap();
        probe(&new).unwrap();
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "kept");
        assert!(!new.exists());
    }

    #[test]
    fn where_no_file_can_be_the_probe_says_so() {
        let place = tempfile::tempdir().unwrap();
        assert!(probe(place.path()).is_err());
        assert!(probe(&place.path().join("nowhere/file")).is_err());
    }
}
