//! Where the schema lies, and which types its files declare.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use miette::Diagnostic;
use thiserror::Error;

/// A file or directory of the project could not be read or written.
#[derive(Debug, Error, Diagnostic)]
#[error("{} could not be {verb}", path.display())]
pub(crate) struct FileError {
    pub(crate) verb: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// The directory of the `.capnp` files.
pub(crate) fn directory() -> PathBuf {
    root().join("schema/packwire")
}

/// The names of the `.capnp` files, in order.
pub(crate) fn names() -> Result<Vec<String>, FileError> {
    Ok(files_in(&directory(), "capnp")?.into_keys().collect())
}

/// All files of a directory with an extension: name → content.
pub(crate) fn files_in(directory: &Path, extension: &str) -> Result<BTreeMap<String, Vec<u8>>, FileError> {
    let unreadable = |source| FileError { verb: "read", path: directory.to_owned(), source };
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|found| found == extension) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, read(&path)?);
        }
    }
    Ok(files)
}

/// The content of one file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|source| FileError { verb: "read", path: path.to_owned(), source })
}

/// Writes one file.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), FileError> {
    fs::write(path, content).map_err(|source| FileError { verb: "written", path: path.to_owned(), source })
}

/// The names that a schema's text declares with a keyword (`struct`, `interface`) at the left margin.
pub(crate) fn declared<'a>(text: &'a str, keyword: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.strip_prefix(keyword)?.strip_prefix(' ')?.split(' ').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_found_by_their_keyword() {
        let text = "struct A @0x1 {\n  # struct B\n}\ninterface C @0x2 {\n";
        assert_eq!(declared(text, "struct").collect::<Vec<_>>(), ["A"]);
        assert_eq!(declared(text, "interface").collect::<Vec<_>>(), ["C"]);
    }
}
