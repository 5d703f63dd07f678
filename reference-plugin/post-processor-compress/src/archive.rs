//! An output as it is written.
use std::{
    fs::File,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use packwire_plugin::{Stop, meter::Meter};
use time::{OffsetDateTime, PrimitiveDateTime};
use zip::{CompressionMethod, DateTime, ZipWriter, result::ZipError, write::SimpleFileOptions};

use crate::{
    content::{Content, Entry, Kind},
    encoder::Encoder,
    format::{Compression, Container},
};

const BUFFER_BYTES: usize = 256 << 10;
/// The smallest size that a zip archive says in another way.
const LARGE_BYTES: u64 = u32::MAX as u64;

/// Writes the entries into `draft`, which is to become `output`.
///
/// # Errors
/// What cannot be read, or written, or cannot go into this kind of file.
pub(crate) fn write(
    container: Container,
    entries: &[Entry],
    draft: File,
    output: &Path,
    meter: &Meter,
) -> Result<(), Stop> {
    let into = Output { inner: BufWriter::with_capacity(BUFFER_BYTES, draft), path: output.to_owned() };
    let written = match container {
        Container::Tar(compression) => tar(compression, entries, into, meter),
        Container::Zip(level) => zip(level, entries, into, meter),
        Container::Single(compression) => single(compression, entries, into, meter),
    };
    let flushed = written.and_then(|mut into| into.flush());
    flushed.map_err(|error| Stop::failed(error.to_string()))
}

fn tar(compression: Compression, entries: &[Entry], into: Output, meter: &Meter) -> io::Result<Output> {
    let mut archive = tar::Builder::new(Encoder::new(compression, into)?);
    for Entry { source, name, kind, mode, modified } in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(*mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(u64::try_from(*modified).unwrap_or_default());
        match kind {
            Kind::File { bytes } => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_size(*bytes);
                archive.append_data(&mut header, name, Content::open(source, *bytes, meter)?)?;
            }
            Kind::Directory => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_size(0);
                archive.append_data(&mut header, name.join(""), io::empty())?;
            }
            Kind::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                archive.append_link(&mut header, name, target)?;
            }
        }
    }
    archive.into_inner()?.finish()
}

fn zip(level: Option<u32>, entries: &[Entry], into: Output, meter: &Meter) -> io::Result<Output> {
    let mut archive = ZipWriter::new(into);
    for Entry { source, name, kind, mode, modified } in entries {
        let name = text(name)?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(level.map(i64::from))
            .last_modified_time(moment(*modified))
            .unix_permissions(*mode);
        match kind {
            Kind::File { bytes } => {
                archive.start_file(name, options.large_file(*bytes >= LARGE_BYTES)).map_err(unzipped)?;
                let _bytes = io::copy(&mut Content::open(source, *bytes, meter)?, &mut archive)?;
            }
            Kind::Directory => archive.add_directory(name, options).map_err(unzipped)?,
            Kind::Link(target) => archive.add_symlink(name, text(target)?, options).map_err(unzipped)?,
        }
    }
    archive.finish().map_err(unzipped)
}

fn text(name: &Path) -> io::Result<&str> {
    let refused = || io::Error::other(format!("a zip archive cannot have the name {}", name.display()));
    name.to_str().ok_or_else(refused)
}

/// The nearest moment that a zip archive can have, in UTC.
fn moment(seconds: i64) -> DateTime {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    let moment = moment.map(|moment| PrimitiveDateTime::new(moment.date(), moment.time()));
    moment.and_then(|moment| DateTime::try_from(moment).ok()).unwrap_or_default()
}

fn unzipped(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        error => io::Error::other(format!("the zip archive cannot be written: {error}")),
    }
}

fn single(compression: Compression, entries: &[Entry], into: Output, meter: &Meter) -> io::Result<Output> {
    let [Entry { source, kind: Kind::File { bytes }, .. }] = entries else {
        let why = "this format takes exactly one file, and the artifact has more: use a .tar.gz, .tar.xz, .tar.zst or .zip";
        return Err(io::Error::other(why));
    };
    let mut encoder = Encoder::new(compression, into)?;
    let _bytes = io::copy(&mut Content::open(source, *bytes, meter)?, &mut encoder)?;
    encoder.finish()
}

/// The draft, with errors that name what it is to become.
struct Output {
    inner: BufWriter<File>,
    path: PathBuf,
}

impl Output {
    fn named<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            io::Error::new(error.kind(), format!("{} cannot be written: {error}", self.path.display()))
        })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.named(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.named(flushed)
    }
}

impl Seek for Output {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let sought = self.inner.seek(to);
        self.named(sought)
    }
}
