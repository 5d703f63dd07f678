//! A tar archive as it is read: headers of bounded size, entries whose rules were checked, contents as they come.
//!
//! The `tar` crate knows the fields of a header. The frame around them is read here, because that crate keeps extended
//! headers of any size in memory, and takes a pax name with a line end for a broken one.
use std::{
    ffi::OsString,
    io::{self, Read},
    os::unix::ffi::OsStringExt,
};

use tar::Header;

use super::{
    TreeError,
    entry::{Entry, Inside, Kind, check_link},
};

const BLOCK: usize = 512;
/// The most bytes of an extended header.
const EXTENSION_BYTES: u64 = 1 << 20;
/// What a directory may allow; files have no sticky bit. Set-uid and set-gid are nobody's business.
const DIRECTORY_BITS: u32 = 0o1777;
const FILE_BITS: u32 = 0o777;

/// An archive, entry by entry.
#[derive(Debug)]
pub(crate) struct Archive<R> {
    from: R,
    /// What is left of the content of the entry that was read last, and of the zeros after it.
    content: u64,
    padding: u64,
}

impl<R: Read> Archive<R> {
    pub(crate) fn of(from: R) -> Self {
        Self { from, content: 0, padding: 0 }
    }

    /// The next entry; `None` after the last, when all of the stream was read.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, TreeError> {
        self.skip()?;
        let mut extended = Extended::default();
        while let Some(header) = self.header()? {
            let size = header.entry_size().map_err(|_| damaged("a size is no number"))?;
            match header.entry_type().as_byte() {
                b'x' => extended.read(&self.extension(size)?)?,
                b'g' => check_global(&self.extension(size)?)?,
                b'L' => extended.name = Some(until_nul(self.extension(size)?)),
                b'K' => extended.link = Some(until_nul(self.extension(size)?)),
                kind => return self.entry(kind, &header, extended, size).map(Some),
            }
        }
        if extended != Extended::default() {
            return Err(damaged("it ends after an extended header"));
        }
        Ok(None)
    }

    /// The content of the entry that was read last.
    pub(crate) fn content(&mut self) -> Content<'_, R> {
        Content(self)
    }

    fn entry(
        &mut self,
        kind: u8,
        header: &Header,
        extended: Extended,
        size: u64,
    ) -> Result<Entry, TreeError> {
        let Extended { name, link, size: true_size, modified } = extended;
        let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
        let size = true_size.unwrap_or(size);
        let refused = |why: String| TreeError::refused(&name, why);
        let path = Inside::parse(&name).map_err(refused)?;
        let kind = kind_of(kind, &name, &path, link.unwrap_or_default(), size).map_err(refused)?;
        if path.parts().is_empty() && kind != Kind::Directory {
            return Err(refused("its name is that of the directory itself".to_owned()));
        }
        if let Kind::File { size } = kind {
            self.begin(size);
        } else if size != 0 {
            return Err(refused("it has a content, as only files have".to_owned()));
        }
        let mode = header.mode().map_err(|_| refused("its mode is no number".to_owned()))?;
        let mode = mode & if kind == Kind::Directory { DIRECTORY_BITS } else { FILE_BITS };
        let modified = modified.or_else(|| i64::try_from(header.mtime().ok()?).ok()).unwrap_or_default();
        Ok(Entry { path, kind, mode, modified })
    }

    fn begin(&mut self, size: u64) {
        let block = BLOCK as u64;
        (self.content, self.padding) = (size, (block - size % block) % block);
    }

    /// The next header; `None` at the end mark, with all that follows read and dropped.
    fn header(&mut self) -> Result<Option<Header>, TreeError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.from.read(&mut block[filled..]).map_err(unreadable)? {
                0 => return Err(damaged("it ends too early")),
                read => filled += read,
            }
        }
        if block.iter().all(|byte| *byte == 0) {
            let _ = io::copy(&mut self.from, &mut io::sink()).map_err(unreadable)?;
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block).clone();
        if header.cksum().ok() != Some(checksum(&block)) {
            return Err(damaged("what should be a header of a tar archive is none"));
        }
        Ok(Some(header))
    }

    /// The content of an extended header.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, TreeError> {
        if size > EXTENSION_BYTES {
            return Err(damaged(&format!(
                "an extended header has {size} bytes, more than {EXTENSION_BYTES}"
            )));
        }
        self.begin(size);
        let mut bytes = Vec::new();
        self.content().read_to_end(&mut bytes).map_err(unreadable)?;
        self.skip()?;
        Ok(bytes)
    }

    /// Reads up to the next header.
    fn skip(&mut self) -> Result<(), TreeError> {
        let _ = io::copy(&mut self.content(), &mut io::sink()).map_err(unreadable)?;
        self.content = std::mem::take(&mut self.padding);
        let _ = io::copy(&mut self.content(), &mut io::sink()).map_err(unreadable)?;
        Ok(())
    }
}

