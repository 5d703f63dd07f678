//! Directories as archives: packed, looked through, and unpacked.
use std::{
    cell::RefCell,
    fs::{self, Permissions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
    rc::Rc,
};

use packwire_schema::stream_capnp::byte_stream;
use tar::{Archive, Builder, EntryType, Header};

use super::config::Problem;
use crate::fault::Fault;

/// A directory on its way here.
pub(super) struct Unpacking {
    fault: Option<Fault>,
    path: PathBuf,
    archive: RefCell<Vec<u8>>,
}

impl Unpacking {
    /// Nothing is made before all of the archive is here and found good.
    pub(super) fn into(path: &str, fault: Option<Fault>) -> Self {
        Self { fault, path: path.into(), archive: RefCell::default() }
    }

    fn unpack(&self) -> io::Result<()> {
        let entries = read(&self.archive.take())?;
        let looked_through: Vec<&Entry> = match self.fault {
            Some(Fault::TarSlip) => Vec::new(),
            Some(Fault::TreeForgetsNames) => last_of_each_name(&entries),
            _ => entries.iter().collect(),
        };
        looked_through.iter().try_for_each(|entry| entry.check(&looked_through, &self.path))?;
        if !self.path.is_dir() {
            fs::create_dir(&self.path)?;
        }
        entries.iter().try_for_each(|entry| entry.make(&self.path))?;
        // From below: a directory that may not be written to any longer keeps what is in it.
        entries.iter().rev().try_for_each(|entry| entry.set_mode(&self.path, self.fault))
    }
}

impl byte_stream::Server for Unpacking {
    async fn write(
        self: Rc<Self>,
        params: byte_stream::WriteParams,
        _results: byte_stream::WriteResults,
    ) -> Result<(), capnp::Error> {
        self.archive.borrow_mut().extend_from_slice(params.get()?.get_bytes()?);
        Ok(())
    }

    async fn end(
        self: Rc<Self>,
        _params: byte_stream::EndParams,
        mut results: byte_stream::EndResults,
    ) -> Result<(), capnp::Error> {
        let mut outcome = results.get().init_outcome();
        match self.unpack() {
            Ok(()) => outcome.set_done(()),
            Err(error) => Problem::at("", &error.to_string()).write(outcome.init_failed(1).get(0)),
        }
        Ok(())
    }

    async fn abort(
        self: Rc<Self>,
        _params: byte_stream::AbortParams,
        _results: byte_stream::AbortResults,
    ) -> Result<(), capnp::Error> {
        self.archive.take();
        Ok(())
    }
}

/// One thing in an archive.
struct Entry {
    name: PathBuf,
    kind: EntryType,
    mode: u32,
    content: Vec<u8>,
    target: PathBuf,
}

fn read(archive: &[u8]) -> io::Result<Vec<Entry>> {
    let mut archive = Archive::new(archive);
    let mut entries = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        entries.push(Entry {
            name: entry.path()?.components().filter(|part| *part != Component::CurDir).collect(),
            kind: entry.header().entry_type(),
            mode: entry.header().mode()? & 0o777,
            content,
            target: entry.link_name()?.unwrap_or_default().into_owned(),
        });
    }
    Ok(entries)
}

fn last_of_each_name(entries: &[Entry]) -> Vec<&Entry> {
    let later = |at: usize| entries[at + 1..].iter().any(|other| other.name == entries[at].name);
    (0..entries.len()).filter(|at| !later(*at)).map(|at| &entries[at]).collect()
}

impl Entry {
    /// Refuses what would leave the directory, and what is neither file, directory nor symbolic link.
    fn check(&self, all: &[&Self], path: &Path) -> io::Result<()> {
        let refused = |why: &str| Err(io::Error::other(format!("{} {why}", self.name.display())));
        if !self.name.components().all(|part| matches!(part, Component::Normal(_))) {
            return refused("is outside");
        }
        let is_link = |above: &&Path| {
            path.join(above).is_symlink()
                || all.iter().any(|entry| entry.name == **above && entry.kind.is_symlink())
        };
        let above: Vec<&Path> =
            self.name.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()).collect();
        if above.iter().any(is_link) {
            return refused("is below a link");
        }
        match self.kind {
            EntryType::Regular | EntryType::Directory => Ok(()),
            EntryType::Symlink if self.stays_inside(above.len()) => Ok(()),
            EntryType::Symlink => refused("leads outside"),
            _ => refused("is neither file, directory nor symbolic link"),
        }
    }

    /// Whether a link that lies so deep goes up no further than that, and only at its beginning.
    fn stays_inside(&self, depth: usize) -> bool {
        let ups = self.target.components().take_while(|part| *part == Component::ParentDir).count();
        let downs = self.target.components().skip(ups);
        ups <= depth && downs.into_iter().all(|part| matches!(part, Component::Normal(_)))
    }

    fn make(&self, below: &Path) -> io::Result<()> {
        let path = below.join(&self.name);
        if self.kind.is_dir() {
            return if path.is_dir() { Ok(()) } else { fs::create_dir(path) };
        }
        if path.is_symlink() || path.is_file() {
            fs::remove_file(&path)?;
        }
        if self.kind.is_symlink() { symlink(&self.target, path) } else { fs::write(path, &self.content) }
    }

    fn set_mode(&self, below: &Path, fault: Option<Fault>) -> io::Result<()> {
        if self.kind.is_symlink() {
            return Ok(());
        }
        let mode = match (fault, self.kind) {
            (Some(Fault::TreeLosesMode), EntryType::Directory) => 0o755,
            (Some(Fault::TreeLosesMode), _) => 0o644,
            _ => self.mode,
        };
        fs::set_permissions(below.join(&self.name), Permissions::from_mode(mode))
    }
}

/// The files, directories and symbolic links below a directory.
///
/// # Errors
/// What cannot be read, and names that are too long for the format.
pub(super) fn pack(directory: &Path) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    pack_below(&mut archive, directory, Path::new(""))?;
    archive.into_inner()
}

fn pack_below(archive: &mut Builder<Vec<u8>>, directory: &Path, below: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory.join(below))? {
        let entry = entry?;
        let (name, known) = (below.join(entry.file_name()), entry.metadata()?);
        let mut header = Header::new_ustar();
        header.set_metadata(&known);
        header.set_mode(known.mode() & 0o7777);
        if known.is_dir() {
            archive.append_data(&mut header, &name, io::empty())?;
            pack_below(archive, directory, &name)?;
        } else if known.is_symlink() {
            header.set_size(0);
            archive.append_link(&mut header, &name, fs::read_link(entry.path())?)?;
        } else if known.is_file() {
            archive.append_data(&mut header, &name, fs::File::open(entry.path())?)?;
        }
    }
    Ok(())
}
