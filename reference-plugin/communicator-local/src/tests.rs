//! Real commands and files, through a host in memory.
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use packwire_plugin::{
    Cancellation, Exit, FileInfo, Outcome, RemoteCommand, Stop,
    machine::{self, Line},
    testing::{Host, Opened},
};
use tokio_util::sync::CancellationToken;

use crate::connector::Local;

async fn open() -> Opened {
    Host::new().open(Local, serde_json::json!({})).await.unwrap()
}

fn never() -> Cancellation {
    Cancellation::local(CancellationToken::new())
}

/// How a command ended, and what it printed.
async fn run(opened: &Opened, line: &str) -> (Exit, Vec<Line>) {
    run_until(opened, line, &never()).await
}

async fn run_until(opened: &Opened, line: &str, cancellation: &Cancellation) -> (Exit, Vec<Line>) {
    let mut lines = Vec::new();
    let keep = |line| {
        lines.push(line);
        std::future::ready(())
    };
    let exit = machine::run(&opened.communicator, line, cancellation, keep).await.unwrap();
    (exit, lines)
}

fn out(text: impl Into<String>) -> Line {
    Line::Stdout(text.into())
}

async fn directory(opened: &Opened) -> PathBuf {
    machine::output(&opened.communicator, "pwd -P", &never()).await.unwrap().into()
}