/// The content of an entry: all of it, or an error.
#[derive(Debug)]
pub(crate) struct Content<'a, R>(&'a mut Archive<R>);

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.0.content).unwrap_or(usize::MAX).min(into.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.0.from.read(&mut into[..most])?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends too early"));
        }
        self.0.content -= read as u64;
        Ok(read)
    }
}

/// What extended headers say of the entry that follows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    modified: Option<i64>,
}

impl Extended {
    fn read(&mut self, records: &[u8]) -> Result<(), TreeError> {
        for (key, value) in records_of(records)? {
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(number(value)?),
                b"mtime" => {
                    self.modified = Some(number(value.split(|byte| *byte == b'.').next().unwrap_or(value))?)
                }
                _ if key.starts_with(b"GNU.sparse.") => {
                    return Err(TreeError::refused(
                        self.name.as_deref().unwrap_or(b"an entry"),
                        "it is a sparse file",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Archives may say things of all their entries. Names and sizes are not among what makes sense.
fn check_global(records: &[u8]) -> Result<(), TreeError> {
    let wrong = |key: &&[u8]| matches!(*key, b"path" | b"linkpath" | b"size");
    match records_of(records)?.into_iter().map(|(key, _)| key).find(wrong) {
        Some(key) => Err(damaged(&format!("it says one `{}` for all entries", String::from_utf8_lossy(key)))),
        None => Ok(()),
    }
}

/// A key and its value.
type Record<'a> = (&'a [u8], &'a [u8]);

/// The records of a pax header: `LENGTH KEY=VALUE\n`, where the length counts all of it.
fn records_of(mut text: &[u8]) -> Result<Vec<Record<'_>>, TreeError> {
    let broken = || damaged("a pax header is none");
    let mut records = Vec::new();
    while !text.is_empty() {
        let space = text.iter().position(|byte| *byte == b' ').ok_or_else(broken)?;
        let length = number::<usize>(&text[..space])?;
        let record =
            text.get(space + 1..length).and_then(|rest| rest.strip_suffix(b"\n")).ok_or_else(broken)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(broken)?;
        records.push((&record[..equals], &record[equals + 1..]));
        text = &text[length..];
    }
    Ok(records)
}

fn kind_of(kind: u8, name: &[u8], path: &Inside, link: Vec<u8>, size: u64) -> Result<Kind, String> {
    Ok(match kind {
        // Before POSIX, a directory was a file whose name ends like this.
        b'0' | b'\0' if name.ends_with(b"/") => Kind::Directory,
        b'0' | b'\0' | b'7' => Kind::File { size },
        b'5' => Kind::Directory,
        b'1' => Kind::Hardlink(Inside::parse(&link).map_err(|why| format!("what it links to: {why}"))?),
        b'2' => {
            let target = OsString::from_vec(link);
            check_link(path, &target)?;
            Kind::Symlink(target)
        }
        b'3' | b'4' => return Err("it is a device".to_owned()),
        b'6' => return Err("it is a fifo".to_owned()),
        b'S' => return Err("it is a sparse file".to_owned()),
        other => return Err(format!("it is of an unknown kind, {other:#04x}")),
    })
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Result<T, TreeError> {
    let text = std::str::from_utf8(text).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| damaged("a number in a pax header is none"))
}

fn until_nul(mut name: Vec<u8>) -> Vec<u8> {
    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
    name
}

/// The sum of all bytes, where those of the sum itself count as spaces.
fn checksum(block: &[u8; BLOCK]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..])
}

fn damaged(why: &str) -> TreeError {
    TreeError::Damaged(why.to_owned())
}

fn unreadable(error: io::Error) -> TreeError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("it ends too early"),
        _ => TreeError::io("the archive cannot be read", error),
    }
}
