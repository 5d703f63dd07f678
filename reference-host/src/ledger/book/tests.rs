use std::os::unix::fs::PermissionsExt as _;

use packwire_wire::Kind;

use super::*;
use crate::ledger::{Maker, ProcessId, Thing};

fn record(run: &str) -> RunRecord {
    RunRecord {
        run: run.to_owned(),
        began: 1_700_000_000_000_000_000,
        host: ProcessId::ours(),
        directory: "/here".into(),
        template: "/here/template.json".into(),
        variable_files: vec!["/here/variables.json".into()],
        variables: vec!["region".to_owned()],
    }
}

fn thing(text: &str) -> Entry {
    let maker = Maker {
        build: "note".to_owned(),
        kind: Kind::Builder,
        component: "file".to_owned(),
        at: 17,
        program: "/plugins/packer-builder-file".into(),
        arguments: Vec::new(),
        process: Some(ProcessId::ours()),
    };
    Entry::Thing(Thing { maker, text: text.to_owned() })
}

fn ours(ledger: &Path, run: &str) -> Box<Book> {
    match claim(ledger, run).unwrap() {
        Claim::Ours(book) => book,
        other => panic!("{other:?}"),
    }
}

// host.ledger-one-owner
#[test]
fn what_a_dead_host_wrote_is_read_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("state/ledger");
    let mut book = Book::begin(&ledger, record("r")).unwrap();
    let (kept, struck) = (book.add(thing("a")).unwrap(), book.add(thing("b\n\u{1f512}")).unwrap());
    book.replace(kept, thing("a has a name")).unwrap();
    book.strike(struck).unwrap();
    book.strike(struck).unwrap();
    assert!(matches!(claim(&ledger, "r").unwrap(), Claim::Taken));
    // As a crash: nothing is closed.
    drop(book);
    let mut book = ours(&ledger, "r");
    assert_eq!(book.record(), &record("r"));
    assert_eq!(book.entries().iter().collect::<Vec<_>>(), [(&kept, &thing("a has a name"))]);
    assert_ne!(book.add(thing("c")).unwrap(), kept);
}

// host.ledger-private
#[test]
fn nobody_else_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let mut book = Book::begin(&ledger, record("r")).unwrap();
    book.add(thing("a")).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&ledger), mode(&ledger.join("r"))), (0o700, 0o700));
    for entry in fs::read_dir(ledger.join("r")).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn where_nothing_is_left_nothing_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Book::begin(folder.path(), record("r")).unwrap();
    let number = book.add(thing("a")).unwrap();
    fs::write(folder.path().join("r/.1.json"), "half a dra").unwrap();
    book.strike(number).unwrap();
    book.close().unwrap();
    assert_eq!(runs(folder.path()).unwrap(), Vec::<String>::new());
    assert!(matches!(claim(folder.path(), "r").unwrap(), Claim::Gone));
    assert_eq!(runs(&folder.path().join("nowhere")).unwrap(), Vec::<String>::new());
}

#[test]
fn what_is_left_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Book::begin(folder.path(), record("r")).unwrap();
    book.add(thing("a")).unwrap();
    book.close().unwrap();
    assert_eq!(runs(folder.path()).unwrap(), ["r"]);
    assert_eq!(ours(folder.path(), "r").entries().len(), 1);
}

#[test]
fn what_a_host_had_only_begun_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".r")).unwrap();
    fs::write(folder.path().join(".r/.run.json"), "").unwrap();
    assert!(matches!(claim(folder.path(), ".r").unwrap(), Claim::Gone));
    assert_eq!(runs(folder.path()).unwrap(), Vec::<String>::new());
}

#[test]
fn an_entry_that_nobody_can_read_is_told_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Book::begin(folder.path(), record("r")).unwrap();
    book.add(thing("a")).unwrap();
    fs::write(folder.path().join("r/7.json"), "{").unwrap();
    drop(book);
    let mut book = ours(folder.path(), "r");
    assert_eq!((book.entries().len(), book.unreadable().len()), (1, 1));
    assert!(book.unreadable()[0].to_string().ends_with("7.json cannot be read"));
    book.strike(0).unwrap();
    book.close().unwrap();
    assert!(folder.path().join("r/7.json").exists());
}

#[test]
fn an_entry_that_cannot_be_written_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Book::begin(folder.path(), record("r")).unwrap();
    fs::remove_dir_all(folder.path().join("r")).unwrap();
    let refused = book.add(thing("a")).unwrap_err();
    assert_eq!(refused.what, "written");
    assert!(book.entries().is_empty());
}

// host.ledger-durable
#[test]
fn an_entry_that_cannot_be_synced_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Book::begin(folder.path(), record("r")).unwrap();
    // A device that takes every byte, and cannot be synced.
    std::os::unix::fs::symlink("/dev/null", folder.path().join("r/.0.json")).unwrap();
    let refused = book.add(thing("a")).unwrap_err();
    assert_eq!((refused.what, refused.why.kind()), ("written", io::ErrorKind::InvalidInput));
    assert!(book.entries().is_empty());
}
