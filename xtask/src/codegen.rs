//! `cargo xtask codegen`: the Rust of `schema/src` from the files of `schema/packwire`.

use miette::Diagnostic;
use thiserror::Error;

use crate::process::{self, ProcessError};
use crate::schema_files::{self, FileError};
use crate::stale::{self, Files, Stale};

/// What was typed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail if the committed code is not what the schema makes
    #[arg(long)]
    check: bool,
}

/// Why the code is not renewed, or not fresh.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum CodegenError {
    /// The compiler is missing or refuses the schema.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Compiler(#[from] ProcessError),
    /// What the compiler made of the schema cannot be made into Rust.
    #[error("no Rust could be made of the schema: {0}")]
    Generator(String),
    /// A file cannot be read or written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] FileError),
    /// The committed code is old.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Stale(#[from] Stale),
}

/// Renews the generated code, or checks that it is fresh.
pub(crate) fn run(args: &Args) -> Result<(), CodegenError> {
    let directory = schema_files::root().join("schema/src");
    let mut committed = schema_files::files_in(&directory, "rs")?;
    committed.remove("lib.rs");
    let fresh = generate()?;
    let differing = stale::differing(&committed, &fresh, same_but_for_the_compiler);
    if args.check && !differing.is_empty() {
        return Err(Stale { files: differing, renew: "cargo xtask codegen" }.into());
    }
    stale::renew(&directory, &fresh, &differing)?;
    println!("{} files of generated Rust, {} renewed", fresh.len(), differing.len());
    Ok(())
}

fn generate() -> Result<Files, CodegenError> {
    let mut arguments = vec!["compile".to_owned(), "--no-standard-import".to_owned(), "-o-".to_owned()];
    arguments.extend(schema_files::names()?);
    let request = process::output("capnp", &arguments, &schema_files::directory(), b"")?;
    let unwritable = |source| FileError { verb: "written", path: std::env::temp_dir(), source };
    let scratch = tempfile::tempdir().map_err(unwritable)?;
    capnpc::codegen::CodeGenerationCommand::new()
        .output_directory(scratch.path())
        .run(request.as_slice())
        .map_err(|error| CodegenError::Generator(error.to_string()))?;
    Ok(schema_files::files_in(scratch.path(), "rs")?)
}

/// The generator notes which compiler it was; another release of it that makes the same is as good.
fn same_but_for_the_compiler(committed: &[u8], fresh: &[u8]) -> bool {
    fn told(text: &[u8]) -> impl Iterator<Item = &[u8]> {
        text.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"// capnp binary version:"))
    }
    told(committed).eq(told(fresh))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_release_of_the_compiler_is_no_difference() {
        let (old, new) = (b"// capnp binary version: 0.9.2\nx\n", b"// capnp binary version: 1.1.0\nx\n");
        assert!(same_but_for_the_compiler(old, new));
        assert!(!same_but_for_the_compiler(old, b"// capnp binary version: 0.9.2\ny\n"));
    }
}
