//! Sockets that hosts have left which died while a plugin was starting: only then does a socket have a name.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A host that lives puts a socket into its directory sooner than this.
const SETTLED: Duration = Duration::from_secs(60);

/// Removes the directories of sockets that nobody listens on any more, and yields them. What is not surely one of
/// these stays.
pub(super) fn sweep(temporary: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(temporary).into_iter().flatten().flatten();
    let directories = listed.map(|entry| entry.path()).filter(|path| is_named_so(path) && is_private(path));
    directories.filter(|directory| remove(directory).unwrap_or(false)).collect()
}

/// `packwire-` and six characters, as hosts call them.
fn is_named_so(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let digits = name.and_then(|name| name.strip_prefix("packwire-"));
    digits.is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn is_private(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| {
        let ours = there.uid() == rustix::process::geteuid().as_raw();
        there.is_dir() && ours && there.mode() & 0o777 == 0o700
    })
}

fn remove(directory: &Path) -> io::Result<bool> {
    let inside: Vec<_> = fs::read_dir(directory)?.collect::<Result<_, _>>()?;
    match &inside[..] {
        [] => {
            let age = fs::metadata(directory)?.modified()?.elapsed().unwrap_or_default();
            if age < SETTLED {
                return Ok(false);
            }
        }
        [entry] if entry.file_type()?.is_socket() && is_deaf(&entry.path()) => fs::remove_file(entry.path())?,
        _ => return Ok(false),
    }
    fs::remove_dir(directory).map(|()| true)
}

fn is_deaf(socket: &Path) -> bool {
    UnixStream::connect(socket).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn directory(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        path
    }

    #[test]
    fn only_what_nobody_listens_on_any_more_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let dead = directory(folder.path(), "packwire-dead00");
        drop(UnixListener::bind(dead.join("host")).unwrap());
        let living = directory(folder.path(), "packwire-lives0");
        let _listener = UnixListener::bind(living.join("host")).unwrap();
        directory(folder.path(), "packwire-begun0");
        fs::write(directory(folder.path(), "packwire-other0").join("host"), "no socket").unwrap();
        drop(UnixListener::bind(directory(folder.path(), "something-dead00").join("host")).unwrap());
        assert_eq!(sweep(folder.path()), [dead]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
        assert_eq!(sweep(&folder.path().join("none")), Vec::<PathBuf>::new());
    }
}
