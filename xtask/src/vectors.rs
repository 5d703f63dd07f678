//! `cargo xtask vectors`: the bytes of `schema/vectors`, made from their texts by Cap'n Proto's own tool.
//!
//! `Outcome.failed.txt` is a message of the struct `Outcome` in the tool's text format; what follows the first dot
//! only tells the messages of one struct apart. That format has no word for a capability, and without one it cannot
//! choose a union's member that is a capability. There our texts say `null`, and the tool is given a copy of the schema
//! in which each capability is a group that holds one pointer: in bytes the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use crate::process::{self, ProcessError};
use crate::schema_files::{self, FileError, declared};
use crate::stale::{self, Files, Stale};

/// What was typed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail if the committed bytes are not what the texts make
    #[arg(long)]
    check: bool,
}

/// Why the vectors are not renewed, or not fresh.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum VectorsError {
    /// The text is called after no struct of the schema.
    #[error("{file}: the schema has no struct `{name}`")]
    #[diagnostic(help("a text is called STRUCT.txt or STRUCT.CASE.txt"))]
    NoStruct { file: String, name: String },
    /// The tool is missing or refuses the text.
    #[error("{file}")]
    Tool {
        file: String,
        #[source]
        #[diagnostic_source]
        source: ProcessError,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] FileError),
    /// The committed bytes are old.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Stale(#[from] Stale),
}

/// Renews the bytes, or checks that they are fresh.
pub(crate) fn run(args: &Args) -> Result<(), VectorsError> {
    let directory = schema_files::root().join("schema/vectors");
    let fresh = generate(&schema_files::files_in(&directory, "txt")?)?;
    let committed = schema_files::files_in(&directory, "bin")?;
    let differing = stale::differing(&committed, &fresh, |a, b| a == b);
    if args.check && !differing.is_empty() {
        return Err(Stale { files: differing, renew: "cargo xtask vectors" }.into());
    }
    stale::renew(&directory, &fresh, &differing)?;
    println!("{} vectors, {} renewed", fresh.len(), differing.len());
    Ok(())
}

fn generate(texts: &Files) -> Result<Files, VectorsError> {
    let schema = Schema::read()?;
    let unwritable = |source| FileError { verb: "written", path: std::env::temp_dir(), source };
    let scratch = tempfile::tempdir().map_err(unwritable)?;
    schema.write_without_capabilities(scratch.path())?;
    let mut vectors = Files::new();
    for (file, text) in texts {
        vectors.insert(bytes_name(file), schema.convert(file, text, scratch.path())?);
    }
    Ok(vectors)
}

fn bytes_name(text: &str) -> String {
    PathBuf::from(text).with_extension("bin").to_string_lossy().into_owned()
}

/// The text of the schema's files, and where each struct is declared.
struct Schema {
    files: BTreeMap<String, String>,
}

impl Schema {
    fn read() -> Result<Self, FileError> {
        let files = schema_files::files_in(&schema_files::directory(), "capnp")?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Self { files: files.into_iter().map(|(name, bytes)| (name, text(bytes))).collect() })
    }

    fn file_of(&self, name: &str) -> Option<&str> {
        let (file, _) =
            self.files.iter().find(|(_, text)| declared(text, "struct").any(|found| found == name))?;
        Some(file)
    }

    fn write_without_capabilities(&self, directory: &Path) -> Result<(), FileError> {
        let interfaces: BTreeSet<&str> =
            self.files.values().flat_map(|text| declared(text, "interface")).collect();
        self.files.iter().try_for_each(|(name, text)| {
            schema_files::write(&directory.join(name), without_capabilities(text, &interfaces).as_bytes())
        })
    }

    fn convert(&self, file: &str, text: &[u8], directory: &Path) -> Result<Vec<u8>, VectorsError> {
        let name = file.split('.').next().unwrap_or_default();
        let Some(schema) = self.file_of(name) else {
            return Err(VectorsError::NoStruct { file: file.to_owned(), name: name.to_owned() });
        };
        let arguments = ["convert", "text:binary", "--no-standard-import", schema, name];
        let text = null_as_group(&String::from_utf8_lossy(text));
        process::output("capnp", &arguments, directory, text.as_bytes())
            .map_err(|source| VectorsError::Tool { file: file.to_owned(), source })
    }
}

/// Makes each struct field `name @1 :SomeInterface;` a group of one pointer with the same ordinal.
fn without_capabilities(text: &str, interfaces: &BTreeSet<&str>) -> String {
    let line = |line: &str| match capability(line, interfaces) {
        Some((name, ordinal)) => format!("{name} :group {{ capability {ordinal} :AnyPointer; }}\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn capability<'a>(line: &'a str, interfaces: &BTreeSet<&str>) -> Option<(&'a str, &'a str)> {
    let (declaration, of) = line.trim().strip_suffix(';')?.split_once(" :")?;
    let (name, ordinal) = declaration.split_once(' ')?;
    interfaces.contains(of.rsplit('.').next()?).then_some((name, ordinal))
}

/// Replaces the word `null`, outside of strings, by what fills a group with nothing.
fn null_as_group(text: &str) -> String {
    let mut parts = Vec::new();
    let (mut rest, mut inside) = (text, false);
    while let Some(end) = unescaped_quote(rest) {
        parts.push(part(&rest[..=end], inside));
        (rest, inside) = (&rest[end + 1..], !inside);
    }
    parts.push(part(rest, inside));
    parts.concat()
}

fn part(text: &str, inside_string: bool) -> String {
    if inside_string { text.to_owned() } else { text.replace("null", "()") }
}

fn unescaped_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let found = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_becomes_a_group_with_its_ordinal() {
        let interfaces = BTreeSet::from(["Artifact"]);
        let text =
            "    artifact @1 :Artifact;\n    list @2 :List(Text);\n    # artifact @3 :Artifact is not one;\n";
        assert_eq!(
            without_capabilities(text, &interfaces),
            "artifact :group { capability @1 :AnyPointer; }\n    list @2 :List(Text);\n    # artifact @3 :Artifact is not one;\n"
        );
    }

    #[test]
    fn null_is_a_word_only_outside_of_strings() {
        assert_eq!(
            null_as_group(r#"(a = null, b = "\"null\"", c = null)"#),
            r#"(a = (), b = "\"null\"", c = ())"#
        );
    }
}
