//! A source archive becomes a tree. It comes from the user: owners, devices and setuid bits count.
use std::{
    ffi::OsStr,
    fs::{File, Permissions},
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, Uid, XattrFlags, chmodat, chownat, fchmod, fchown, fsetxattr,
        futimens, linkat, makedev, mkdirat, mknodat, symlinkat,
    },
    io::Errno,
};
use tar::{Archive, Entry, EntryType, Header};

use crate::{
    owners::{ATTRIBUTE, Device, Owner, Owners, is_kept},
    tree::{Spot, Tree, times},
};

/// Unpacks an archive into a tree. Owners are given where we `may_own`; brings back what could not be kept.
///
/// # Errors
/// One line for people. What was unpacked by then stays.
pub(crate) fn unpack(tree: &Tree, archive: impl Read, may_own: bool) -> Result<Owners, String> {
    let mut unpacking = Unpacking { tree, may_own, owners: Owners::default(), directories: Vec::new() };
    let mut archive = Archive::new(archive);
    let entries = archive.entries().map_err(|error| format!("the archive cannot be read: {error}"))?;
    for entry in entries {
        let mut entry = entry.map_err(|error| format!("the archive cannot be read: {error}"))?;
        let path = relative(&entry.path_bytes())?;
        unpacking.unpack(&path, &mut entry).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    unpacking.finish()
}

/// The path of an entry, which is the name of something in the tree.
fn relative(name: &[u8]) -> Result<PathBuf, String> {
    let name = Path::new(OsStr::from_bytes(name));
    let mut path = PathBuf::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir | Component::RootDir => {}
            _ => return Err(format!("{}: the name leads out of the archive", name.display())),
        }
    }
    Ok(path)
}

struct Unpacking<'a> {
    tree: &'a Tree,
    may_own: bool,
    owners: Owners,
    /// Their modes and times, which come last: a directory that cannot be written to can be filled by then.
    directories: Vec<(PathBuf, u32, i64)>,
}

/// What a header says of any file.
#[derive(Debug, Clone, Copy)]
struct Dress {
    owner: Owner,
    mode: u32,
    modified: i64,
}

impl Dress {
    fn of(header: &Header) -> io::Result<Self> {
        let owner = Owner { uid: header.uid()?, gid: header.gid()? };
        let modified = i64::try_from(header.mtime()?).unwrap_or(i64::MAX);
        Ok(Self { owner, mode: header.mode()? & 0o7777, modified })
    }

    fn mode(self) -> Mode {
        Mode::from_raw_mode(self.mode)
    }
}

