//! The program under test: what the user typed, resolved before anything is started.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::binary;

/// Variables of ours that a program may need to be found and loaded; everything else is left out.
const KEPT: [&str; 2] = ["PATH", "LD_LIBRARY_PATH"];

/// A program that exists and may be executed, with its arguments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subject {
    /// An absolute path.
    pub program: PathBuf,
    /// Its arguments; those that name existing files are absolute.
    pub arguments: Vec<OsString>,
    /// As the user typed it, for messages and commands to type again.
    pub typed: Vec<String>,
    variables: Vec<(OsString, OsString)>,
}

/// Why there is no program to test.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[expect(missing_docs, reason = "each variant is said by its message")]
pub enum SubjectError {
    #[error("there is no file {}", .path.display())]
    #[diagnostic(help("is it built, and is this its path from the current directory?"))]
    Missing { path: PathBuf },
    #[error("there is no program `{name}` on the PATH")]
    #[diagnostic(help("a program in the current directory is called as ./{name}"))]
    NotOnPath { name: String },
    #[error("{} is a directory, not a program", .path.display())]
    #[diagnostic(help("name the executable in it"))]
    Directory { path: PathBuf },
    #[error("{} is not a file that can be executed", .path.display())]
    Special { path: PathBuf },
    #[error("{} may not be executed (its mode is {mode:o})", .path.display())]
    #[diagnostic(help(
        "a binary or a script with a #! line needs chmod +x; other files need their interpreter before them"
    ))]
    NotExecutable { path: PathBuf, mode: u32 },
    #[error("{} is a text without a #! line, so the system does not know how to run it", .path.display())]
    #[diagnostic(help("name its interpreter: in its first line, or before it on the command line"))]
    NoInterpreter { path: PathBuf },
    #[error("{} is a program for {made_for}, and this machine is {}", .path.display(), std::env::consts::ARCH)]
    #[diagnostic(help(
        "build it for this machine, or install an emulator that the system knows (binfmt_misc)"
    ))]
    Foreign { path: PathBuf, made_for: String },
    #[error("the current directory is unknown: {0}")]
    NoDirectory(std::io::Error),
}

impl Subject {
    /// Finds the program by its path or on the PATH.
    pub fn resolve(program: &OsStr, arguments: &[OsString]) -> Result<Self, SubjectError> {
        let typed = std::iter::once(program).chain(arguments.iter().map(OsString::as_os_str));
        let typed = typed.map(|word| word.to_string_lossy().into_owned()).collect();
        let program = std::path::absolute(find(program)?).map_err(SubjectError::NoDirectory)?;
        check(&program)?;
        let arguments = arguments.iter().map(|argument| absolute_if_file(argument)).collect();
        let variables = KEPT.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?)));
        Ok(Self { program, arguments, typed, variables: variables.collect() })
    }

    /// A program of the suite's own choice.
    pub(crate) fn fixed(program: &Path, arguments: &[&str]) -> Self {
        let words = std::iter::once(program.to_string_lossy().into_owned());
        let typed = words.chain(arguments.iter().map(|word| (*word).to_owned())).collect();
        let arguments = arguments.iter().map(OsString::from).collect();
        let variables = KEPT.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?)));
        Self { program: program.to_owned(), arguments, typed, variables: variables.collect() }
    }

    /// What of our environment it gets, beside what a check adds.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        self.variables.clone()
    }

    /// The name of its executable.
    pub fn file_name(&self) -> String {
        self.program.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

fn find(program: &OsStr) -> Result<PathBuf, SubjectError> {
    let path = Path::new(program);
    if path.components().count() > 1 || program.as_encoded_bytes().contains(&b'/') {
        return Ok(path.to_owned());
    }
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&directories).map(|directory| directory.join(path));
    let found = candidates.find(|candidate| check(candidate).is_ok());
    found.ok_or_else(|| SubjectError::NotOnPath { name: program.to_string_lossy().into_owned() })
}

fn check(path: &Path) -> Result<(), SubjectError> {
    let to_owned = || path.to_owned();
    let metadata = path.metadata().map_err(|_| SubjectError::Missing { path: to_owned() })?;
    let mode = metadata.permissions().mode() & 0o7777;
    match () {
        () if metadata.is_dir() => Err(SubjectError::Directory { path: to_owned() }),
        () if !metadata.is_file() => Err(SubjectError::Special { path: to_owned() }),
        () if mode & 0o111 == 0 => Err(SubjectError::NotExecutable { path: to_owned(), mode }),
        () if let Some(made_for) = binary::foreign(path) => {
            Err(SubjectError::Foreign { path: to_owned(), made_for })
        }
        () if is_headless_text(path) => Err(SubjectError::NoInterpreter { path: to_owned() }),
        () => Ok(()),
    }
}

/// Shells run such a file by guessing; hosts do not.
fn is_headless_text(path: &Path) -> bool {
    let mut first = Vec::new();
    // A file that may be executed and not read is none of our business.
    let read = std::fs::File::open(path).and_then(|file| file.take(512).read_to_end(&mut first));
    read.is_ok() && !first.starts_with(b"#!") && !first.contains(&0) && std::str::from_utf8(&first).is_ok()
}

fn absolute_if_file(argument: &OsStr) -> OsString {
    let path = Path::new(argument);
    match path.is_file().then(|| std::path::absolute(path)) {
        Some(Ok(absolute)) => absolute.into(),
        _ => argument.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_looked_for_on_the_path_and_arguments_that_are_files_become_absolute() {
        let subject =
            Subject::resolve(OsStr::new("sh"), &["Cargo.toml".into(), "no such file".into()]).unwrap();
        assert!(subject.program.is_absolute());
        assert_eq!(subject.arguments[0], Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
        assert_eq!(subject.arguments[1], "no such file");
    }

    #[test]
    fn what_cannot_be_a_program_is_said() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let said = |program: &OsStr| Subject::resolve(program, &[]).unwrap_err().to_string();
        assert!(said(file.as_os_str()).contains("may not be executed"));
        assert!(said(OsStr::new("/tmp")).contains("is a directory"));
        assert!(said(OsStr::new("/no/such/file")).contains("there is no file"));
        assert!(said(OsStr::new("no-such-program")).contains("on the PATH"));
    }
}
