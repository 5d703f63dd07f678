//! An archive on its way: all of it goes to a private directory first.
use std::{
    ffi::OsStr,
    fs::{File, Permissions},
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::PermissionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, fchmod, futimens, linkat, openat,
        symlinkat, unlinkat,
    },
    io::Errno,
};
use tempfile::TempDir;

use super::{
    Archive, Entry, Inside, Kind, TreeError, merge,
    place::{descend, descend_making, kind, kind_name, look, make_directory, open_directory, open_root},
};

const CHUNK_BYTES: usize = 256 << 10;
const OWNERS_BITS: u32 = 0o700;

/// Unpacks an archive below a directory, which is made if it is missing; the one above it exists. The archive appears whole, or not at all.
///
/// Blocks its thread: [`receive`](super::receive) is for streams.
///
/// # Errors
/// What breaks the [rules](crate::tree), is damaged, or was refused by the system. The directory is what it was then.
pub fn unpack(from: impl Read, directory: &Path) -> Result<(), TreeError> {
    let mut archive = Archive::of(from);
    let mut staging = Staging::for_target(directory)?;
    while let Some(entry) = archive.next()? {
        staging.add(&entry, archive.content())?;
    }
    merge::settle(staging)
}

/// What has come of an archive. Dropped, it is gone.
pub(super) struct Staging {
    /// Where everything ends up.
    pub(super) target: PathBuf,
    /// Whether there is something already.
    pub(super) exists: bool,
    /// The tree so far.
    pub(super) root: OwnedFd,
    /// What the archive says of the directory itself.
    pub(super) mode: u32,
    /// Directories that even their owner may not change: they become so at last.
    pub(super) shut: Vec<(Inside, u32)>,
    pub(super) home: TempDir,
}

impl Staging {
    fn for_target(target: &Path) -> Result<Self, TreeError> {
        let exists = match target.metadata() {
            Ok(metadata) if metadata.is_dir() => true,
            Ok(_) => {
                return Err(TreeError::about(target, "unpacked into")(io::ErrorKind::NotADirectory.into()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(TreeError::about(target, "unpacked into")(error)),
        };
        // Renames need the same file system; and the parent of what exists may be somebody else's.
        let above = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let beside = if exists { target } else { above };
        let private = Permissions::from_mode(OWNERS_BITS);
        let home = tempfile::Builder::new().prefix(".packwire-").permissions(private).tempdir_in(beside);
        let home = home.map_err(TreeError::about(beside, "written to"))?;
        let tree = home.path().join(merge::NEW);
        std::fs::create_dir(&tree).map_err(TreeError::about(&tree, "made"))?;
        let root = open_root(&tree)?;
        Ok(Self { target: target.to_owned(), exists, root, mode: 0o755, shut: Vec::new(), home })
    }

    fn add(&mut self, entry: &Entry, content: impl Read) -> Result<(), TreeError> {
        let Entry { path, kind, mode, modified } = entry;
        let Some((parent, name)) = path.split() else {
            self.mode = *mode;
            return Ok(());
        };
        let parent = descend_making(&self.root, parent).map_err(|(part, error)| match error {
            Errno::NOTDIR | Errno::LOOP => {
                let part = super::shown(part.as_bytes());
                let why = format!("`{part}` above it is no directory in this archive");
                TreeError::refused(&path.to_bytes(), why)
            }
            other => failed(path)(other.into()),
        })?;
        match kind {
            Kind::Directory => self.add_directory(path, &parent, name, *mode),
            Kind::File { .. } => {
                make_way(path, &parent, name)?;
                add_file(&parent, name, content, *mode, *modified).map_err(failed(path))
            }
            Kind::Symlink(target) => {
                make_way(path, &parent, name)?;
                symlinkat(target.as_os_str(), &parent, name).map_err(|error| failed(path)(error.into()))
            }
            Kind::Hardlink(target) => self.add_hardlink(path, &parent, name, target),
        }
    }

    fn add_directory(
        &mut self,
        path: &Inside,
        parent: &OwnedFd,
        name: &OsStr,
        mode: u32,
    ) -> Result<(), TreeError> {
        let open = mode | OWNERS_BITS;
        let made = match make_directory(parent, name, open) {
            Err(Errno::EXIST) => match open_directory(parent, name) {
                Ok(there) => fchmod(&there, Mode::from_raw_mode(open)),
                Err(_) => {
                    return Err(TreeError::refused(
                        &path.to_bytes(),
                        "the archive has it as something else, too",
                    ));
                }
            },
            made => made.map(drop),
        };
        made.map_err(|error| failed(path)(error.into()))?;
        if open != mode {
            self.shut.push((path.clone(), mode));
        }
        Ok(())
    }

    fn add_hardlink(
        &self,
        path: &Inside,
        parent: &OwnedFd,
        name: &OsStr,
        target: &Inside,
    ) -> Result<(), TreeError> {
        let refused = |why: String| TreeError::refused(&path.to_bytes(), why);
        let shown = super::shown(&target.to_bytes());
        let found = target.split().filter(|_| target != path).and_then(|(above, last)| {
            let above = descend(&self.root, above).ok()?;
            Some((look(&above, last).ok()??, above, last))
        });
        let Some((stat, above, last)) = found else {
            return Err(refused(format!("it links to `{shown}`, which the archive does not have before it")));
        };
        if kind(&stat) != FileType::RegularFile {
            return Err(refused(format!("it links to `{shown}`, {}", kind_name(kind(&stat)))));
        }
        make_way(path, parent, name)?;
        linkat(&above, last, parent, name, AtFlags::empty()).map_err(|error| failed(path)(error.into()))
    }
}

/// Removes what the archive had under this name before, as a later entry replaces an earlier one.
fn make_way(path: &Inside, parent: &OwnedFd, name: &OsStr) -> Result<(), TreeError> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {
            Err(TreeError::refused(&path.to_bytes(), "the archive has it as a directory, too"))
        }
        Err(error) => Err(failed(path)(error.into())),
    }
}

fn add_file(
    parent: &OwnedFd,
    name: &OsStr,
    mut content: impl Read,
    mode: u32,
    modified: i64,
) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match content.read(&mut chunk)? {
            0 => break,
            read => file.write_all(&chunk[..read])?,
        }
    }
    fchmod(&file, Mode::from_raw_mode(mode))?;
    let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let last_modification = Timespec { tv_sec: modified, tv_nsec: 0 };
    Ok(futimens(&file, &Timestamps { last_access, last_modification })?)
}

fn failed(path: &Inside) -> impl FnOnce(io::Error) -> TreeError {
    let what = format!("`{}` cannot be unpacked", super::shown(&path.to_bytes()));
    move |error| match error.kind() {
        io::ErrorKind::UnexpectedEof => TreeError::Damaged("it ends too early".to_owned()),
        _ => TreeError::io(what, error),
    }
}
