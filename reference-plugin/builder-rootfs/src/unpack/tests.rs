//! Archives from memory, in trees on disk.
use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
};

use tar::Builder;

use super::*;

/// An archive of entries: kind, name, target of a link or content.
fn archive(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (kind, name, text) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o4755);
        header.set_uid(1000);
        header.set_gid(1001);
        header.set_mtime(77);
        header.set_size(0);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name_literal(text).unwrap();
        } else {
            header.set_size(text.len() as u64);
        }
        // As it is: a builder would not take a name that leads out.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        let content = if header.size().unwrap() == 0 { "" } else { text };
        archive.append(&header, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

fn unpacked(entries: &[(EntryType, &str, &str)]) -> (tempfile::TempDir, Result<Owners, String>) {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("tree")).unwrap();
    let tree = Tree::at(&place.path().join("tree")).unwrap();
    let owners = unpack(&tree, &archive(entries)[..], false);
    (place, owners)
}

const FILE: EntryType = EntryType::Regular;
const DIRECTORY: EntryType = EntryType::Directory;
const LINK: EntryType = EntryType::Symlink;
const HARD: EntryType = EntryType::Link;

#[test]
fn what_an_archive_says_is_there_and_its_owners_are_remembered() {
    let entries = [(DIRECTORY, "./a/", ""), (FILE, "/a/b", "text"), (HARD, "c", "a/b"), (LINK, "d", "/a/b")];
    let (place, owners) = unpacked(&entries);
    let (tree, owners) = (place.path().join("tree"), owners.unwrap());
    let (file, other) = (tree.join("a/b").metadata().unwrap(), tree.join("c").metadata().unwrap());
    assert_eq!((file.ino(), file.mode() & 0o7777, file.mtime()), (other.ino(), 0o4755, 77));
    assert_eq!(tree.join("a").metadata().unwrap().mtime(), 77);
    assert_eq!(fs::read_link(tree.join("d")).unwrap(), Path::new("/a/b"));
    for path in ["a", "a/b", "d"] {
        assert_eq!(owners.of(Path::new(path)), Some(Owner { uid: 1000, gid: 1001 }), "{path}");
    }
}

#[test]
fn nothing_is_written_outside_of_a_tree() {
    let (place, unpacking) = unpacked(&[(LINK, "out", ".."), (FILE, "out/escaped", "")]);
    unpacking.unwrap();
    // `..` of the root is the root.
    assert!(place.path().join("tree/escaped").exists() && !place.path().join("escaped").exists());
    let (_, told) = unpacked(&[(FILE, "a/../../b", "")]);
    assert_eq!(told.unwrap_err(), "a/../../b: the name leads out of the archive");
    let (_, told) = unpacked(&[(HARD, "a", "../b")]);
    assert_eq!(told.unwrap_err(), "a: ../b: the name leads out of the archive");
}

#[test]
fn a_link_to_a_directory_stays_one() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("usr")).unwrap();
    symlink("usr", place.path().join("lib")).unwrap();
    let tree = Tree::at(place.path()).unwrap();
    unpack(&tree, &archive(&[(DIRECTORY, "lib", ""), (FILE, "lib/a", "")])[..], false).unwrap();
    assert!(place.path().join("lib").is_symlink() && place.path().join("usr/a").exists());
}

#[test]
fn a_later_entry_replaces_an_earlier_one() {
    let (place, owners) =
        unpacked(&[(LINK, "a", "nowhere"), (FILE, "a", "text"), (DIRECTORY, "b", ""), (LINK, "b/c", "x")]);
    owners.unwrap();
    assert_eq!(fs::read_to_string(place.path().join("tree/a")).unwrap(), "text");
    let (_, told) = unpacked(&[(DIRECTORY, "a", ""), (FILE, "a", "text")]);
    assert!(told.unwrap_err().starts_with("a: "));
}

#[test]
fn what_is_no_archive_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let tree = Tree::at(place.path()).unwrap();
    let good = archive(&[(FILE, "a", "text")]);
    for bytes in [&[7; 2000][..], &good[..600]] {
        unpack(&tree, bytes, false).unwrap_err();
    }
}
