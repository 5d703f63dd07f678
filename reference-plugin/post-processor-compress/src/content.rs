//! What goes into an output: files, and directories with all that is in them, each under the name that it has there.
use std::{
    collections::BTreeSet,
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use packwire_plugin::{Stop, meter::Meter};

/// One thing that goes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it is.
    pub(crate) source: PathBuf,
    /// Its name in an archive, relative.
    pub(crate) name: PathBuf,
    pub(crate) kind: Kind,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Seconds since 1970.
    pub(crate) modified: i64,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    File {
        bytes: u64,
    },
    Directory,
    /// With what it leads to.
    Link(PathBuf),
}

/// All that goes in, in an order that does not depend on the file system.
///
/// # Errors
/// What cannot be read, or cannot go in.
pub(crate) fn survey(files: &[PathBuf]) -> Result<Vec<Entry>, Stop> {
    // A file that is listed beside its directory goes in with that.
    let distinct: BTreeSet<&PathBuf> = files.iter().collect();
    let is_below_another =
        |file: &Path| file.ancestors().skip(1).any(|above| distinct.contains(&above.to_owned()));
    let tops: Vec<_> = distinct.iter().filter(|file| !is_below_another(file)).collect();
    let above = common(tops.iter().map(|file| file.parent().unwrap_or(Path::new("/"))));
    let mut entries = Vec::new();
    for file in tops {
        let name = file.strip_prefix(&above).unwrap_or(file);
        // What an artifact lists may be a link; what links lead to inside of directories is not ours to know.
        let metadata = file.metadata().map_err(|error| unreadable(file, &error))?;
        enter(file, name, &metadata, &mut entries)?;
    }
    Ok(entries)
}

/// The directory that all of these are in.
fn common<'a>(mut directories: impl Iterator<Item = &'a Path>) -> PathBuf {
    let first = directories.next().unwrap_or(Path::new("/")).to_owned();
    directories.fold(first, |common, directory| {
        common.ancestors().find(|above| directory.starts_with(above)).map(Path::to_owned).unwrap_or_default()
    })
}

fn enter(source: &Path, name: &Path, metadata: &Metadata, entries: &mut Vec<Entry>) -> Result<(), Stop> {
    let kind = if metadata.is_dir() {
        Kind::Directory
    } else if metadata.is_file() {
        Kind::File { bytes: metadata.len() }
    } else if metadata.is_symlink() {
        Kind::Link(fs::read_link(source).map_err(|error| unreadable(source, &error))?)
    } else {
        let what = format!("{} is no file, directory or link, and cannot be compressed", source.display());
        return Err(Stop::failed(what));
    };
    let is_directory = kind == Kind::Directory;
    let (mode, modified) = (metadata.mode() & 0o777, metadata.mtime());
    entries.push(Entry { source: source.to_owned(), name: name.to_owned(), kind, mode, modified });
    if is_directory { enter_below(source, name, entries) } else { Ok(()) }
}

fn enter_below(directory: &Path, name: &Path, entries: &mut Vec<Entry>) -> Result<(), Stop> {
    let listed = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut listed = listed.map_err(|error| unreadable(directory, &error))?;
    listed.sort_by_key(fs::DirEntry::file_name);
    for entry in listed {
        let path = entry.path();
        let metadata = path.symlink_metadata().map_err(|error| unreadable(&path, &error))?;
        enter(&path, &name.join(entry.file_name()), &metadata, entries)?;
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> Stop {
    Stop::failed(format!("{} cannot be read: {error}", path.display()))
}

/// The content of a file: as many bytes as it had, and an error that names it where it has no more or cannot be read.
pub(crate) struct Content<R> {
    from: R,
    path: PathBuf,
    left: u64,
}

impl Content<packwire_plugin::meter::Metered<File>> {
    pub(crate) fn open(path: &Path, bytes: u64, meter: &Meter) -> io::Result<Self> {
        let file = File::open(path).map_err(|error| named(path, &error))?;
        Ok(Self { from: meter.of(file), path: path.to_owned(), left: bytes })
    }
}

impl<R: Read> Read for Content<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = match self.from.read(&mut buffer[..most]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            read => read.map_err(|error| named(&self.path, &error))?,
        };
        if read == 0 && most > 0 {
            return Err(named(&self.path, &io::Error::other("it became shorter meanwhile")));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{} cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(place: &Path, files: &[&str]) -> Result<String, String> {
        let files: Vec<_> = files.iter().map(|file| place.join(file)).collect();
        let entries = survey(&files).map_err(|stop| format!("{stop:?}"))?;
        let told = entries.iter().map(|entry| format!("{} {:?}", entry.name.display(), entry.kind));
        Ok(told.collect::<Vec<_>>().join("\n"))
    }

    fn place() -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for (path, content) in [("out/disk", "abc"), ("out/b/disk", ""), ("out/b/c/x", "1"), ("else/x", "")] {
            let path = place.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        std::os::unix::fs::symlink("../disk", place.path().join("out/b/link")).unwrap();
        place
    }

    #[test]
    fn names_begin_below_the_directory_that_holds_all() {
        let place = place();
        let of = |files: &[&str]| names(place.path(), files).unwrap();
        let told = [of(&["out/b/disk"]), of(&["out/disk", "out/b/disk"]), of(&["out/disk", "else/x"])];
        insta::assert_snapshot!(told.join("\n\n"), @"
        disk File { bytes: 0 }

        b/disk File { bytes: 0 }
        disk File { bytes: 3 }

        else/x File { bytes: 0 }
        out/disk File { bytes: 3 }
        ");
    }

    #[test]
    fn a_directory_goes_in_with_all_in_it_once() {
        let place = place();
        insta::assert_snapshot!(names(place.path(), &["out/b/c/x", "out/b", "out/b"]).unwrap(), @r#"
        b Directory
        b/c Directory
        b/c/x File { bytes: 1 }
        b/disk File { bytes: 0 }
        b/link Link("../disk")
        "#);
    }

    #[test]
    fn a_listed_link_is_the_file_and_what_is_no_file_is_refused() {
        let place = place();
        assert_eq!(names(place.path(), &["out/b/link"]).unwrap(), "link File { bytes: 3 }");
        assert!(
            names(place.path(), &["out/gone"]).unwrap_err().contains("gone cannot be read: No such file")
        );
        let _socket = std::os::unix::net::UnixListener::bind(place.path().join("out/b/socket")).unwrap();
        assert!(
            names(place.path(), &["out"]).unwrap_err().contains("b/socket is no file, directory or link")
        );
    }

    #[test]
    fn a_file_that_shrinks_is_told_by_its_name() {
        let content = |left| Content { from: &b"abc"[..], path: "/disk".into(), left };
        assert_eq!(io::read_to_string(content(2)).unwrap(), "ab");
        let told = io::read_to_string(content(4)).unwrap_err().to_string();
        assert_eq!(told, "/disk cannot be read: it became shorter meanwhile");
    }
}
