//! A directory tree seen from inside: no path and no link leads out of it, whatever the tree contains.
//!
//! Each path is resolved by the kernel as if the tree were the root of everything (`openat2`, Linux 5.6), so that it
//! means what commands inside mean by it.
use std::{
    ffi::OsString,
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, CWD, Mode, OFlags, ResolveFlags, Timespec, Timestamps, fstat, mkdirat, openat, openat2,
        renameat, unlinkat, utimensat,
    },
    io::Errno,
};

/// How often a path is resolved again that somebody changed meanwhile.
const RESOLUTIONS: usize = 64;
/// How many names a draft may find taken.
const NAMES: u32 = 1000;

/// A directory tree.
#[derive(Debug)]
pub(crate) struct Tree {
    root: OwnedFd,
}

/// Where a name stands, which may be nobody's yet.
#[derive(Debug)]
pub(crate) struct Spot {
    pub(crate) directory: OwnedFd,
    pub(crate) name: OsString,
}

impl Tree {
    /// The tree that begins at a directory of this process.
    pub(crate) fn at(directory: &Path) -> io::Result<Self> {
        Ok(Self {
            root: openat(CWD, directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?,
        })
    }

    /// Opens what is there, following links.
    pub(crate) fn open(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        for _ in 0..RESOLUTIONS {
            match openat2(&self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT) {
                Err(Errno::AGAIN) => {}
                opened => return Ok(opened?),
            }
        }
        Err(Errno::AGAIN.into())
    }

    /// Whether a path leads anywhere.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.open(path, OFlags::PATH).is_ok()
    }

