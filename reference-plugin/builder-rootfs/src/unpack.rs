//! An archive becomes files below a directory of a tree.
use std::{
    fs::Permissions,
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, Uid, chmodat, chownat, fchmod, futimens, linkat, makedev,
        mkdirat, mknodat, symlinkat,
    },
    io::Errno,
};
use tar::{Archive, Entry, EntryType};

use crate::{
    owners::{Device, Owner, Owners},
    tree::{Spot, Tree, times},
};

/// Whom an archive comes from, and so what it may do.
#[derive(Debug)]
pub(crate) enum Trust {
    /// From the user, as the beginning of a tree: owners, devices and setuid bits count. What cannot be kept here is
    /// remembered; owners can where `may_own`.
    Source { owners: Owners, may_own: bool },
    /// From whoever was lent the communicator: the rules of `Communicator.uploadTree`.
    Stranger,
}

/// Unpacks an archive below `base`, which exists. Brings back what could not be kept.
///
/// # Errors
/// One line for people. What was unpacked by then stays.
pub(crate) fn unpack(tree: &Tree, base: &Path, archive: impl Read, trust: Trust) -> Result<Owners, String> {
    let mut unpacking = Unpacking { tree, base, trust, directories: Vec::new() };
    let mut archive = Archive::new(archive);
    let entries = archive.entries().map_err(|error| format!("the archive cannot be read: {error}"))?;
    for entry in entries {
        let mut entry = entry.map_err(|error| format!("the archive cannot be read: {error}"))?;
        let path = unpacking.path(&entry.path_bytes())?;
        unpacking.unpack(&path, &mut entry).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    unpacking.finish()
}

struct Unpacking<'a> {
    tree: &'a Tree,
    base: &'a Path,
    trust: Trust,
    /// Their modes and times, which come last: a directory that cannot be written to can be filled by then.
    directories: Vec<(PathBuf, u32, i64)>,
}

