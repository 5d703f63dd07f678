//! Starting and ending sessions.

use std::time::{Duration, Instant};

use packwire_wire::process::{Ended, Program, Session};
use tokio::time::timeout;

use crate::rig::{LONG, Running, Stray, lives, script, state, until};

const SHORT: Duration = Duration::from_millis(100);

fn killed() -> Ended {
    Ended::Signalled { signal: "KILL".into(), core_dumped: false }
}

fn terminated() -> Ended {
    Ended::Signalled { signal: "TERM".into(), core_dumped: false }
}

// host.leader-unreaped
#[tokio::test]
async fn an_exit_status_is_seen_without_reaping() {
    let session = Session::start(&script("exit 7")).unwrap();
    assert_eq!(session.exited().await, Ended::Exited(7));
    assert_eq!(session.exited().await, Ended::Exited(7));
    assert_eq!(session.has_exited(), Some(Ended::Exited(7)));
    assert_eq!(state(session.id()), Some('Z'), "the leader's id stays reserved");
    assert!(session.members().is_empty());
    let id = session.id();
    assert_eq!(session.end(LONG).await, Ended::Exited(7));
    assert_eq!(state(id), None, "the leader is reaped at the end");
}

#[tokio::test]
async fn a_deadly_signal_is_named() {
    let session = Session::start(&script("kill -SEGV $$")).unwrap();
    assert!(matches!(session.exited().await, Ended::Signalled { signal, .. } if signal == "SEGV"));
}

