//! What was committed against what would be made now.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use miette::Diagnostic;
use thiserror::Error;

use crate::schema_files::{self, FileError};

/// Committed files are not what their sources make.
#[derive(Debug, Error, Diagnostic)]
#[error("stale: {}", files.join(", "))]
#[diagnostic(help("renew them with: {renew}"))]
pub(crate) struct Stale {
    pub(crate) files: Vec<String>,
    pub(crate) renew: &'static str,
}

/// File name → content.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// The names of the files that differ, are missing, or should not be there.
pub(crate) fn differing(
    committed: &Files,
    fresh: &Files,
    same: impl Fn(&[u8], &[u8]) -> bool,
) -> Vec<String> {
    let kept = |name: &String| committed.get(name).zip(fresh.get(name)).is_some_and(|(a, b)| same(a, b));
    let mut names: Vec<String> = committed.keys().chain(fresh.keys()).filter(|n| !kept(n)).cloned().collect();
    names.sort();
    names.dedup();
    names
}

/// Makes the files of `directory` what `fresh` says: `names` are those that differ.
pub(crate) fn renew(directory: &Path, fresh: &Files, names: &[String]) -> Result<(), FileError> {
    for name in names {
        let path = directory.join(name);
        match fresh.get(name) {
            Some(content) => schema_files::write(&path, content)?,
            None => remove(&path)?,
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), FileError> {
    fs::remove_file(path)
        .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
        .map_err(|source| FileError { verb: "removed", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(of: &[(&str, &str)]) -> Files {
        of.iter().map(|(name, content)| ((*name).to_owned(), content.as_bytes().to_vec())).collect()
    }

    #[test]
    fn changed_missing_and_left_over_files_differ() {
        let committed = files(&[("changed", "1"), ("left-over", "2"), ("kept", "3")]);
        let fresh = files(&[("changed", "x"), ("kept", "3"), ("missing", "4")]);
        assert_eq!(differing(&committed, &fresh, |a, b| a == b), ["changed", "left-over", "missing"]);
    }

    #[test]
    fn renewing_writes_what_is_new_and_removes_what_is_left_over() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("left-over"), "2").unwrap();
        let fresh = files(&[("missing", "4")]);
        renew(directory.path(), &fresh, &["left-over".into(), "missing".into()]).unwrap();
        assert!(!directory.path().join("left-over").exists());
        assert_eq!(fs::read(directory.path().join("missing")).unwrap(), b"4");
    }

    #[test]
    fn a_stale_file_is_told_with_the_command_that_renews_it() {
        let stale = Stale { files: vec!["work_capnp.rs".into()], renew: "cargo xtask codegen" };
        assert_eq!(stale.to_string(), "stale: work_capnp.rs");
        assert_eq!(stale.help().unwrap().to_string(), "renew them with: cargo xtask codegen");
    }
}
