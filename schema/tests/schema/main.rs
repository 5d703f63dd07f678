//! What the schema promises beyond that it compiles: it is neutral, and its vectors say what our readers read.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot read its evidence has failed")]

mod declarations;
mod literal;
mod neutral;
mod sin;
mod statements;
mod vectors;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use declarations::File;

/// A directory of this package.
fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The files of a directory of this package with an extension: name → content.
fn files(name: &str, extension: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory(name)).expect("the package has the directory");
    let paths = entries.map(|entry| entry.expect("the directory can be read").path());
    let wanted = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    wanted.map(|path| (file_name(&path), fs::read(&path).expect("the file can be read"))).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().expect("a file has a name").to_string_lossy().into_owned()
}

/// All files of the schema.
fn schema() -> Vec<File> {
    let read = |(name, bytes): (String, Vec<u8>)| {
        let text = String::from_utf8(bytes).expect("the schema is UTF-8");
        File::read(&name, &text).unwrap_or_else(|error| panic!("{error}"))
    };
    files("packwire", "capnp").into_iter().map(read).collect()
}