    /// Opens a file for reading. Where a pipe is, this does not wait for its writer.
    pub(crate) fn read(&self, path: &Path) -> io::Result<File> {
        let file = File::from(self.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
    }

    /// A path of this process to what is there, for as long as the descriptor is open.
    pub(crate) fn outside(opened: impl AsFd) -> PathBuf {
        use std::os::fd::AsRawFd;
        PathBuf::from(format!("/proc/self/fd/{}", opened.as_fd().as_raw_fd()))
    }

    /// Where a path's last name stands; the directories above it exist.
    pub(crate) fn spot(&self, path: &Path) -> io::Result<Spot> {
        let (above, name) = split(path)?;
        Ok(Spot { directory: self.open(above, OFlags::PATH | OFlags::DIRECTORY)?, name })
    }

    /// The same; directories above it that are missing are made, and noted.
    pub(crate) fn spot_made(&self, path: &Path, made: &mut Vec<PathBuf>) -> io::Result<Spot> {
        let (above, _) = split(path)?;
        self.make_directories(above, made)?;
        self.spot(path)
    }

    /// Makes a directory and those above it, and notes which were missing.
    pub(crate) fn make_directories(&self, path: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
        let mut so_far = PathBuf::new();
        for part in path.components() {
            let Component::Normal(part) = part else {
                if part == Component::ParentDir {
                    so_far.push("..");
                }
                continue;
            };
            let above = self.open(&so_far, OFlags::PATH | OFlags::DIRECTORY)?;
            so_far.push(part);
            match unnoticed(&above, || mkdirat(&above, part, Mode::from_raw_mode(0o755))) {
                Ok(()) => made.push(so_far.clone()),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.open(path, OFlags::PATH | OFlags::DIRECTORY).map(drop)
    }
}

/// Makes something in a directory, whose time stays what it was.
pub(crate) fn unnoticed<T>(
    directory: impl AsFd,
    make: impl FnOnce() -> rustix::io::Result<T>,
) -> rustix::io::Result<T> {
    let before = fstat(&directory)?;
    let made = make()?;
    utimensat(&directory, ".", &times(before.st_mtime), AtFlags::empty())?;
    Ok(made)
}

/// A path without its last name, and that name.
fn split(path: &Path) -> io::Result<(&Path, OsString)> {
    // A trailing slash or dot does not change what is meant by "no name": `a/..` has none.
    let name = path.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
    Ok((path.parent().unwrap_or(Path::new("")), name.to_owned()))
}

impl Spot {
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// A new file beside the spot, which takes it with [`Draft::publish`].
    pub(crate) fn draft(&self) -> io::Result<Draft<'_>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for number in 0..NAMES {
            let name = format!(".packwire-{}-{number}", std::process::id());
            match openat(self.fd(), &name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => return Ok(Draft { spot: self, name: Some(name), file: file.into() }),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }

    /// Takes away what is there and is no directory.
    pub(crate) fn clear(&self) -> io::Result<()> {
        match unlinkat(self.fd(), &self.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives what is there, itself if it is a link, its time.
    pub(crate) fn set_modified(&self, seconds: i64) -> io::Result<()> {
        Ok(utimensat(self.fd(), &self.name, &times(seconds), AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

/// A time in seconds since 1970, as access and modification time.
pub(crate) fn times(seconds: i64) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

/// A file that is not where it belongs yet. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    spot: &'a Spot,
    name: Option<String>,
    pub(crate) file: File,
}

impl Draft<'_> {
    /// Puts it where it belongs, in the place of what is there.
    pub(crate) fn publish(mut self) -> io::Result<()> {
        if let Some(name) = &self.name {
            renameat(self.spot.fd(), name, self.spot.fd(), &self.spot.name)?;
        }
        self.name = None;
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // Where that fails, the whole tree is in trouble that others tell of.
            let _ = unlinkat(self.spot.fd(), name, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{Read, Write},
        os::unix::fs::symlink,
    };

    use super::*;

    /// A tree beside a secret, with links that would lead there.
    fn tree() -> (tempfile::TempDir, Tree) {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("tree/etc")).unwrap();
        fs::write(place.path().join("secret"), "outside").unwrap();
        symlink("../../secret", place.path().join("tree/etc/up")).unwrap();
        symlink(place.path(), place.path().join("tree/out")).unwrap();
        symlink("/etc", place.path().join("tree/config")).unwrap();
        let tree = Tree::at(&place.path().join("tree")).unwrap();
        (place, tree)
    }

    #[test]
    fn no_link_leads_out_of_a_tree() {
        let (_place, tree) = tree();
        for path in ["etc/up", "out/secret", "../secret", "/../../secret"] {
            assert!(!tree.has(Path::new(path)), "{path}");
        }
        assert!(tree.spot(Path::new("out/new")).is_err());
    }

    #[test]
    fn a_link_means_what_it_means_inside() {
        let (place, tree) = tree();
        let spot = tree.spot(Path::new("/config/passwd")).unwrap();
        let mut draft = spot.draft().unwrap();
        draft.file.write_all(b"root").unwrap();
        draft.publish().unwrap();
        assert_eq!(fs::read(place.path().join("tree/etc/passwd")).unwrap(), b"root");
        let mut text = String::new();
        tree.read(Path::new("config/../etc/passwd")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "root");
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing() {
        let (place, tree) = tree();
        let spot = tree.spot(Path::new("etc/new")).unwrap();
        drop(spot.draft().unwrap());
        assert_eq!(fs::read_dir(place.path().join("tree/etc")).unwrap().count(), 1);
    }

    #[test]
    fn directories_above_are_made_and_noted() {
        let (place, tree) = tree();
        let mut made = Vec::new();
        tree.spot_made(Path::new("/etc/a/b/c"), &mut made).unwrap();
        assert_eq!(made, [Path::new("etc/a"), Path::new("etc/a/b")]);
        assert!(place.path().join("tree/etc/a/b").is_dir());
    }

    #[test]
    fn a_directory_is_no_file_and_neither_are_dots() {
        let (_place, tree) = tree();
        assert_eq!(tree.read(Path::new("/etc")).unwrap_err().to_string(), "it is no regular file");
        for path in ["/", "", "..", "etc/.."] {
            assert!(tree.spot(Path::new(path)).is_err(), "{path}");
        }
    }
}
