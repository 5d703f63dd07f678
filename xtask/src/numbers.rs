//! `cargo xtask numbers`: the five numbers by which the shape of the code is watched.
//!
//! Hand-written Rust only. A function's lines go from its signature to its last brace, without attributes and docs.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::Deserialize;
use syn::visit::{self, Visit};
use thiserror::Error;

use crate::process::{self, ProcessError};
use crate::schema_files::{self, FileError};

const LONG_FILE: usize = 400;

/// Why the numbers are not known.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum NumbersError {
    /// Cargo cannot say which packages there are.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Cargo(#[from] ProcessError),
    /// Cargo or the trace says something else than it used to.
    #[error("{what} is not what it used to be")]
    Shape { what: String, source: serde_json::Error },
    /// A file is not Rust.
    #[error("{} is not Rust", path.display())]
    NotRust { path: PathBuf, source: syn::Error },
    /// A file cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] FileError),
}

/// Prints the five numbers.
pub(crate) fn run() -> Result<(), NumbersError> {
    let root = schema_files::root();
    let mut sources = Sources::default();
    sources.read_below(&root)?;
    println!("function lines p50 / p90  {}; tests {}", spread(&mut sources.code), spread(&mut sources.tests));
    println!("files over {LONG_FILE} lines      {}", listed(&sources.long));
    println!("crates that name capnp    {}", listed(&capnp_crates(&root)?));
    let trace = Trace::read(&root.join("target/trace.json"))?;
    println!("MUSTs without checks      {}", told(trace.as_ref().map(|trace| &trace.musts_without_checks)));
    println!("faults not caught         {}", told(trace.as_ref().map(|trace| &trace.faults_not_caught)));
    Ok(())
}

fn spread(lines: &mut [usize]) -> String {
    lines.sort_unstable();
    let at = |percent: usize| lines.get(lines.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0);
    format!("{} / {} in {} functions", at(50), at(90), lines.len())
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "0".to_owned() } else { format!("{}: {}", names.len(), names.join(", ")) }
}

fn told(names: Option<&Vec<String>>) -> String {
    names.map_or_else(|| "not known: run `cargo xtask trace` first".to_owned(), |names| listed(names))
}

/// What was seen of the hand-written Rust.
#[derive(Default)]
struct Sources {
    /// Lines of each function.
    code: Vec<usize>,
    /// The same for tests and what serves them.
    tests: Vec<usize>,
    /// Files with more lines than `LONG_FILE`.
    long: Vec<String>,
}

impl Sources {
    fn read_below(&mut self, root: &Path) -> Result<(), NumbersError> {
        let mut files = Vec::new();
        rust_below(root, &mut files)?;
        files.sort();
        for path in files {
            let text = String::from_utf8_lossy(&schema_files::read(&path)?).into_owned();
            let shown = path.strip_prefix(root).unwrap_or(&path).to_owned();
            if !text.starts_with("// @generated") {
                self.read(&shown, &text)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, path: &Path, text: &str) -> Result<(), NumbersError> {
        let lines = text.lines().count();
        if lines > LONG_FILE {
            self.long.push(format!("{} ({lines})", path.display()));
        }
        let file = syn::parse_file(text)
            .map_err(|source| NumbersError::NotRust { path: path.to_owned(), source })?;
        let in_tests = path.components().any(|part| part.as_os_str() == "tests");
        Functions { sources: self, in_tests }.visit_file(&file);
        Ok(())
    }
}

pub(crate) fn rust_below(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), FileError> {
    let unreadable = |source| FileError { verb: "read", path: directory.to_owned(), source };
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_dir() && name != "target" && !name.starts_with('.') {
            rust_below(&path, found)?;
        } else if kind.is_file() && name.ends_with(".rs") {
            found.push(path);
        }
    }
    Ok(())
}

struct Functions<'a> {
    sources: &'a mut Sources,
    in_tests: bool,
}

impl Functions<'_> {
    fn count(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let (first, last) = (signature.fn_token.span.start(), block.brace_token.span.close().end());
        let lines = last.line - first.line + 1;
        if self.in_tests { self.sources.tests.push(lines) } else { self.sources.code.push(lines) }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.count(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.count(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.count(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let outer = self.in_tests;
        self.in_tests |= item.attrs.iter().any(is_test_only);
        visit::visit_item_mod(self, item);
        self.in_tests = outer;
    }
}

fn is_test_only(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Path>().is_ok_and(|what| what.is_ident("test"))
}

fn capnp_crates(root: &Path) -> Result<Vec<String>, NumbersError> {
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let answer = process::output("cargo", &arguments, root, b"")?;
    let metadata: Metadata = serde_json::from_slice(&answer)
        .map_err(|source| NumbersError::Shape { what: "cargo metadata".into(), source })?;
    let naming = metadata.packages.into_iter().filter(Package::names_capnp);
    Ok(naming.map(|package| package.name).collect())
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}

impl Package {
    /// capnpc makes code of the schema and speaks to nobody: it does not count.
    fn names_capnp(&self) -> bool {
        let mut names = self.dependencies.iter().map(|dependency| dependency.name.as_str());
        names.any(|name| name.starts_with("capnp") && name != "capnpc")
    }
}

/// What `cargo xtask trace` leaves in `target/trace.json` for us: two lists of ids.
#[derive(Deserialize)]
struct Trace {
    musts_without_checks: Vec<String>,
    faults_not_caught: Vec<String>,
}

impl Trace {
    fn read(path: &Path) -> Result<Option<Self>, NumbersError> {
        if !path.exists() {
            return Ok(None);
        }
        let trace = serde_json::from_slice(&schema_files::read(path)?)
            .map_err(|source| NumbersError::Shape { what: path.display().to_string(), source })?;
        Ok(Some(trace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "/// Doc\n#[inline]\nfn three(\n) {\n}\nimpl A {\n    fn one() {}\n}\n\
        trait T {\n    fn none();\n    fn two() {\n    }\n}\n#[cfg(test)]\nmod tests {\n    fn one() {}\n}\n";

    #[test]
    fn functions_are_counted_from_signature_to_brace_and_tests_apart() {
        let mut sources = Sources::default();
        sources.read(Path::new("src/a.rs"), SOURCE).unwrap();
        assert_eq!((sources.code, sources.tests), (vec![3, 1, 2], vec![1]));
    }

    #[test]
    fn all_functions_of_a_tests_folder_are_tests() {
        let mut sources = Sources::default();
        sources.read(Path::new("wire/tests/a.rs"), "fn one() {}").unwrap();
        assert_eq!((sources.code, sources.tests), (vec![], vec![1]));
    }

    #[test]
    fn a_file_over_the_limit_is_named_with_its_lines() {
        let mut sources = Sources::default();
        sources.read(Path::new("src/a.rs"), &"\n".repeat(401)).unwrap();
        assert_eq!(sources.long, ["src/a.rs (401)"]);
    }

    #[test]
    fn percentiles_of_nothing_are_zero() {
        assert_eq!(spread(&mut []), "0 / 0 in 0 functions");
        assert_eq!(spread(&mut (1..=101).collect::<Vec<_>>()), "51 / 91 in 101 functions");
    }
}
