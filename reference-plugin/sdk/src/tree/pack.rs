//! A directory as an archive.
use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::Path,
};

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat, readlinkat};
use tar::{Builder, EntryType, Header};

use super::{
    Entry, Inside, Kind, TreeError,
    entry::{LEVELS, check_link},
    place::{kind, look, names, open_directory, open_root},
};

/// What a header has room for; longer ones go into a pax header.
const FIELD_BYTES: usize = 100;
const OCTAL_SIZE: u64 = 1 << 33;

/// Packs what is in a directory, with names relative to it, in the order of their bytes.
///
/// Blocks its thread: [`send`](super::send) is for streams.
///
/// # Errors
/// What no tree carries, or could not be read, or written.
pub fn pack(directory: &Path, into: impl Write) -> Result<(), TreeError> {
    let root = open_root(directory)?;
    let stat = fstat(&root).map_err(|error| TreeError::about(directory, "read")(error.into()))?;
    let mut packer = Packer { writer: Writer::new(into), links: HashMap::new() };
    packer.writer.append(&described(Inside::default(), Kind::Directory, &stat), io::empty())?;
    packer.pack_below(&root, &Inside::default())?;
    packer.writer.finish()
}

/// One walk through a directory.
struct Packer<W: Write> {
    writer: Writer<W>,
    /// Where files with several names were met first, by device and number.
    links: HashMap<(u64, u64), Inside>,
}

impl<W: Write> Packer<W> {
    fn pack_below(&mut self, directory: &OwnedFd, at: &Inside) -> Result<(), TreeError> {
        for name in names(directory).map_err(failed(at))? {
            let path = at.join(&name);
            // What was removed meanwhile is not there.
            let Some(stat) = look(directory, &name).map_err(|error| failed(&path)(error.into()))? else {
                continue;
            };
            if path.parts().len() > LEVELS {
                return Err(TreeError::refused(&path.to_bytes(), "it is more than 128 levels deep"));
            }
            match kind(&stat) {
                FileType::Directory => {
                    let inner =
                        open_directory(directory, &name).map_err(|error| failed(&path)(error.into()))?;
                    self.writer.append(&described(path.clone(), Kind::Directory, &stat), io::empty())?;
                    self.pack_below(&inner, &path)?;
                }
                FileType::RegularFile => self.pack_file(directory, &name, path)?,
                FileType::Symlink => self.pack_symlink(directory, &name, path, &stat)?,
                // Sockets, fifos and devices mean nothing elsewhere.
                _ => {}
            }
        }
        Ok(())
    }

    fn pack_file(&mut self, directory: &OwnedFd, name: &OsStr, path: Inside) -> Result<(), TreeError> {
        // What became a fifo meanwhile must not be waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = || {
            let file = openat(directory, name, flags, Mode::empty())?;
            Ok((fstat(&file)?, file))
        };
        let (stat, file) = open().map_err(failed(&path))?;
        if kind(&stat) != FileType::RegularFile {
            return Err(TreeError::refused(&path.to_bytes(), "it became something else while it was read"));
        }
        let (identity, names) = identity(&stat);
        if names > 1 {
            if let Some(first) = self.links.get(&identity) {
                let link = described(path, Kind::Hardlink(first.clone()), &stat);
                return self.writer.append(&link, io::empty());
            }
            drop(self.links.insert(identity, path.clone()));
        }
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        self.writer.append(&described(path, Kind::File { size }, &stat), File::from(file))
    }

    fn pack_symlink(
        &mut self,
        directory: &OwnedFd,
        name: &OsStr,
        path: Inside,
        stat: &Stat,
    ) -> Result<(), TreeError> {
        let target = readlinkat(directory, name, Vec::new()).map_err(|error| failed(&path)(error.into()))?;
        let target = std::ffi::OsString::from_vec(target.into_bytes());
        check_link(&path, &target).map_err(|why| {
            let why = format!("{why} (`{}`)", super::shown(target.as_bytes()));
            TreeError::refused(&path.to_bytes(), why)
        })?;
        self.writer.append(&described(path, Kind::Symlink(target), stat), io::empty())
    }
}

