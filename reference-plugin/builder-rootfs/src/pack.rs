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

use rustix::fs::{major, minor};
use tar::{Builder, EntryType, Header};

use crate::owners::{Device, Owner};

/// Bytes of a link's target that have room in a header.
const SHORT_LINK: usize = 100;
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

    /// The same, as `Communicator.downloadTree` gives it away.
    pub(crate) fn without_devices(mut self) -> Self {
        let is_plain = |node: &Node| match node {
            Node::Found(metadata) => metadata.is_dir() || metadata.is_file() || metadata.is_symlink(),
            Node::Device(_) => false,
        };
        self.files.retain(|_, node| is_plain(node));
        self
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

/// Writes an archive. `owner` says whom each file belongs to; no time is later than `newest`.
///
/// # Errors
/// One line for people.
pub(crate) fn pack(
    contents: &Contents,
    newest: Option<u64>,
    owner: impl Fn(&Path, Option<&Metadata>) -> Owner,
    into: impl Write,
) -> Result<(), String> {
    let mut packing = Packing { contents, archive: Builder::new(into), linked: HashMap::new() };
    for (path, node) in &contents.files {
        let mut header = Header::new_gnu();
        let metadata = match node {
            Node::Found(metadata) => Some(metadata),
            Node::Device(_) => None,
        };
        let Owner { uid, gid } = owner(path, metadata);
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

struct Packing<'a, W: Write> {
    contents: &'a Contents,
    archive: Builder<W>,
    /// Files with more names than one, by device and number, and the first of those names.
    linked: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> Packing<'_, W> {
    fn found(&mut self, path: &Path, metadata: &Metadata, mut header: Header) -> io::Result<()> {
        header.set_mode(metadata.mode() & 0o7777);
        let kind = metadata.file_type();
        if !metadata.is_dir() && metadata.nlink() > 1 {
            if let Some(first) = self.linked.get(&(metadata.dev(), metadata.ino())) {
                header.set_entry_type(EntryType::Link);
                return self.archive.append_link(&mut header, path, first);
            }
            drop(self.linked.insert((metadata.dev(), metadata.ino()), path.to_owned()));
        }
        if metadata.is_dir() {
            header.set_entry_type(EntryType::Directory);
            self.archive.append_data(&mut header, path, io::empty())
        } else if metadata.is_symlink() {
            self.symbolic_link(path, header)
        } else if metadata.is_file() {
            header.set_entry_type(EntryType::Regular);
            header.set_size(metadata.len());
            let outside = self.contents.base.join(path);
            if self.contents.ours {
                open_up(&outside, metadata.mode(), TO_READ)?;
            }
            let file = File::open(outside)?;
            self.archive.append_data(&mut header, path, Exactly { file, left: metadata.len() })
        } else {
            let number = metadata.rdev();
            let kind = match () {
                () if kind.is_char_device() => EntryType::Char,
                () if kind.is_block_device() => EntryType::Block,
                () => EntryType::Fifo,
            };
            let mode = metadata.mode() & 0o7777;
            let device = Device { kind, mode, modified: 0, major: major(number), minor: minor(number) };
            self.device(path, device, header)
        }
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