#[tokio::test]
async fn whoever_watches_learns_of_an_end_after_the_reaping_too() {
    let session = Session::start(&script("exit 7")).unwrap();
    let watched = session.exited();
    session.end(LONG).await;
    assert_eq!(watched.await, Ended::Exited(7));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error() {
    let error = Session::start(&Program { executable: "/nowhere/x".into(), ..script("") }).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

#[tokio::test]
async fn the_leader_gets_its_grace() {
    let running = Running::script("trap 'exit 9' TERM; read x < fifo || sleep 0.2; exit 0");
    assert_eq!(running.session.end(LONG).await, Ended::Exited(0));
}

#[tokio::test]
async fn after_its_grace_the_leader_is_asked_to_terminate() {
    let running = Running::script("trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done");
    running.says("ready").await;
    assert_eq!(running.session.end(SHORT).await, Ended::Exited(9));
}

#[tokio::test]
async fn who_ignores_the_request_is_killed() {
    let running = Running::script("trap '' TERM; echo ready; while :; do sleep 1; done");
    running.says("ready").await;
    assert_eq!(timeout(LONG, running.session.end(SHORT)).await.unwrap(), killed());
}

#[tokio::test]
async fn a_wrapper_whose_child_works_and_holds_stderr_does_not_hold_the_host() {
    let mut running = Running::script("sleep 1000 & echo child $!; wait");
    let child = running.number("child").await;
    let ended = timeout(LONG, running.session.end(SHORT)).await.unwrap();
    assert_eq!(ended, terminated());
    assert!(!lives(child));
    running.logs.finish(LONG).await;
}

// host.ends-whole-session
#[tokio::test]
async fn a_child_that_the_leader_leaves_behind_is_ended() {
    let running = Running::script("sleep 1000 & echo child $!");
    let child = running.number("child").await;
    assert_eq!(running.session.exited().await, Ended::Exited(0));
    assert_eq!(running.session.members(), [child]);
    assert_eq!(running.session.end(LONG).await, Ended::Exited(0));
    assert!(!lives(child));
}

// host.ends-whole-session
#[tokio::test]
async fn a_child_in_a_group_of_its_own_is_ended_too() {
    // An interactive shell gives each of its jobs a process group.
    let running = Running::script("set -m; sleep 1000 & echo child $!");
    let child = running.number("child").await;
    running.session.exited().await;
    running.session.end(LONG).await;
    assert!(!lives(child));
}

#[tokio::test]
async fn a_stopped_session_is_ended() {
    let running = Running::script("sleep 1000 & echo child $!; kill -STOP $! $$; sleep 1000");
    let child = running.number("child").await;
    let id = running.session.id();
    until("both to be stopped", || (state(id) == Some('T') && state(child) == Some('T')).then_some(())).await;
    assert_eq!(timeout(LONG, running.session.end(SHORT)).await.unwrap(), terminated());
    assert!(!lives(child));
}

#[tokio::test]
async fn there_is_no_terminal_to_stop_at() {
    let mut running = Running::script("exec 2>&1; (read line < /dev/tty) || echo refused; ps -o tty= -p $$");
    assert_eq!(timeout(LONG, running.session.exited()).await.unwrap(), Ended::Exited(0));
    running.logs.finish(LONG).await;
    let said = running.seen.texts();
    assert!(said[0].contains("No such device or address"), "{said:?}");
    assert_eq!(said[1..], ["refused", "?"].map(String::from));
}

#[tokio::test]
async fn the_standard_input_is_empty() {
    let mut running = Running::script("cat; echo done");
    running.session.exited().await;
    running.logs.finish(LONG).await;
    assert_eq!(running.seen.texts(), ["done"]);
}

#[tokio::test]
async fn the_leader_leads_a_session_of_its_own() {
    let running = Running::script("cut -d ' ' -f 6 /proc/$$/stat");
    let session = until("the session's id", || running.seen.texts().pop()).await;
    assert_eq!(session, running.session.id().to_string());
}

#[tokio::test]
async fn environment_arguments_and_directory_are_those_given() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program {
        executable: "/bin/sh".into(),
        arguments: ["-c", r#"pwd -P; echo "$1"; tr '\0' '\n' < /proc/$$/environ"#, "sh", "a b'\"$HOME"]
            .map(Into::into)
            .into(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into()), ("ODD".into(), "a=b c".into())],
        directory: Some(directory.path().into()),
    };
    let mut running = Running::start(&program);
    running.session.exited().await;
    running.logs.finish(LONG).await;
    let here = directory.path().canonicalize().unwrap().display().to_string();
    assert_eq!(running.seen.texts(), [&here, "a b'\"$HOME", "ODD=a=b c", "PATH=/usr/bin:/bin"]);
}

#[tokio::test]
async fn dropping_the_owner_ends_everything() {
    let running = Running::script("trap '' TERM HUP; sleep 1000 & echo child $!; wait");
    let child = running.number("child").await;
    let id = running.session.id();
    drop(running);
    assert!(!lives(child));
    assert_eq!(state(id), None);
}

#[tokio::test]
async fn a_panic_ends_everything() {
    let running = Running::script("sleep 1000 & echo child $!; wait");
    let child = running.number("child").await;
    let id = running.session.id();
    let panicked = tokio::spawn(async move {
        let _owned = running;
        panic!("while a session is open");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert!(!lives(child));
    assert_eq!(state(id), None);
}

#[tokio::test]
async fn ending_that_is_cancelled_kills_at_once() {
    let running = Running::script("trap '' TERM; echo ready; while :; do sleep 1; done");
    running.says("ready").await;
    let id = running.session.id();
    assert!(timeout(SHORT, running.session.end(LONG)).await.is_err());
    assert_eq!(state(id), None);
}

#[tokio::test]
async fn a_family_that_keeps_forking_is_caught() {
    // Each generation starts the next and ends: whoever looks at one sees it go.
    let text = "generation() { (sleep 0.002; generation) & }; trap '' TERM; generation; echo ready; wait; sleep 1000";
    let running = Running::script(text);
    running.says("ready").await;
    running.session.kill().await;
    assert!(running.session.members().is_empty());
    running.session.end(LONG).await;
}

#[tokio::test]
async fn killing_reaches_nobody_outside_the_session() {
    let other = Running::script("echo ready; sleep 1000");
    other.says("ready").await;
    let running = Running::script("sleep 1000 & echo child $!; wait");
    running.number("child").await;
    running.session.kill().await;
    assert!(lives(other.session.id()));
    assert_eq!(other.session.has_exited(), None);
}

#[tokio::test]
async fn a_descendant_that_left_the_session_is_beyond_its_owner() {
    let running = Running::script("setsid sh -c 'echo stray $$; exec sleep 1000' & wait");
    let stray = Stray { id: running.number("stray").await };
    assert!(!running.session.members().contains(&stray.id));
    let started = Instant::now();
    running.session.end(SHORT).await;
    assert!(started.elapsed() < LONG);
    assert!(lives(stray.id), "it is not of the session");
}

// host.leader-unreaped
#[tokio::test]
async fn a_host_that_ignores_its_children_learns_how_they_ended() {
    // What is ignored stays so in the program that `env` becomes.
    let host = env!("CARGO_BIN_EXE_packwire-wire-test-plugin");
    let mut running = Running::script(&format!("exec env --ignore-signal=CHLD '{host}' DeafHost"));
    assert_eq!(running.session.exited().await, Ended::Exited(0));
    running.logs.finish(LONG).await;
    let expected = [
        "SIGCHLD is ignored at first: true",
        "its leader exited with status 7",
        "its state is Z",
        "reaped, it exited with status 7",
    ];
    assert_eq!(running.seen.texts(), expected);
}

#[tokio::test]
async fn many_sessions_end_side_by_side() {
    let start = || Running::script("sleep 1000 & echo child $!; wait");
    let running: Vec<Running> = std::iter::repeat_with(start).take(20).collect();
    let mut children = Vec::new();
    for one in &running {
        children.push(one.number("child").await);
    }
    let ends: Vec<_> = running.into_iter().map(|one| tokio::spawn(one.session.end(Duration::ZERO))).collect();
    for end in ends {
        assert_eq!(end.await.unwrap(), terminated());
    }
    assert!(!children.into_iter().any(lives));
}
