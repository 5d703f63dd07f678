//! Files below a directory become an archive, the same one each time: sorted, and without a clock.
use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, Metadata, Permissions},
    io::{self, Read, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{fgetxattr, flistxattr, major, minor},
    io::Errno,
    process::{getegid, geteuid},
};
use tar::{Builder, EntryType, Header};

use crate::owners::{ATTRIBUTE, Device, Owner, Owners, is_kept};

/// Bytes of a link's target that have room in a header.
const SHORT_LINK: usize = 100;
/// The most that Linux has of names, and of one value.
const ATTRIBUTE_BYTES: usize = 64 << 10;
/// What an owner needs to read a file, and to walk through a directory and change it.
const TO_READ: u32 = 0o400;
const TO_WALK: u32 = 0o700;

/// The files below a directory, by their paths there. Parents come before what is in them.
#[derive(Debug)]
pub(crate) struct Contents {
    base: PathBuf,
    /// Whether it may be changed to be read: then nobody else uses it, and nobody will.
    ours: bool,
    files: BTreeMap<PathBuf, Node>,
    /// What no archive has, and why it is left out: lines for people.
    pub(crate) left_out: Vec<String>,
}

#[derive(Debug)]
enum Node {
    Found(Metadata),
    Device(Device),
}

impl Contents {
    /// Finds all that is below a directory.
    ///
    /// # Errors
    /// One line for people.
    pub(crate) fn below(base: &Path) -> Result<Self, String> {
        Self::found(base, false)
    }

    /// The same below a directory that is ours, and of no use afterwards: what its owner locked is opened.
    pub(crate) fn below_ours(base: &Path) -> Result<Self, String> {
        Self::found(base, true)
    }

    fn found(base: &Path, ours: bool) -> Result<Self, String> {
        let mut contents = Self { base: base.to_owned(), ours, files: BTreeMap::new(), left_out: Vec::new() };
        contents.walk(Path::new("")).map_err(|(path, error)| format!("{}: {error}", path.display()))?;
        Ok(contents)
    }

    fn walk(&mut self, directory: &Path) -> Result<(), (PathBuf, io::Error)> {
        let outside = self.base.join(directory);
        let told = |error| (outside.clone(), error);
        for entry in fs::read_dir(&outside).map_err(told)? {
            let entry = entry.map_err(told)?;
            let path = directory.join(entry.file_name());
            let metadata = entry.metadata().map_err(|error| (entry.path(), error))?;
            if metadata.file_type().is_socket() {
                self.left_out.push(format!("{} is a socket, and left out", path.display()));
                continue;
            }
            let is_directory = metadata.is_dir();
            if is_directory && self.ours {
                open_up(&entry.path(), metadata.mode(), TO_WALK).map_err(|error| (entry.path(), error))?;
            }
            self.files.insert(path.clone(), Node::Found(metadata));
            if is_directory {
                self.walk(&path)?;
            }
        }
        Ok(())
    }

    /// How much is in the files.
    pub(crate) fn bytes(&self) -> u64 {
        let size = |node: &Node| match node {
            Node::Found(metadata) if metadata.is_file() => metadata.len(),
            _ => 0,
        };
        self.files.values().map(size).sum()
    }

    /// The time of the newest file; 0 where there is none.
    pub(crate) fn newest(&self) -> u64 {
        self.files.values().map(Node::modified).max().unwrap_or(0)
    }

    /// Leaves out what was made for the build alone, and is still empty.
    pub(crate) fn leave_out_empty(&mut self, made: &[PathBuf]) {
        for path in made.iter().rev() {
            let holds = self.files.keys().any(|other| other != path && other.starts_with(path));
            let empty = self.files.get(path).is_some_and(|node| match node {
                Node::Found(metadata) => !metadata.is_symlink() && (metadata.is_dir() || metadata.len() == 0),
                Node::Device(_) => false,
            });
            if empty && !holds {
                self.files.remove(path);
            }
        }
    }

    /// Adds a device that the file system could not keep, unless something else has its place by now.
    pub(crate) fn add_device(&mut self, path: &Path, device: Device) {
        let has_parent = path
            .parent()
            .is_none_or(|parent| parent.as_os_str().is_empty() || self.files.contains_key(parent));
        if has_parent {
            let _there = self.files.entry(path.to_owned()).or_insert(Node::Device(device));
        }
    }
}

impl Node {
    fn modified(&self) -> u64 {
        match self {
            Self::Found(metadata) => u64::try_from(metadata.mtime()).unwrap_or(0),
            Self::Device(device) => device.modified,
        }
    }
}

/// Opens what an owner locked, who is us, so that it can be removed.
pub(crate) fn unlock(base: &Path) -> io::Result<()> {
    for entry in fs::read_dir(base)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            open_up(&entry.path(), metadata.mode(), TO_WALK)?;
            unlock(&entry.path())?;
        }
    }
    Ok(())
}

/// Gives an owner, who is us, rights to what is his.
fn open_up(path: &Path, mode: u32, rights: u32) -> io::Result<()> {
    if mode & rights == rights {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode & 0o7777 | rights))
}