impl Unpacking<'_> {
    /// The path of an entry relative to the base: names alone.
    fn path(&self, name: &[u8]) -> Result<PathBuf, String> {
        let name = Path::new(std::ffi::OsStr::from_bytes(name));
        let mut path = PathBuf::new();
        for part in name.components() {
            match part {
                Component::Normal(part) => path.push(part),
                Component::CurDir => {}
                Component::RootDir if matches!(self.trust, Trust::Source { .. }) => {}
                _ => return Err(format!("{}: the name leads out of the archive", name.display())),
            }
        }
        Ok(path)
    }

    fn unpack(&mut self, path: &Path, entry: &mut Entry<'_, impl Read>) -> io::Result<()> {
        let header = entry.header();
        let (kind, mode) = (header.entry_type(), header.mode()?);
        let modified = i64::try_from(header.mtime()?).unwrap_or(i64::MAX);
        let owner = Owner { uid: header.uid()?, gid: header.gid()? };
        if path.as_os_str().is_empty() {
            // The base itself: it was there before, and only a source says what its root is like.
            return if kind.is_dir() && self.is_source() {
                self.dress_directory(path, owner, mode, modified)
            } else {
                Ok(())
            };
        }
        let target = self.base.join(path);
        match kind {
            EntryType::Directory => {
                let spot = self.tree.spot_made(&target, &mut Vec::new())?;
                self.directory(&spot, &target)?;
                self.dress_directory(path, owner, mode, modified)
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.file(&target, entry, path, owner, (mode, modified))
            }
            EntryType::Link => self.hard_link(&target, entry),
            EntryType::Symlink => self.symbolic_link(path, entry, owner, modified),
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                let numbers = (header.device_major()?.unwrap_or(0), header.device_minor()?.unwrap_or(0));
                self.device(path, owner, (kind, mode, modified), numbers)
            }
            // Global headers and the like are no files.
            _ => Ok(()),
        }
    }

    fn is_source(&self) -> bool {
        matches!(self.trust, Trust::Source { .. })
    }

    /// The permission bits that this archive may give.
    fn mode(&self, mode: u32) -> Mode {
        Mode::from_raw_mode(mode & if self.is_source() { 0o7777 } else { 0o1777 })
    }

    fn directory(&self, spot: &Spot, target: &Path) -> io::Result<()> {
        // A link to a directory stays one: `lib` is one in many systems.
        if self.tree.open(target, OFlags::PATH | OFlags::DIRECTORY).is_ok() {
            return Ok(());
        }
        spot.clear()?;
        Ok(mkdirat(spot.fd(), &spot.name, Mode::RWXU)?)
    }

    fn dress_directory(&mut self, path: &Path, owner: Owner, mode: u32, modified: i64) -> io::Result<()> {
        self.directories.push((path.to_owned(), mode, modified));
        let Trust::Source { owners, may_own } = &mut self.trust else { return Ok(()) };
        let opened = self.tree.open(&self.base.join(path), OFlags::PATH | OFlags::DIRECTORY)?;
        give(owners, *may_own, path, owner, || {
            chownat(&opened, "", Some(uid(owner)), Some(gid(owner)), AtFlags::EMPTY_PATH)
        })
    }

    fn file(
        &mut self,
        target: &Path,
        entry: &mut Entry<'_, impl Read>,
        path: &Path,
        owner: Owner,
        (mode, modified): (u32, i64),
    ) -> io::Result<()> {
        let mode = self.mode(mode);
        let spot = self.tree.spot_made(target, &mut Vec::new())?;
        let mut draft = spot.draft()?;
        io::copy(entry, &mut draft.file)?;
        if let Trust::Source { owners, may_own } = &mut self.trust {
            // Before the mode: a new owner takes the setuid bits away.
            give(owners, *may_own, path, owner, || {
                rustix::fs::fchown(&draft.file, Some(uid(owner)), Some(gid(owner)))
            })?;
        }
        fchmod(&draft.file, mode)?;
        futimens(&draft.file, &times(modified))?;
        draft.publish()
    }

    fn hard_link(&self, target: &Path, entry: &Entry<'_, impl Read>) -> io::Result<()> {
        let name = entry.link_name_bytes().ok_or_else(|| io::Error::other("a link without a target"))?;
        let other = self.path(&name).map_err(io::Error::other)?;
        let from = self.tree.spot(&self.base.join(other))?;
        let to = self.tree.spot_made(target, &mut Vec::new())?;
        to.clear()?;
        Ok(linkat(from.fd(), &from.name, to.fd(), &to.name, AtFlags::empty())?)
    }

    fn symbolic_link(
        &mut self,
        path: &Path,
        entry: &Entry<'_, impl Read>,
        owner: Owner,
        modified: i64,
    ) -> io::Result<()> {
        let name = entry.link_name_bytes().ok_or_else(|| io::Error::other("a link without a target"))?;
        let name = Path::new(std::ffi::OsStr::from_bytes(&name)).to_owned();
        if !self.is_source() && !stays_inside(path, &name) {
            return Err(io::Error::other("the link leads out of the archive"));
        }
        let spot = self.tree.spot_made(&self.base.join(path), &mut Vec::new())?;
        spot.clear()?;
        symlinkat(&name, spot.fd(), &spot.name)?;
        self.own(path, &spot, owner)?;
        spot.set_modified(modified)
    }

    fn device(
        &mut self,
        path: &Path,
        owner: Owner,
        (kind, mode, modified): (EntryType, u32, i64),
        (major, minor): (u32, u32),
    ) -> io::Result<()> {
        if !self.is_source() {
            return Err(io::Error::other("an archive of files has no devices"));
        }
        let spot = self.tree.spot_made(&self.base.join(path), &mut Vec::new())?;
        spot.clear()?;
        let file_type = match kind {
            EntryType::Char => FileType::CharacterDevice,
            EntryType::Block => FileType::BlockDevice,
            _ => FileType::Fifo,
        };
        match mknodat(spot.fd(), &spot.name, file_type, Mode::RUSR | Mode::WUSR, makedev(major, minor)) {
            Ok(()) => {
                self.own(path, &spot, owner)?;
                chmodat(spot.fd(), &spot.name, self.mode(mode), AtFlags::empty())?;
                spot.set_modified(modified)
            }
            Err(Errno::PERM) => {
                let Trust::Source { owners, .. } = &mut self.trust else { return Ok(()) };
                let modified = modified.unsigned_abs();
                owners.add_device(path, Device { kind, mode: mode & 0o7777, modified, major, minor });
                owners.own(path, owner);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn own(&mut self, path: &Path, spot: &Spot, owner: Owner) -> io::Result<()> {
        let Trust::Source { owners, may_own } = &mut self.trust else { return Ok(()) };
        give(owners, *may_own, path, owner, || {
            chownat(spot.fd(), &spot.name, Some(uid(owner)), Some(gid(owner)), AtFlags::SYMLINK_NOFOLLOW)
        })
    }

    /// Gives the directories their modes and times, the innermost first.
    fn finish(self) -> Result<Owners, String> {
        for (path, mode, modified) in self.directories.iter().rev() {
            let dressed = || {
                let opened = self.tree.open(&self.base.join(path), OFlags::RDONLY | OFlags::DIRECTORY)?;
                let opened = std::fs::File::from(opened);
                futimens(&opened, &times(*modified))?;
                opened.set_permissions(Permissions::from_mode(self.mode(*mode).as_raw_mode()))
            };
            dressed().map_err(|error: io::Error| format!("{}: {error}", path.display()))?;
        }
        match self.trust {
            Trust::Source { owners, .. } => Ok(owners),
            Trust::Stranger => Ok(Owners::default()),
        }
    }
}

/// Gives something its owner, or remembers who that is.
fn give(
    owners: &mut Owners,
    may_own: bool,
    path: &Path,
    owner: Owner,
    give: impl FnOnce() -> rustix::io::Result<()>,
) -> io::Result<()> {
    match if may_own { give() } else { Err(Errno::PERM) } {
        Ok(()) => Ok(()),
        // Not root, or root in a namespace that does not know the owner.
        Err(Errno::PERM | Errno::INVAL) => {
            owners.own(path, owner);
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn uid(owner: Owner) -> Uid {
    Uid::from_raw(u32::try_from(owner.uid).unwrap_or(0))
}

fn gid(owner: Owner) -> Gid {
    Gid::from_raw(u32::try_from(owner.gid).unwrap_or(0))
}

/// Whether a link at `path` leads to a place in the same archive.
fn stays_inside(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}