impl Unpacking<'_> {
    fn unpack(&mut self, path: &Path, entry: &mut Entry<'_, impl Read>) -> io::Result<()> {
        let dress = Dress::of(entry.header())?;
        match entry.header().entry_type() {
            EntryType::Directory => self.directory(path, dress),
            // The root itself is a directory, whatever an archive calls it.
            _ if path.as_os_str().is_empty() => Ok(()),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.file(path, entry, dress)
            }
            EntryType::Link => self.hard_link(path, entry),
            EntryType::Symlink => self.symbolic_link(path, entry, dress),
            kind @ (EntryType::Char | EntryType::Block | EntryType::Fifo) => {
                let header = entry.header();
                let (major, minor) = (header.device_major()?, header.device_minor()?);
                let (major, minor) = (major.unwrap_or(0), minor.unwrap_or(0));
                let modified = dress.modified.unsigned_abs();
                self.device(path, dress, Device { kind, mode: dress.mode, modified, major, minor })
            }
            // Global headers and the like are no files.
            _ => Ok(()),
        }
    }

    fn spot(&self, path: &Path) -> io::Result<Spot> {
        self.tree.spot_made(path, &mut Vec::new())
    }

    fn directory(&mut self, path: &Path, dress: Dress) -> io::Result<()> {
        self.directories.push((path.to_owned(), dress.mode, dress.modified));
        // A link to a directory stays one: `lib` is one in many systems.
        if self.tree.open(path, OFlags::PATH | OFlags::DIRECTORY).is_err() {
            let spot = self.spot(path)?;
            spot.clear()?;
            mkdirat(spot.fd(), &spot.name, Mode::RWXU)?;
        }
        let opened = self.tree.open(path, OFlags::PATH | OFlags::DIRECTORY)?;
        self.give(path, dress.owner, |uid, gid| chownat(&opened, "", uid, gid, AtFlags::EMPTY_PATH))
    }

    fn file(&mut self, path: &Path, entry: &mut Entry<'_, impl Read>, dress: Dress) -> io::Result<()> {
        let attributes = attributes(entry)?;
        let spot = self.spot(path)?;
        let mut draft = spot.draft()?;
        io::copy(entry, &mut draft.file)?;
        // Before the rest: a new owner takes setuid bits and capabilities away.
        self.give(path, dress.owner, |uid, gid| fchown(&draft.file, uid, gid))?;
        fchmod(&draft.file, dress.mode())?;
        for (name, value) in attributes {
            if fsetxattr(&draft.file, &*name, &value, XattrFlags::empty()).is_err() {
                self.owners.add_attribute(path, name, value);
            }
        }
        futimens(&draft.file, &times(dress.modified))?;
        draft.publish()
    }

    fn hard_link(&self, path: &Path, entry: &Entry<'_, impl Read>) -> io::Result<()> {
        let other = relative(&target(entry)?).map_err(io::Error::other)?;
        let from = self.tree.spot(&other)?;
        let to = self.spot(path)?;
        to.clear()?;
        Ok(linkat(from.fd(), &from.name, to.fd(), &to.name, AtFlags::empty())?)
    }

    fn symbolic_link(&mut self, path: &Path, entry: &Entry<'_, impl Read>, dress: Dress) -> io::Result<()> {
        let spot = self.spot(path)?;
        spot.clear()?;
        symlinkat(OsStr::from_bytes(&target(entry)?), spot.fd(), &spot.name)?;
        self.give_spot(path, &spot, dress.owner)?;
        spot.set_modified(dress.modified)
    }

    fn device(&mut self, path: &Path, dress: Dress, device: Device) -> io::Result<()> {
        let spot = self.spot(path)?;
        spot.clear()?;
        let kind = match device.kind {
            EntryType::Char => FileType::CharacterDevice,
            EntryType::Block => FileType::BlockDevice,
            _ => FileType::Fifo,
        };
        let number = makedev(device.major, device.minor);
        match mknodat(spot.fd(), &spot.name, kind, Mode::RUSR | Mode::WUSR, number) {
            Ok(()) => {
                self.give_spot(path, &spot, dress.owner)?;
                chmodat(spot.fd(), &spot.name, dress.mode(), AtFlags::empty())?;
                spot.set_modified(dress.modified)
            }
            Err(Errno::PERM) => {
                self.owners.add_device(path, device);
                self.owners.own(path, dress.owner);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn give_spot(&mut self, path: &Path, spot: &Spot, owner: Owner) -> io::Result<()> {
        self.give(path, owner, |uid, gid| chownat(spot.fd(), &spot.name, uid, gid, AtFlags::SYMLINK_NOFOLLOW))
    }

    /// Gives something its owner, or remembers who that is.
    fn give(
        &mut self,
        path: &Path,
        owner: Owner,
        give: impl FnOnce(Option<Uid>, Option<Gid>) -> rustix::io::Result<()>,
    ) -> io::Result<()> {
        let ids = (u32::try_from(owner.uid), u32::try_from(owner.gid));
        let given = match ids {
            (Ok(uid), Ok(gid)) if self.may_own => give(Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))),
            _ => Err(Errno::PERM),
        };
        match given {
            Ok(()) => Ok(()),
            // Not root, or root in a namespace that does not know the owner.
            Err(Errno::PERM | Errno::INVAL) => {
                self.owners.own(path, owner);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the directories their modes and times, the innermost first.
    fn finish(self) -> Result<Owners, String> {
        for (path, mode, modified) in self.directories.iter().rev() {
            let dressed = || -> io::Result<()> {
                let opened = File::from(self.tree.open(path, OFlags::RDONLY | OFlags::DIRECTORY)?);
                futimens(&opened, &times(*modified))?;
                opened.set_permissions(Permissions::from_mode(*mode))
            };
            dressed().map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(self.owners)
    }
}

fn target(entry: &Entry<'_, impl Read>) -> io::Result<Vec<u8>> {
    let target = entry.link_name_bytes().ok_or_else(|| io::Error::other("a link without a target"))?;
    Ok(target.into_owned())
}

/// The extended attributes of an entry that an image may have.
fn attributes(entry: &mut Entry<'_, impl Read>) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut attributes = Vec::new();
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        // The reader of such records stumbles over a line break in a value, of which there are few.
        let Ok(extension) = extension else { continue };
        let name = extension.key().ok().and_then(|key| key.strip_prefix(ATTRIBUTE));
        if let Some(name) = name.filter(|name| is_kept(name)) {
            attributes.push((name.to_owned(), extension.value_bytes().to_vec()));
        }
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests;
