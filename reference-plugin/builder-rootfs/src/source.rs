//! What a tree begins with.
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use packwire_plugin::{Diagnostic, Stop, meter::Meter};

use crate::{
    compression,
    owners::Owners,
    pack::{self, Contents},
    tree::Tree,
    unpack::unpack,
};

/// What a tree begins with.
#[derive(Debug)]
pub(crate) enum Source {
    Nothing,
    Directory(Contents),
    Archive { path: PathBuf, file: File, bytes: u64 },
}

/// A tree as it begins.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) owners: Owners,
    /// What is not as in the source: lines for people.
    pub(crate) left_out: Vec<String>,
}

impl Source {
    /// Finds out what a path leads to.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Stop> {
        let Some(path) = path else { return Ok(Self::Nothing) };
        let opened = || -> io::Result<Self> {
            let metadata = fs::metadata(path)?;
            if metadata.is_dir() {
                return Contents::below(path).map(Self::Directory).map_err(io::Error::other);
            }
            if !metadata.is_file() {
                return Err(io::Error::other("it is neither a directory nor a regular file"));
            }
            Ok(Self::Archive { path: path.to_owned(), file: File::open(path)?, bytes: metadata.len() })
        };
        opened().map_err(|error| refused(format!("{} cannot be read: {error}", path.display())))
    }

    /// How many bytes are to be read.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Directory(contents) => contents.bytes(),
            Self::Archive { bytes, .. } => *bytes,
        }
    }

    /// Fills a directory.
    pub(crate) fn unpack(self, directory: &Path, meter: &Meter) -> Result<Begun, Stop> {
        let told =
            |error: io::Error| Stop::failed(format!("{} cannot be used: {error}", directory.display()));
        let tree = Tree::at(directory).map_err(told)?;
        let may_own = rustix::process::geteuid().is_root();
        match self {
            Self::Nothing => Ok(Begun { owners: Owners::default(), left_out: Vec::new() }),
            Self::Archive { path, file, bytes: _ } => {
                let content = compression::decompressed(meter.of(file)).map_err(told)?;
                let unpacked = unpack(&tree, content, may_own);
                let told = |why| refused(format!("{} cannot be unpacked: {why}", path.display()));
                Ok(Begun { owners: unpacked.map_err(told)?, left_out: Vec::new() })
            }
            Self::Directory(contents) => {
                let owners = copy(&contents, &tree, may_own, meter);
                let told = |why| refused(format!("the source cannot be copied: {why}"));
                Ok(Begun { owners: owners.map_err(told)?, left_out: contents.left_out })
            }
        }
    }
}

fn refused(why: String) -> Stop {
    Diagnostic::error(why).at("/source").into()
}

/// Packs and unpacks at once.
fn copy(contents: &Contents, tree: &Tree, may_own: bool, meter: &Meter) -> Result<Owners, String> {
    let (archive, into) = io::pipe().map_err(|error| error.to_string())?;
    std::thread::scope(|threads| {
        let packing = threads.spawn(move || pack::pack(contents, None, &Owners::default(), meter.of(into)));
        let unpacked = unpack(tree, archive, may_own);
        match packing.join() {
            Ok(Ok(())) => unpacked,
            // Where unpacking failed, packing could not end either.
            Ok(Err(why)) => unpacked.and(Err(why)),
            Err(_) => Err("packing it failed".to_owned()),
        }
    })
}
