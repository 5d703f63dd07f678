//! What a plugin prints, read so that it never blocks.

use std::time::{Duration, Instant};

use packwire_wire::process::{Ended, Level, LogStream};
use tokio::time::timeout;

use crate::rig::{LONG, Running};

#[tokio::test]
async fn both_streams_are_logs_with_their_levels() {
    let mut running = Running::script("echo out; echo '[WARN] err' >&2; printf '[ERROR] \\377 no end' >&2");
    running.session.exited().await;
    running.logs.finish(LONG).await;
    let of = |stream| {
        let lines = running.seen.lines().into_iter().filter(move |line| line.stream == stream);
        lines.map(|line| (line.level, line.text)).collect::<Vec<_>>()
    };
    assert_eq!(of(LogStream::Stdout), [(None, "out".to_owned())]);
    let errors = [(Level::Warn, "[WARN] err"), (Level::Error, "[ERROR] \u{fffd} no end")];
    assert_eq!(of(LogStream::Stderr), errors.map(|(level, text)| (Some(level), text.to_owned())));
}

// host.drains-logs
#[tokio::test]
async fn a_mebibyte_of_noise_blocks_nobody() {
    let mut running =
        Running::script("head -c 1048576 /dev/zero; echo; echo after; head -c 1048576 /dev/zero >&2");
    assert_eq!(timeout(LONG, running.session.exited()).await.unwrap(), Ended::Exited(0));
    running.logs.finish(LONG).await;
    let lines = running.seen.texts();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line.len() < 65 * 1024));
    assert!(lines.iter().any(|line| line == "after"));
    assert!(lines.iter().filter(|line| line.ends_with("(cut after 64 KiB)")).count() == 2);
}

#[tokio::test]
async fn the_last_lines_of_stderr_are_kept_whatever_stdout_says() {
    let mut running = Running::script("seq 100 >&2; seq 1000 2000");
    running.session.exited().await;
    running.logs.finish(LONG).await;
    let expected: Vec<String> = (81..=100).map(|n| n.to_string()).collect();
    assert_eq!(running.logs.last_lines(), expected);
}

#[tokio::test]
async fn a_plugin_that_only_printed_is_quoted_all_the_same() {
    let mut running = Running::script("echo sorry");
    running.session.exited().await;
    running.logs.finish(LONG).await;
    assert_eq!(running.logs.last_lines(), ["sorry"]);
}

// host.pipes-do-not-bind
#[tokio::test]
async fn whoever_holds_stderr_for_ever_is_not_waited_for() {
    let mut running = Running::script("sleep 1000 & printf 'no end' >&2");
    running.session.exited().await;
    let started = Instant::now();
    running.logs.finish(Duration::from_millis(200)).await;
    assert!(started.elapsed() < LONG);
    assert_eq!(running.seen.texts(), ["no end"], "what was read is delivered");
}