/// The device and number of a file, and how many names it has.
#[expect(clippy::useless_conversion, reason = "the types of these fields are not the same on every platform")]
fn identity(stat: &Stat) -> ((u64, u64), u64) {
    ((u64::try_from(stat.st_dev).unwrap_or_default(), u64::from(stat.st_ino)), u64::from(stat.st_nlink))
}

fn described(path: Inside, kind: Kind, stat: &Stat) -> Entry {
    Entry { path, kind, mode: stat.st_mode & 0o1777, modified: stat.st_mtime }
}

/// An archive as it is written.
pub(crate) struct Writer<W: Write>(Builder<W>);

impl<W: Write> Writer<W> {
    pub(crate) fn new(into: W) -> Self {
        Self(Builder::new(into))
    }

    /// Adds an entry; of `content` exactly as much as the entry says.
    pub(crate) fn append(&mut self, entry: &Entry, content: impl Read) -> Result<(), TreeError> {
        let Entry { path, kind, mode, modified } = entry;
        let mut name = path.to_bytes();
        let mut header = Header::new_ustar();
        let (kind, link, size) = match kind {
            Kind::File { size } => (EntryType::Regular, Vec::new(), *size),
            Kind::Directory => {
                // The directory itself is `./`.
                name.extend_from_slice(if name.is_empty() { b"./" } else { b"/" });
                (EntryType::Directory, Vec::new(), 0)
            }
            Kind::Symlink(target) => (EntryType::Symlink, target.as_bytes().to_vec(), 0),
            Kind::Hardlink(target) => (EntryType::Link, target.to_bytes(), 0),
        };
        let mut records = Vec::new();
        if let Some(ustar) = header.as_ustar_mut() {
            fit(&mut ustar.name, &name, "path", &mut records);
            fit(&mut ustar.linkname, &link, "linkpath", &mut records);
        }
        if size >= OCTAL_SIZE {
            records.push(("size", size.to_string().into_bytes()));
        }
        let seconds = u64::try_from(*modified);
        if seconds.is_err() {
            records.push(("mtime", modified.to_string().into_bytes()));
        }
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(*mode);
        header.set_mtime(seconds.unwrap_or_default());
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        if records.iter().any(|(_, value)| std::str::from_utf8(value).is_err()) {
            records.insert(0, ("hdrcharset", b"BINARY".to_vec()));
        }
        let records = records.iter().map(|(key, value)| (*key, value.as_slice()));
        let appended = self.0.append_pax_extensions(records);
        appended
            .and_then(|()| self.0.append(&header, Exactly { from: content, left: size }))
            .map_err(failed(path))
    }

    /// Writes the end mark.
    pub(crate) fn finish(mut self) -> Result<(), TreeError> {
        let finished = self.0.finish().and_then(|()| self.0.get_mut().flush());
        finished.map_err(|error| TreeError::io("the archive cannot be written", error))
    }
}

/// Fills a field, and adds a pax record where that is too short.
fn fit(
    field: &mut [u8; FIELD_BYTES],
    text: &[u8],
    key: &'static str,
    records: &mut Vec<(&'static str, Vec<u8>)>,
) {
    let fitting = text.len().min(FIELD_BYTES);
    field[..fitting].copy_from_slice(&text[..fitting]);
    if fitting < text.len() {
        records.push((key, text.to_vec()));
    }
}

/// As many bytes as were announced: a file may grow or shrink while it is read.
struct Exactly<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let read = self.from.read(&mut into[..most])?;
        if read == 0 && most > 0 {
            return Err(io::Error::other("it became shorter while it was read"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

fn failed(path: &Inside) -> impl FnOnce(io::Error) -> TreeError {
    let what = format!("`{}` cannot be packed", super::shown(&path.to_bytes()));
    move |error| TreeError::io(what, error)
}
