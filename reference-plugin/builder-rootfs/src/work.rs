//! The directory in which a tree is made.
use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use packwire_plugin::{BuildRun, Held, Stop};
use tempfile::TempDir;

use crate::{output::remove, pack::unlock};

/// The directory in which a tree is made.
#[derive(Debug)]
pub(crate) struct Work {
    directory: Directory,
    path: PathBuf,
    pub(crate) tree: PathBuf,
    /// Small files beside the tree: how commands ended, and what they see of the host's.
    pub(crate) reports: PathBuf,
}

/// Whose directory it is.
#[derive(Debug)]
enum Directory {
    /// The host's, which knows of it after a crash.
    Lent(Held<String>),
    /// Ours: it may outlive the build, or the host lends none.
    Own(TempDir),
}

impl Work {
    /// Makes one; it is ours where it `may_stay` after the build.
    pub(crate) async fn make(run: &BuildRun, may_stay: bool) -> Result<Self, Stop> {
        let directory = if may_stay { None } else { lent(run).await? };
        let make = || -> io::Result<Self> {
            let directory = match directory {
                Some(lent) => Directory::Lent(lent),
                None => Directory::Own(tempfile::Builder::new().prefix("packwire-rootfs-").tempdir()?),
            };
            let path = match &directory {
                Directory::Lent(held) => Path::new(&held.given),
                Directory::Own(directory) => directory.path(),
            };
            // As the kernel names it: processes are known by it.
            let path = path.canonicalize()?;
            // With what others may not read.
            fs::set_permissions(&path, Permissions::from_mode(0o700))?;
            let (tree, reports) = (path.join("tree"), path.join("reports"));
            fs::create_dir(&tree)?;
            fs::set_permissions(&tree, Permissions::from_mode(0o755))?;
            fs::create_dir(&reports)?;
            Ok(Self { directory, path, tree, reports })
        };
        make().map_err(|error| Stop::failed(format!("no directory can be made to work in: {error}")))
    }

    /// Leaves all there, and says where the tree is.
    pub(crate) fn keep(self) -> PathBuf {
        if let Directory::Own(directory) = self.directory {
            drop(directory.keep());
        }
        self.tree
    }

    /// Removes all.
    pub(crate) async fn remove(self) {
        let Self { directory, path, tree, reports } = self;
        let removed = tokio::task::spawn_blocking(move || {
            // What the user's own commands locked, the user may open again.
            drop(unlock(&tree));
            remove(&tree).and_then(|()| remove(&reports))
        });
        if let Ok(Err(error)) = removed.await {
            packwire_plugin::log::warn(format!("{} is left: {error}", path.display()));
        }
        match directory {
            // The host gets back what it lent in any case.
            Directory::Lent(held) => drop(held.close().await),
            Directory::Own(directory) => drop(directory.close()),
        }
    }
}

/// The host's directory, unless it lends none.
async fn lent(run: &BuildRun) -> Result<Option<Held<String>>, Stop> {
    Ok(match run.environment.temp_dir().await? {
        Ok(held) => Some(held),
        Err(refused) => {
            let why = refused.first().map_or("", |one| one.summary.as_str());
            packwire_plugin::log::info(format!("working in a directory of its own: {why}"));
            None
        }
    })
}