/// Writes an archive, with the owners that were remembered, and those of the files where none was. No time is later
/// than `newest`.
///
/// # Errors
/// One line for people.
pub(crate) fn pack(
    contents: &Contents,
    newest: Option<u64>,
    owners: &Owners,
    into: impl Write,
) -> Result<(), String> {
    let mut packing = Packing { contents, owners, archive: Builder::new(into), linked: HashMap::new() };
    for (path, node) in &contents.files {
        let mut header = Header::new_gnu();
        let found = match node {
            Node::Found(metadata) => owner_here(metadata),
            Node::Device(_) => Owner::default(),
        };
        let Owner { uid, gid } = owners.of(path).unwrap_or(found);
        header.set_uid(uid);
        header.set_gid(gid);
        header.set_mtime(node.modified().min(newest.unwrap_or(u64::MAX)));
        header.set_size(0);
        let packed = match node {
            Node::Found(metadata) => packing.found(path, metadata, header),
            Node::Device(device) => packing.device(path, *device, header),
        };
        packed.map_err(|error| format!("{} cannot be packed: {error}", path.display()))?;
    }
    let finished = packing.archive.into_inner().and_then(|mut into| into.flush());
    finished.map_err(|error| format!("the archive cannot be written: {error}"))
}

/// Whom a file of this machine belongs to in a root filesystem: what is the user's own is root's there.
fn owner_here(metadata: &Metadata) -> Owner {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    Owner {
        uid: if metadata.uid() == uid { 0 } else { metadata.uid().into() },
        gid: if metadata.gid() == gid { 0 } else { metadata.gid().into() },
    }
}

struct Packing<'a, W: Write> {
    contents: &'a Contents,
    owners: &'a Owners,
    archive: Builder<W>,
    /// Files with more names than one, by device and number, and the first of those names.
    linked: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> Packing<'_, W> {
    fn found(&mut self, path: &Path, metadata: &Metadata, mut header: Header) -> io::Result<()> {
        header.set_mode(metadata.mode() & 0o7777);
        if !metadata.is_dir() && metadata.nlink() > 1 {
            if let Some(first) = self.linked.get(&(metadata.dev(), metadata.ino())) {
                header.set_entry_type(EntryType::Link);
                return self.archive.append_link(&mut header, path, first);
            }
            self.linked.insert((metadata.dev(), metadata.ino()), path.to_owned());
        }
        if metadata.is_dir() {
            header.set_entry_type(EntryType::Directory);
            self.archive.append_data(&mut header, path, io::empty())
        } else if metadata.is_symlink() {
            self.symbolic_link(path, header)
        } else if metadata.is_file() {
            self.file(path, metadata, header)
        } else {
            self.device(path, Device::of(metadata), header)
        }
    }

    fn file(&mut self, path: &Path, metadata: &Metadata, mut header: Header) -> io::Result<()> {
        let outside = self.contents.base.join(path);
        if self.contents.ours {
            open_up(&outside, metadata.mode(), TO_READ)?;
        }
        let file = File::open(outside)?;
        let mut attributes = self.owners.attributes_of(path);
        attributes.extend(attributes_of(&file)?);
        if !attributes.is_empty() {
            let named = |(name, value)| (format!("{ATTRIBUTE}{name}"), value);
            let named: Vec<(String, Vec<u8>)> = attributes.into_iter().map(named).collect();
            let records = named.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
            self.archive.append_pax_extensions(records)?;
        }
        header.set_entry_type(EntryType::Regular);
        header.set_size(metadata.len());
        self.archive.append_data(&mut header, path, Exactly { file, left: metadata.len() })
    }

    fn symbolic_link(&mut self, path: &Path, mut header: Header) -> io::Result<()> {
        let target = fs::read_link(self.contents.base.join(path))?;
        header.set_entry_type(EntryType::Symlink);
        // Without a word changed where there is room for it.
        if target.as_os_str().len() <= SHORT_LINK {
            header.set_link_name_literal(target.as_os_str().as_bytes())?;
            self.archive.append_data(&mut header, path, io::empty())
        } else {
            self.archive.append_link(&mut header, path, &target)
        }
    }

    fn device(&mut self, path: &Path, device: Device, mut header: Header) -> io::Result<()> {
        let Device { kind, mode, modified: _, major, minor } = device;
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_device_major(major)?;
        header.set_device_minor(minor)?;
        self.archive.append_data(&mut header, path, io::empty())
    }
}

impl Device {
    /// A device or pipe that was found.
    fn of(metadata: &Metadata) -> Self {
        let (kind, number) = (metadata.file_type(), metadata.rdev());
        let kind = match () {
            () if kind.is_char_device() => EntryType::Char,
            () if kind.is_block_device() => EntryType::Block,
            () => EntryType::Fifo,
        };
        let mode = metadata.mode() & 0o7777;
        Self { kind, mode, modified: 0, major: major(number), minor: minor(number) }
    }
}

/// The extended attributes of a file that an image has.
fn attributes_of(file: &File) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut names = vec![0; ATTRIBUTE_BYTES];
    let length = match flistxattr(file, &mut names[..]) {
        Err(Errno::NOTSUP) => 0,
        listed => listed?,
    };
    names.truncate(length);
    let mut attributes = BTreeMap::new();
    for name in names.split(|&byte| byte == 0) {
        let Some(name) = std::str::from_utf8(name).ok().filter(|name| is_kept(name)) else { continue };
        let mut value = vec![0; ATTRIBUTE_BYTES];
        let length = fgetxattr(file, name, &mut value[..])?;
        value.truncate(length);
        attributes.insert(name.to_owned(), value);
    }
    Ok(attributes)
}

/// A file of which as much is read as its header says.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self.file.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left -= read as u64;
        if read == 0 && self.left > 0 && most > 0 {
            return Err(io::Error::other("it became shorter while it was read"));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
