//! Trees there and back, and archives that mean harm.
mod properties;

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use tar::Header;
use tempfile::TempDir;

use super::{TreeError, pack, unpack};

/// One entry as nobody checked it: its kind, name, link and content.
type Raw<'a> = (u8, &'a [u8], &'a [u8], &'a [u8]);

fn raw(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (kind, name, link, content) in entries {
        archive.extend(raw_entry(*kind, name, link, content));
    }
    archive.extend([0; 1024]);
    archive
}

fn raw_entry(kind: u8, name: &[u8], link: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    let ustar = header.as_ustar_mut().unwrap();
    ustar.name[..name.len()].copy_from_slice(name);
    ustar.linkname[..link.len()].copy_from_slice(link);
    ustar.typeflag = [kind];
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    header.set_cksum();
    let padding = content.len().next_multiple_of(512) - content.len();
    [header.as_bytes(), content, &vec![0; padding]].concat()
}

fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut text = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let length =
            (1..).find(|digits: &usize| (rest + digits).to_string().len() == *digits).unwrap() + rest;
        text.extend(format!("{length} {key}=").bytes());
        text.extend_from_slice(value);
        text.push(b'\n');
    }
    text
}

/// A directory to unpack into, with something in it, and something beside it that nobody may touch.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.target()).unwrap();
        fs::write(place.target().join("mine"), "mine").unwrap();
        fs::create_dir(place.0.path().join("outside")).unwrap();
        fs::write(place.0.path().join("outside/precious"), "precious").unwrap();
        place
    }

    fn target(&self) -> PathBuf {
        self.0.path().join("target")
    }

    fn outside(&self) -> BTreeMap<PathBuf, String> {
        listing(&self.0.path().join("outside"))
    }
}

/// Everything below a directory: mode and content, or target.
fn listing(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    list(directory, Path::new(""), &mut all);
    all
}

fn list(directory: &Path, at: &Path, all: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let (path, at) = (entry.path(), at.join(entry.file_name()));
        let metadata = fs::symlink_metadata(&path).unwrap();
        let mode = metadata.mode() & 0o7777;
        let told = if metadata.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else if metadata.is_dir() {
            list(&path, &at, all);
            format!("{mode:o}/")
        } else {
            format!("{mode:o} {}", String::from_utf8_lossy(&fs::read(&path).unwrap()))
        };
        all.insert(at, told);
    }
}

