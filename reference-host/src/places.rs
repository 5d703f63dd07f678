//! Where the host keeps what outlives a run, and what must not.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The host's own directories; none of them need exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// What is fetched once for many runs: `PACKER_CACHE_DIR`, else `packer` where the user's caches are.
    pub cache: Option<PathBuf>,
    /// What is left to do after a crash: `packwire/ledger` where the user's programs keep their state.
    pub ledger: Option<PathBuf>,
    /// Which ports are given: `packwire/ports` where what lasts as long as a login is, else beside the ledger.
    pub ports: Option<PathBuf>,
    /// What goes with the run: `TMPDIR`, else `/tmp`.
    pub temporary: PathBuf,
}

impl Places {
    /// What an environment says. Relative paths in `XDG_…` mean nothing; others are of `directory`.
    #[must_use]
    pub fn of(variables: &BTreeMap<OsString, OsString>, directory: &Path) -> Self {
        let variable = |name: &str| variables.get(OsStr::new(name)).filter(|value| !value.is_empty());
        let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = |below: &str| variable("HOME").map(|home| directory.join(home).join(below));
        let cache = absolute("XDG_CACHE_HOME").or_else(|| home(".cache")).map(|path| path.join("packer"));
        let state = absolute("XDG_STATE_HOME").or_else(|| home(".local/state"));
        let state = state.map(|path| path.join("packwire"));
        let session = absolute("XDG_RUNTIME_DIR").map(|path| path.join("packwire"));
        Self {
            cache: variable("PACKER_CACHE_DIR").map(|path| directory.join(path)).or(cache),
            ledger: state.as_ref().map(|state| state.join("ledger")),
            ports: session.or(state).map(|path| path.join("ports")),
            temporary: variable("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), |path| directory.join(path)),
        }
    }
}

/// Makes a directory of ours, and those above it, for this user alone; one that is there stays as it is.
pub(crate) fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(variables: &[(&str, &str)]) -> Places {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Places::of(&variables, "/here".as_ref())
    }

    #[test]
    fn a_home_is_enough() {
        let places = places(&[("HOME", "/home/me"), ("XDG_CACHE_HOME", ""), ("XDG_STATE_HOME", "relative")]);
        assert_eq!(places.cache.unwrap(), Path::new("/home/me/.cache/packer"));
        assert_eq!(places.ledger.unwrap(), Path::new("/home/me/.local/state/packwire/ledger"));
        assert_eq!(places.ports.unwrap(), Path::new("/home/me/.local/state/packwire/ports"));
        assert_eq!(places.temporary, Path::new("/tmp"));
    }

    #[test]
    fn the_environment_may_say_otherwise() {
        let places = places(&[
            ("PACKER_CACHE_DIR", "cache"),
            ("XDG_STATE_HOME", "/state"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
            ("TMPDIR", "/var/tmp"),
        ]);
        assert_eq!(places.cache.unwrap(), Path::new("/here/cache"));
        assert_eq!(places.ledger.unwrap(), Path::new("/state/packwire/ledger"));
        assert_eq!(places.ports.unwrap(), Path::new("/run/user/1/packwire/ports"));
        assert_eq!(places.temporary, Path::new("/var/tmp"));
    }

    #[test]
    fn without_any_there_is_no_place() {
        let places = places(&[]);
        assert_eq!((places.cache, places.ledger, places.ports), (None, None, None));
    }
}