/// Waits until a process is gone.
async fn ends(pid: &str) {
    let lives = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat.contains(") Z "),
        Err(_) => false,
    };
    tokio::time::timeout(Duration::from_secs(10), async {
        while lives() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

fn why(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed(diagnostics) => diagnostics[0].summary.clone(),
        other => format!("{other:?}"),
    }
}

async fn upload(opened: &Opened, path: &str, info: FileInfo, bytes: &'static str) -> Outcome {
    let mut content = opened.communicator.upload(path, info).await.unwrap();
    content.write(bytes).await.unwrap();
    content.end().await.unwrap()
}

#[tokio::test]
async fn a_command_prints_and_exits_in_a_directory_of_its_own() {
    let opened = open().await;
    let (exit, mut lines) =
        run(&opened, "echo out; echo err >&2; test \"$TMPDIR\" -ef . || exit 9; exit 3").await;
    lines.sort_by_key(|line| matches!(line, Line::Stderr(_)));
    assert_eq!((exit, lines), (Exit::Status(3), vec![out("out"), Line::Stderr("err".to_owned())]));
    let place = directory(&opened).await;
    assert_eq!(place.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    opened.communicator.close().await.unwrap();
    assert!(!place.exists());
    let (exit, _) = run(&opened, "true").await;
    assert_eq!(exit, Exit::failed("the communicator is closed"));
    opened.leave().await;
}

#[tokio::test]
async fn two_communicators_have_two_directories() {
    let (one, other) = (open().await, open().await);
    assert_ne!(directory(&one).await, directory(&other).await);
    one.leave().await;
    other.leave().await;
}

#[tokio::test]
async fn a_signal_is_named() {
    let opened = open().await;
    assert_eq!(run(&opened, "kill -SEGV $$").await.0, Exit::Signal("SEGV".to_owned()));
    opened.leave().await;
}

#[tokio::test]
async fn megabytes_of_output_arrive_whole() {
    let opened = open().await;
    let (exit, lines) = run(&opened, "yes 0123456789 | head -n 300000").await;
    assert_eq!((exit, lines.len()), (Exit::Status(0), 300_000));
    assert!(lines.iter().all(|line| *line == out("0123456789")));
    opened.leave().await;
}

#[tokio::test]
async fn input_is_written_and_ended() {
    let opened = open().await;
    let command = RemoteCommand { stdin: true, ..RemoteCommand::new("cat > copy; wc -c < copy") };
    let (process, stdin) = opened.communicator.command(command).await.unwrap();
    let mut stdin = stdin.unwrap();
    let ((stdout, mut output), (stderr, errors)) = (packwire_plugin::pipe(), packwire_plugin::pipe());
    let feed = async {
        stdin.write(vec![b'x'; 1 << 20]).await.unwrap();
        stdin.end().await.unwrap()
    };
    let read = async {
        let counted = output.collect(100).await.unwrap();
        output.finish(Outcome::Done);
        errors.finish(Outcome::Done);
        String::from_utf8(counted).unwrap()
    };
    let cancellation = never();
    let (exit, fed, counted) = tokio::join!(process.run(stdout, stderr, cancellation.offer()), feed, read);
    assert_eq!((exit.unwrap(), fed, counted.trim()), (Exit::Status(0), Outcome::Done, "1048576"));
    opened.leave().await;
}

#[tokio::test]
async fn input_that_nobody_reads_is_dropped() {
    let opened = open().await;
    let command = RemoteCommand { stdin: true, ..RemoteCommand::new("exit 4") };
    let (process, stdin) = opened.communicator.command(command).await.unwrap();
    let mut stdin = stdin.unwrap();
    let ((stdout, output), (stderr, errors)) = (packwire_plugin::pipe(), packwire_plugin::pipe());
    output.finish(Outcome::Done);
    errors.finish(Outcome::Done);
    let cancellation = never();
    let feed = async {
        stdin.write(vec![b'x'; 4 << 20]).await.unwrap();
        stdin.end().await.unwrap()
    };
    let (exit, fed) = tokio::join!(process.run(stdout, stderr, cancellation.offer()), feed);
    assert_eq!((exit.unwrap(), fed), (Exit::Status(4), Outcome::Done));
    opened.leave().await;
}

#[tokio::test]
async fn a_command_without_input_reads_none() {
    let opened = open().await;
    assert_eq!(run(&opened, "cat; echo none").await, (Exit::Status(0), vec![out("none")]));
    opened.leave().await;
}

#[tokio::test]
async fn a_terminal_is_refused() {
    let opened = open().await;
    let command = RemoteCommand { pty: true, ..RemoteCommand::new("true") };
    let (process, _) = opened.communicator.command(command).await.unwrap();
    let ((stdout, output), (stderr, errors)) = (packwire_plugin::pipe(), packwire_plugin::pipe());
    output.finish(Outcome::Done);
    errors.finish(Outcome::Done);
    let exit = process.run(stdout, stderr, never().offer()).await.unwrap();
    assert_eq!(exit, Exit::failed("this communicator has no terminals"));
    opened.leave().await;
}

#[tokio::test]
async fn cancelling_ends_the_whole_group() {
    let opened = open().await;
    let token = CancellationToken::new();
    let mut child = None;
    let exit = {
        let stop = |line| {
            let Line::Stdout(pid) = line else { panic!("{line:?}") };
            child = Some(pid);
            token.cancel();
            std::future::ready(())
        };
        let cancellation = Cancellation::local(token.clone());
        machine::run(&opened.communicator, "sleep 1000 & echo $!; wait", &cancellation, stop).await.unwrap()
    };
    assert_eq!(exit, Exit::Cancelled);
    ends(&child.unwrap()).await;
    opened.leave().await;
}

#[tokio::test]
async fn a_child_in_the_background_lives_until_the_end_of_the_session_and_does_not_hold_the_output() {
    let opened = open().await;
    let before = Instant::now();
    let (exit, lines) = run(&opened, "sleep 1000 & echo $!").await;
    assert_eq!(exit, Exit::Status(0));
    assert!(before.elapsed() < Duration::from_secs(10), "{:?}", before.elapsed());
    let [Line::Stdout(child)] = &lines[..] else { panic!("{lines:?}") };
    assert!(Path::new(&format!("/proc/{child}")).exists());
    let place = directory(&opened).await;
    opened.leave().await;
    ends(child).await;
    assert!(!place.exists());
}

#[tokio::test]
async fn an_upload_replaces_its_target_as_a_whole() {
    let opened = open().await;
    let place = directory(&opened).await;
    let info = FileInfo { size: Some(3), mode: Some(0o640), modified: Some(1_000_000_000) };
    assert_eq!(upload(&opened, "note", info, "one").await, Outcome::Done);
    let metadata = place.join("note").metadata().unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
    assert_eq!(machine::download(&opened.communicator, "note", &never(), 10).await.unwrap(), b"one");
    for (bytes, told) in
        [("12", "2 of 3 bytes came"), ("1234", "more than the 3 bytes came that were announced")]
    {
        let refused = why(upload(&opened, "note", info, bytes).await);
        assert_eq!(refused, format!("{}: {told}", place.join("note").display()));
    }
    let mut aborted = opened.communicator.upload("note", FileInfo::default()).await.unwrap();
    aborted.write("two").await.unwrap();
    aborted.abort().await.unwrap();
    assert_eq!(std::fs::read_to_string(place.join("note")).unwrap(), "one");
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1, "no draft is left");
    opened.leave().await;
}

#[tokio::test]
async fn an_upload_needs_its_directory() {
    let opened = open().await;
    let refused = why(upload(&opened, "no/where", FileInfo::default(), "x").await);
    assert!(refused.contains("no/where cannot be written: No such file"), "{refused}");
    opened.leave().await;
}

#[tokio::test]
async fn what_is_no_file_is_not_downloaded() {
    let opened = open().await;
    for (path, told) in [("/dev/zero", "it is no regular file"), ("nothing", "No such file")] {
        let stop = machine::download(&opened.communicator, path, &never(), 10).await.unwrap_err();
        let Stop::Failed(diagnostics) = stop else { panic!("{stop:?}") };
        assert!(diagnostics[0].summary.contains(told), "{diagnostics:?}");
    }
    opened.leave().await;
}

#[tokio::test]
async fn a_tree_goes_there_and_comes_back() {
    let (opened, local) = (open().await, tempfile::tempdir().unwrap());
    let (from, to) = (local.path().join("from"), local.path().join("to"));
    std::fs::create_dir_all(from.join("a/empty")).unwrap();
    std::fs::write(from.join("a/script"), "#!/bin/sh\necho it ran\n").unwrap();
    std::fs::set_permissions(from.join("a/script"), std::fs::Permissions::from_mode(0o750)).unwrap();
    std::fs::write(from.join("big"), vec![b'x'; 3 << 20]).unwrap();
    std::os::unix::fs::symlink("a/script", from.join("link")).unwrap();
    machine::upload_tree(&opened.communicator, &from, "tree", &never()).await.unwrap();
    assert_eq!(run(&opened, "tree/link; ls tree/a").await.1, [out("it ran"), out("empty"), out("script")]);
    machine::download_tree(&opened.communicator, "tree", &to, &never()).await.unwrap();
    assert_eq!(std::fs::read(to.join("big")).unwrap().len(), 3 << 20);
    assert_eq!(to.join("a/script").metadata().unwrap().permissions().mode() & 0o7777, 0o750);
    assert_eq!(std::fs::read_link(to.join("link")).unwrap(), Path::new("a/script"));
    opened.leave().await;
}

#[tokio::test]
async fn a_tree_that_does_not_come_to_its_end_leaves_nothing() {
    let opened = open().await;
    let place = directory(&opened).await;
    let mut archive = opened.communicator.upload_tree("tree").await.unwrap();
    archive.write(vec![0; 100]).await.unwrap();
    archive.abort().await.unwrap();
    let mut archive = opened.communicator.upload_tree("tree").await.unwrap();
    archive.write(vec![b'x'; 4 << 20]).await.unwrap();
    assert_eq!(
        why(archive.end().await.unwrap()),
        "the archive is damaged: what should be a header of a tar archive is none"
    );
    let refused =
        machine::download_tree(&opened.communicator, "/dev/null", &place, &never()).await.unwrap_err();
    assert_eq!(refused, Stop::failed("/dev/null cannot be opened: Not a directory (os error 20)"));
    // An abort is answered before what came is gone.
    let gone = async {
        while std::fs::read_dir(&place).unwrap().count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
    opened.leave().await;
}

#[tokio::test]
async fn a_tree_that_nobody_takes_any_more_is_not_sent() {
    let (opened, local) = (open().await, tempfile::tempdir().unwrap());
    std::fs::File::create(local.path().join("endless")).unwrap().set_len(1 << 40).unwrap();
    let token = CancellationToken::new();
    let cancellation = Cancellation::local(token.clone());
    let (archive, mut receiver) = packwire_plugin::pipe();
    let path = local.path().display().to_string();
    let download = opened.communicator.download_tree(path, archive, cancellation.offer());
    let cancel = async {
        assert!(receiver.next().await.unwrap().is_some());
        token.cancel();
        while let Ok(Some(_)) = receiver.next().await {}
        receiver.finish(Outcome::Cancelled);
    };
    let (outcome, ()) = tokio::join!(download, cancel);
    assert_eq!(outcome.unwrap(), Outcome::Cancelled);
    opened.leave().await;
}

#[tokio::test]
async fn it_says_what_it_is() {
    let opened = open().await;
    let info = opened.communicator.info().await.unwrap();
    assert_eq!((info.kind.as_str(), info.features), ("local", vec!["signal".to_owned(), "tree".to_owned()]));
    opened.leave().await;
}
