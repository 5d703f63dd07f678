//! Trees on disk, in archives in memory.
use std::os::unix::{
    fs::{PermissionsExt, symlink},
    net::UnixListener,
};

use tar::Archive;

use super::*;

fn packed(contents: &Contents, newest: Option<u64>, owners: &Owners) -> Vec<u8> {
    let mut bytes = Vec::new();
    pack(contents, newest, owners, &mut bytes).unwrap();
    bytes
}

/// Kind, name and target of each entry.
fn told(bytes: &[u8]) -> Vec<String> {
    let mut archive = Archive::new(bytes);
    let entries = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let link = entry.link_name().unwrap().map(|link| format!(" → {}", link.display()));
        let name = entry.path().unwrap().display().to_string();
        format!("{:?} {name}{}", entry.header().entry_type(), link.unwrap_or_default())
    });
    entries.collect()
}

#[test]
fn all_kinds_are_packed_in_order_and_a_socket_is_not() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::create_dir(at("a")).unwrap();
    fs::write(at("a/one"), "text").unwrap();
    fs::hard_link(at("a/one"), at("two")).unwrap();
    fs::write(at("a-b"), "").unwrap();
    symlink("./nowhere/", at("link")).unwrap();
    symlink("x".repeat(300), at("long-link")).unwrap();
    fs::write(at(&"n".repeat(200)), "").unwrap();
    drop(UnixListener::bind(at("socket")).unwrap());
    let contents = Contents::below(place.path()).unwrap();
    assert_eq!(contents.left_out, ["socket is a socket, and left out"]);
    let expected = [
        "Directory a".to_owned(),
        "Regular a/one".to_owned(),
        "Regular a-b".to_owned(),
        "Symlink link → ./nowhere/".to_owned(),
        format!("Symlink long-link → {}", "x".repeat(300)),
        format!("Regular {}", "n".repeat(200)),
        "Link two → a/one".to_owned(),
    ];
    assert_eq!(told(&packed(&contents, None, &Owners::default())), expected);
}

#[test]
fn owners_devices_and_times_are_what_was_asked_for() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("file"), "").unwrap();
    let mut owners = Owners::default();
    owners.own(Path::new("file"), Owner { uid: 5_000_000, gid: 7 });
    let null = Device { kind: EntryType::Char, mode: 0o666, modified: 9, major: 1, minor: 3 };
    let mut contents = Contents::below(place.path()).unwrap();
    for path in ["null", "gone/null", "file"] {
        contents.add_device(Path::new(path), null);
    }
    let bytes = packed(&contents, Some(11), &owners);
    assert_eq!(told(&bytes), ["Regular file", "Char null"]);
    let mut archive = Archive::new(&bytes[..]);
    let headers: Vec<_> = archive.entries().unwrap().map(|entry| entry.unwrap().header().clone()).collect();
    let seen =
        headers.iter().map(|header| (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()));
    assert_eq!(seen.collect::<Vec<_>>(), [(5_000_000, 7, 11), (0, 0, 9)]);
    assert_eq!(headers[1].device_minor().unwrap(), Some(3));
}

#[test]
fn attributes_come_from_the_file_and_from_memory() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    fs::write(&path, "text").unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    let mut owners = Owners::default();
    owners.add_attribute(Path::new("file"), "security.capability".to_owned(), vec![1, 0, 3]);
    // Not every file system has them.
    let own = rustix::fs::setxattr(&path, "user.note", b"here", flags).is_ok();
    let bytes = packed(&Contents::below(place.path()).unwrap(), None, &owners);
    let mut archive = Archive::new(&bytes[..]);
    let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
    let extensions = entry.pax_extensions().unwrap().unwrap().map(Result::unwrap);
    let seen: Vec<_> =
        extensions.map(|one| (one.key().unwrap().to_owned(), one.value_bytes().to_vec())).collect();
    let mut expected = vec![("SCHILY.xattr.security.capability".to_owned(), vec![1, 0, 3])];
    expected.extend(own.then(|| ("SCHILY.xattr.user.note".to_owned(), b"here".to_vec())));
    assert_eq!(seen, expected);
}

#[test]
fn what_was_made_for_the_build_is_left_out_while_it_is_empty() {
    let place = tempfile::tempdir().unwrap();
    for directory in ["mnt/a", "proc", "etc"] {
        fs::create_dir_all(place.path().join(directory)).unwrap();
    }
    fs::write(place.path().join("etc/used"), "text").unwrap();
    let mut contents = Contents::below(place.path()).unwrap();
    contents.leave_out_empty(&["mnt", "mnt/a", "proc", "etc", "etc/used"].map(PathBuf::from));
    assert_eq!(contents.files.keys().collect::<Vec<_>>(), [Path::new("etc"), Path::new("etc/used")]);
}

#[test]
fn what_its_owner_locked_is_packed_with_the_mode_that_it_had() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("locked");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("file"), "text").unwrap();
    for path in [directory.join("file"), directory] {
        fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
    }
    let bytes = packed(&Contents::below_ours(place.path()).unwrap(), None, &Owners::default());
    assert_eq!(told(&bytes), ["Directory locked", "Regular locked/file"]);
    let mut archive = Archive::new(&bytes[..]);
    for entry in archive.entries().unwrap() {
        assert_eq!(entry.unwrap().header().mode().unwrap(), 0);
    }
}

#[test]
fn a_file_that_became_shorter_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("file"), "a longer text").unwrap();
    let contents = Contents::below(place.path()).unwrap();
    fs::write(place.path().join("file"), "short").unwrap();
    let told = pack(&contents, None, &Owners::default(), Vec::new()).unwrap_err();
    assert_eq!(told, "file cannot be packed: it became shorter while it was read");
}
