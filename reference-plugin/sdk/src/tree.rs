//! Directories as tar streams: packed on one side of a link, unpacked on the other.
//!
//! The format is POSIX pax. An archive carries regular files, directories (empty ones, too), symbolic and hard links,
//! with names of any bytes and length, permission bits, and the times of files. It carries no owners: whoever unpacks
//! owns what comes out.
//!
//! Whoever unpacks trusts no archive. Refused, with the name of the entry and the reason, are
//!
//! - names that are absolute, empty or longer than 4095 bytes, have a `..`, or are more than 128 levels deep;
//! - devices, fifos, sockets, sparse files and whatever else is none of the above;
//! - symbolic links that lead outside: to an absolute path, or up by more than their own depth. A `..` is taken only
//!   at the beginning of a target, since after a name it depends on what that name links to;
//! - hard links to what is no regular file of the same archive;
//! - everything below a name that is a link, in the archive or in the directory: nothing is written through links;
//! - what would replace a directory by something else, or something else by a directory.
//!
//! Whoever packs leaves out devices, fifos and sockets, and refuses links that nobody may unpack.
//!
//! Set-uid and set-gid bits are dropped. Whatever its size, an archive needs no more memory than its longest header,
//! the list of what it replaces, and of its read-only directories.
//!
//! **All or nothing**: an archive is unpacked into a private directory on the same file system (inside the target, or
//! beside one that does not exist yet), and only when all of it has come and is in order are its parts moved to their
//! places, each by one rename. If one of these fails, those before it are moved back. So a target that fails is what it was; only
//! a process that is killed in the middle leaves that private directory, `.packwire-…`, behind. Directories that were
//! there before keep their permission bits, and what the archive does not name.
mod archive;
mod entry;
mod merge;
mod pack;
mod place;
mod staging;
mod stream;
#[cfg(test)]
mod tests;

use std::{io, path::Path};

pub(crate) use archive::Archive;
pub(crate) use entry::{Entry, Inside, Kind};
pub(crate) use pack::Writer;
pub use pack::pack;
pub use staging::unpack;
pub use stream::{receive, send};

/// Why a tree could not be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// An entry that breaks a rule of trees.
    #[error("`{name}` is refused: {why}")]
    Refused {
        /// Its name, with control characters escaped.
        name: String,
        /// Which rule.
        why: String,
    },
    /// The archive is none, or ends too early.
    #[error("the archive is damaged: {0}")]
    Damaged(String),
    /// The system refused something.
    #[error("{what}: {error}")]
    Io {
        /// What, with the path that it was about.
        what: String,
        /// Why.
        error: io::Error,
    },
}

impl TreeError {
    fn refused(name: &[u8], why: impl Into<String>) -> Self {
        Self::Refused { name: shown(name), why: why.into() }
    }

    fn io(what: impl Into<String>, error: impl Into<io::Error>) -> Self {
        Self::Io { what: what.into(), error: error.into() }
    }

    fn about(path: &Path, verb: &str) -> impl FnOnce(io::Error) -> Self {
        let what = format!("{} cannot be {verb}", path.display());
        move |error| Self::io(what, error)
    }
}

/// A name for people: whatever its bytes are, it is one line.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).escape_debug().to_string()
}