fn told(result: Result<(), TreeError>) -> String {
    result.err().map_or_else(|| "done".to_owned(), |error| error.to_string())
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn chmod_all(directory: &Path, names: [&str; 3], mode: u32) {
    names.iter().for_each(|name| chmod(&directory.join(name), mode));
}

fn sample() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir_all(at("deep/er/empty")).unwrap();
    fs::write(at("deep/script"), "#!/bin/sh\n").unwrap();
    chmod(&at("deep/script"), 0o750);
    fs::write(at("big"), vec![b'x'; 700_000]).unwrap();
    fs::write(at("none"), "").unwrap();
    symlink("deep/script", at("link")).unwrap();
    symlink("../none", at("deep/up")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    fs::hard_link(at("none"), at("none too")).unwrap();
    let long = at("deep").join("l".repeat(200));
    fs::create_dir(&long).unwrap();
    fs::write(
        long.join(std::ffi::OsStr::from_bytes(&[b"\xff\n".repeat(60), b"end".to_vec()].concat())),
        "odd",
    )
    .unwrap();
    chmod(&at("deep/er"), 0o1777);
    chmod(directory.path(), 0o711);
    directory
}

#[test]
fn what_was_packed_comes_out() {
    let (from, place) = (sample(), Place::new());
    let time = std::time::SystemTime::UNIX_EPOCH - std::time::Duration::from_secs(5);
    fs::File::open(from.path().join("big")).unwrap().set_modified(time).unwrap();
    let mut archive = Vec::new();
    pack(from.path(), &mut archive).unwrap();
    let fresh = place.0.path().join("fresh");
    unpack(&archive[..], &fresh).unwrap();
    assert_eq!(listing(&fresh), listing(from.path()));
    assert_eq!(
        fresh.metadata().unwrap().mode() & 0o777,
        0o711,
        "the mode of the directory itself, where it is new"
    );
    assert_eq!(fresh.join("big").metadata().unwrap().modified().unwrap(), time);
    let inode = |name: &str| fresh.join(name).metadata().unwrap().ino();
    assert_eq!(inode("none"), inode("none too"));
    // Again, into what is there.
    unpack(&archive[..], &fresh).unwrap();
    assert_eq!(listing(&fresh), listing(from.path()));
}

#[test]
fn what_is_there_stays_unless_it_is_replaced() {
    let place = Place::new();
    let target = place.target();
    fs::create_dir(target.join("d")).unwrap();
    chmod(&target.join("d"), 0o711);
    fs::write(target.join("d/old"), "old").unwrap();
    fs::write(target.join("d/both"), "old").unwrap();
    symlink("../outside/precious", target.join("link")).unwrap();
    let archive = raw(&[
        (b'5', b"./", b"", b""),
        (b'5', b"d/", b"", b""),
        (b'0', b"d/both", b"", b"new"),
        (b'0', b"link", b"", b"own"),
    ]);
    unpack(&archive[..], &target).unwrap();
    let told: Vec<_> =
        listing(&target).into_iter().map(|(path, told)| format!("{} {told}", path.display())).collect();
    assert_eq!(told, ["d 711/", "d/both 644 new", "d/old 644 old", "link 644 own", "mine 644 mine"]);
    assert_eq!(fs::read_to_string(place.0.path().join("outside/precious")).unwrap(), "precious");
}

#[test]
fn directories_that_nobody_may_write_come_out_as_they_are() {
    let (from, place) = (tempfile::tempdir().unwrap(), Place::new());
    fs::create_dir_all(from.path().join("shut/inner")).unwrap();
    fs::write(from.path().join("shut/inner/file"), "x").unwrap();
    let shut = ["shut/inner", "shut", ""];
    chmod_all(from.path(), shut, 0o555);
    let mut archive = Vec::new();
    pack(from.path(), &mut archive).unwrap();
    for target in [place.target(), place.0.path().join("fresh")] {
        unpack(&archive[..], &target).unwrap();
        let listing = listing(&target);
        assert_eq!(
            (listing[Path::new("shut")].as_str(), listing[Path::new("shut/inner")].as_str()),
            ("555/", "555/")
        );
        chmod_all(&target, shut, 0o755);
    }
    chmod_all(from.path(), shut, 0o755);
}

#[test]
fn every_refusal_says_which_entry_and_why_and_leaves_nothing() {
    let unusual = [b'S', b'V'].map(|kind| raw(&[(b'0', b"ok", b"", b"x"), (kind, b"e", b"", b"")]));
    let sized = |size: u64| {
        let mut header = Header::new_ustar();
        header.as_ustar_mut().unwrap().typeflag = [b'x'];
        header.set_size(size);
        header.set_mode(0);
        header.set_mtime(0);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let truncated = |archive: Vec<u8>, by: usize| archive[..archive.len() - by].to_vec();
    let ok = || raw(&[(b'0', b"ok", b"", b"x")]);
    let archives: Vec<Vec<u8>> = vec![
        raw(&[(b'0', b"ok", b"", b"x"), (b'0', b"../outside/precious", b"", b"stolen")]),
        raw(&[(b'0', b"/tmp/x", b"", b"")]),
        raw(&[(b'0', b"./", b"", b""), (b'0', b".", b"", b"")]),
        raw(&[(b'2', b"l", b"../outside", b""), (b'0', b"l/precious", b"", b"stolen")]),
        raw(&[(b'5', b"d", b"", b""), (b'2', b"l", b"d", b""), (b'0', b"l/in", b"", b"x")]),
        raw(&[(b'2', b"d/l", b".", b""), (b'2', b"x", b"d/l/l/../../..", b"")]),
        raw(&[(b'2', b"l", b"/etc/passwd", b"")]),
        raw(&[(b'1', b"h", b"../outside/precious", b"")]),
        raw(&[(b'1', b"h", b"mine", b"")]),
        raw(&[(b'2', b"d/e/l", b"../../mine", b""), (b'1', b"l", b"d/e/l", b"")]),
        raw(&[(b'0', b"h", b"", b"x"), (b'1', b"h", b"h", b"")]),
        raw(&[(b'3', b"null", b"", b"")]),
        raw(&[(b'6', b"pipe", b"", b"")]),
        unusual[0].clone(),
        unusual[1].clone(),
        raw(&[(b'0', b"a", b"", b""), (b'5', b"a", b"", b"")]),
        raw(&[(b'5', b"a", b"", b""), (b'0', b"a", b"", b"")]),
        raw(&[(b'5', b"mine", b"", b"")]),
        raw(&[(b'0', b"evil\x1b[2J", b"", b""), (b'0', b"evil\x1b[2J/x", b"", b"")]),
        raw(&[(b'x', b"x", b"", &pax(&[("path", b"../y")])), (b'0', b"x", b"", b"")]),
        raw(&[(b'x', b"x", b"", &pax(&[("GNU.sparse.major", b"1")])), (b'0', b"x", b"", b"")]),
        raw(&[(b'x', b"x", b"", b"99 path=a\n"), (b'0', b"x", b"", b"")]),
        raw(&[(b'g', b"x", b"", &pax(&[("path", b"y")])), (b'0', b"x", b"", b"")]),
        raw(&[(b'L', b"x", b"", b"/etc/x\0"), (b'0', b"x", b"", b"")]),
        raw(&[(b'5', b"d", b"", b"content")]),
        sized(1 << 40),
        truncated(ok(), 1024),
        truncated(ok(), 1400),
        raw(&[(b'x', b"x", b"", &pax(&[("path", b"y")]))]),
        b"PK\x03\x04 no tar at all".repeat(100),
        Vec::new(),
    ];
    let mut lines = String::new();
    for archive in archives {
        let place = Place::new();
        let before = (listing(&place.target()), place.outside());
        lines += &told(unpack(&archive[..], &place.target()));
        lines.push('\n');
        assert_eq!((listing(&place.target()), place.outside()), before, "{lines}");
    }
    insta::assert_snapshot!(lines, @r#"
    `../outside/precious` is refused: its name has a `..`
    `/tmp/x` is refused: its name is absolute
    `.` is refused: its name is that of the directory itself
    `l` is refused: it is a link that leads outside
    `l/in` is refused: `l` above it is no directory in this archive
    `x` is refused: it is a link that goes down and up again: `..` may only stand at the beginning
    `l` is refused: it is a link to an absolute path
    `h` is refused: what it links to: its name has a `..`
    `h` is refused: it links to `mine`, which the archive does not have before it
    `l` is refused: it links to `d/e/l`, a link
    `h` is refused: it links to `h`, which the archive does not have before it
    `null` is refused: it is a device
    `pipe` is refused: it is a fifo
    `e` is refused: it is a sparse file
    `e` is refused: it is of an unknown kind, 0x56
    `a` is refused: the archive has it as something else, too
    `a` is refused: the archive has it as a directory, too
    `mine` is refused: it is a directory, and a file is in its place
    `evil\u{1b}[2J/x` is refused: `evil\u{1b}[2J` above it is no directory in this archive
    `../y` is refused: its name has a `..`
    `an entry` is refused: it is a sparse file
    the archive is damaged: a pax header is none
    the archive is damaged: it says one `path` for all entries
    `/etc/x` is refused: its name is absolute
    `d` is refused: it has a content, as only files have
    the archive is damaged: an extended header has 1099511627776 bytes, more than 1048576
    the archive is damaged: it ends too early
    the archive is damaged: it ends too early
    the archive is damaged: it ends after an extended header
    the archive is damaged: what should be a header of a tar archive is none
    the archive is damaged: it ends too early
    "#);
}

#[test]
fn what_is_in_the_way_is_found_before_anything_moves() {
    let place = Place::new();
    symlink("../outside", place.target().join("z")).unwrap();
    let before = listing(&place.target());
    let archive = raw(&[(b'0', b"a", b"", b"x"), (b'0', b"z/precious", b"", b"stolen")]);
    let told = told(unpack(&archive[..], &place.target()));
    assert_eq!(told, "`z` is refused: it is a directory, and a link is in its place");
    assert_eq!(listing(&place.target()), before);
    assert_eq!(place.outside().len(), 1);
}

#[test]
fn sockets_are_left_out_and_links_to_elsewhere_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap());
    fs::write(directory.path().join("file"), "x").unwrap();
    let mut archive = Vec::new();
    pack(directory.path(), &mut archive).unwrap();
    let place = Place::new();
    unpack(&archive[..], &place.target()).unwrap();
    assert!(place.target().join("file").is_file() && !place.target().join("socket").exists());
    symlink("/etc", directory.path().join("x")).unwrap();
    let absolute = told(pack(directory.path(), std::io::sink()));
    assert_eq!(absolute, "`x` is refused: it is a link to an absolute path (`/etc`)");
}

#[test]
fn a_directory_that_is_none_is_named() {
    let place = Place::new();
    let at = |name: &str| place.0.path().join(name);
    let archive = raw(&[]);
    for (name, why) in [("outside/precious", "not a directory"), ("no/where", "No such file")] {
        let told = told(unpack(&archive[..], &at(name)));
        assert!(told.contains(why), "{told}");
    }
    assert!(told(pack(&at("nothing"), std::io::sink())).contains("nothing cannot be opened"));
}

#[test]
fn a_file_of_many_gigabytes_needs_no_memory() {
    // Twelve GiB are announced by pax; the stream breaks after one MiB.
    let size = (12_u64 << 30).to_string();
    let mut archive = raw_entry(b'x', b"x", b"", &pax(&[("size", size.as_bytes())]));
    archive.extend(raw_entry(b'0', b"huge", b"", b""));
    let place = Place::new();
    let stream = archive.as_slice().chain(std::io::repeat(7).take(1 << 20));
    assert_eq!(told(unpack(stream, &place.target())), "the archive is damaged: it ends too early");
}
