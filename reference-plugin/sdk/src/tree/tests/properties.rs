//! What holds of any archive and any tree.
use proptest::prelude::*;

use super::*;

fn names() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just("a"),
        Just("b"),
        Just("mine"),
        Just(".."),
        Just("."),
        Just(""),
        Just("outside"),
        Just("precious")
    ];
    proptest::collection::vec(part, 1..5).prop_map(|parts| parts.join("/").into_bytes())
}

fn entries() -> impl Strategy<Value = Vec<(u8, Vec<u8>, Vec<u8>)>> {
    let kind = proptest::sample::select(b"000555222211x".to_vec());
    proptest::collection::vec((kind, names(), names()), 1..12)
}

/// Unpacks, and checks what holds whatever came.
fn survive(archive: &[u8]) {
    let place = Place::new();
    let before = (listing(&place.target()), place.outside());
    let unpacked = unpack(archive, &place.target());
    assert_eq!(place.outside(), before.1);
    if unpacked.is_err() {
        assert_eq!(listing(&place.target()), before.0);
        return;
    }
    let root = place.target().canonicalize().unwrap();
    for path in listing(&root).into_keys() {
        if let Ok(real) = root.join(&path).canonicalize() {
            assert!(real.starts_with(&root), "{} leads to {}", path.display(), real.display());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_archive_reaches_outside(entries in entries()) {
        let content = |kind: u8| if kind == b'0' { &b"stolen"[..] } else { b"" };
        let entries: Vec<Raw<'_>> = entries.iter().map(|(kind, name, link)| (*kind, &name[..], &link[..], content(*kind))).collect();
        survive(&raw(&entries));
    }

    #[test]
    fn no_damage_is_worse_than_a_refusal(at in 0..8000_usize, byte in any::<u8>(), cut in 0..8000_usize) {
        let mut archive = raw(&[(b'5', b"d/", b"", b""), (b'0', b"d/f", b"", b"content"), (b'x', b"x", b"", &pax(&[("path", b"long")])),
            (b'0', b"x", b"", b"1"), (b'2', b"d/l", b"../mine", b""), (b'1', b"h", b"d/f", b"")]);
        archive.truncate(cut);
        if let Some(there) = archive.get_mut(at) {
            *there = byte;
        }
        survive(&archive);
    }

    #[test]
    fn any_tree_comes_back(files in proptest::collection::btree_map(proptest::collection::vec("[^/\0]{1,120}", 1..4), ".*", 0..8)) {
        let from = tempfile::tempdir().unwrap();
        for (parts, content) in &files {
            let path = parts.iter().fold(from.path().to_owned(), |path, part| path.join(part));
            // Names such as `..`, or a file where a directory should be, make no tree.
            if parts.iter().all(|part| part != "." && part != "..") && fs::create_dir_all(path.parent().unwrap()).is_ok() {
                drop(fs::write(path, content));
            }
        }
        let mut archive = Vec::new();
        pack(from.path(), &mut archive).unwrap();
        let to = tempfile::tempdir().unwrap();
        unpack(&archive[..], to.path()).unwrap();
        prop_assert_eq!(listing(to.path()), listing(from.path()));
    }
}
