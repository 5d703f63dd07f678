//! Communicators.

mod tree;

use std::time::Duration;

use crate::check::{Check, Checked, Class, Level, Stop};
use crate::components::Kind;
use crate::rig::Rig;
use crate::stage::{Actor, Cast, Opened, Outcome, Reply, pour, write};
use crate::talk::random::Random;

const MOMENT: Duration = Duration::from_millis(300);
const COMMUNICATOR: &[Kind] = &[Kind::Communicator];
/// How late each write is answered, where answers are waited for.
const LATE: Duration = Duration::from_millis(60);
const MIB: usize = 1 << 20;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "comm.binary-exact",
        level: Level::Must,
        class: Class::Scenario,
        title: "carries any bytes",
        why: "Disk images and archives go this way; one byte that is translated breaks them.",
        seen: "A mebibyte of random bytes goes through `cat` on either stream, and up and down as a file.",
        budgets: &[],
        mutants: &["utf8-lossy-output", "crlf-translation"],
        lasts: MOMENT,
        run: |rig| Box::pin(binary_exact(rig)),
    },
    Check {
        id: "comm.streams-apart",
        level: Level::Must,
        class: Class::Scenario,
        title: "keeps the two outputs apart",
        why: "A program's result stands on the one, its complaints on the other.",
        seen: "A command writes a word on each.",
        budgets: &[],
        mutants: &["merges-stderr"],
        lasts: MOMENT,
        run: |rig| Box::pin(streams_apart(rig)),
    },
    Check {
        id: "comm.end-before-run",
        level: Level::Must,
        class: Class::Scenario,
        title: "ends the output before it tells the status",
        why: "Whoever has the status looks at the output, and has to find all of it.",
        seen: "Writes are answered late; when `run` answers, both streams have to be ended and answered.",
        budgets: &[],
        mutants: &["exit-before-drain"],
        lasts: MOMENT,
        run: |rig| Box::pin(end_before_run(rig)),
    },
    Check {
        id: "comm.stdin-end",
        level: Level::Must,
        class: Class::Scenario,
        title: "hands the end of the input on",
        why: "A filter waits for it for ever.",
        seen: "`cat` with an input that ends, and without any.",
        budgets: &[],
        mutants: &["stdin-never-closed"],
        lasts: MOMENT,
        run: |rig| Box::pin(stdin_end(rig)),
    },
    Check {
        id: "comm.stdin-after-stop",
        level: Level::Must,
        class: Class::Scenario,
        title: "bears input that nobody reads",
        why: "`head` reads what it needs; that is no failure of who wrote more.",
        seen: "A command that closes its standard input is written a mebibyte.",
        budgets: &[],
        mutants: &["epipe-fails-end"],
        lasts: MOMENT,
        run: |rig| Box::pin(stdin_after_stop(rig)),
    },
    Check {
        id: "comm.exit-status",
        level: Level::Must,
        class: Class::Scenario,
        title: "tells how a command ended",
        why: "Provisioners decide by it.",
        seen: "Commands that end with 0, with 7, with 255, and by a signal.",
        budgets: &[],
        mutants: &["status-zero-on-signal"],
        lasts: MOMENT,
        run: |rig| Box::pin(exit_status(rig)),
    },
    Check {
        id: "comm.signal-name",
        level: Level::Must,
        class: Class::Scenario,
        title: "names signals",
        why: "Their numbers differ between systems.",
        seen: "Commands that end themselves by KILL and by TERM.",
        budgets: &[],
        mutants: &["signal-as-number"],
        lasts: MOMENT,
        run: |rig| Box::pin(signal_name(rig)),
    },
    Check {
        id: "comm.upload-size",
        level: Level::Must,
        class: Class::Scenario,
        title: "takes a file as large as announced",
        why: "A file that broke off looks like a file.",
        seen: "Uploads of fewer and of more bytes than announced, and of an unknown number; then the file is looked for.",
        budgets: &[],
        mutants: &["accepts-short-upload"],
        lasts: MOMENT,
        run: |rig| Box::pin(upload_size(rig)),
    },
    Check {
        id: "comm.abort",
        level: Level::Must,
        class: Class::Scenario,
        title: "leaves nothing of an aborted upload",
        why: "Half of a file is worse than none, or than the old one.",
        seen: "An upload over a file that is there is aborted half-way; the old one has to be there still.",
        budgets: &[],
        mutants: &["abort-keeps-file"],
        lasts: MOMENT,
        run: |rig| Box::pin(abort(rig)),
    },
    Check {
        id: "comm.cancel-ends-command",
        level: Level::Must,
        class: Class::Scenario,
        title: "ends a command that is cancelled",
        why: "A command that nobody waits for any longer goes on changing the machine.",
        seen: "A command that writes down its id and sleeps is cancelled; another asks whether it is there.",
        budgets: &[],
        mutants: &["orphan-remote-command"],
        lasts: MOMENT,
        run: |rig| Box::pin(cancel_ends_command(rig)),
    },
    tree::TREE,
];

/// Runs one command that lasts a moment, for those who look at children.
pub(super) async fn run_a_command(rig: &Rig, cast: &Cast, actor: &Actor) -> Result<(), Stop> {
    if actor.kind == Kind::Communicator
        && actor.part.shell.is_some()
        && let Some(opened) = Opened::open(rig, cast, actor).await?
    {
        opened.run(rig, actor, "sleep 0.1", None).await?;
    }
    Ok(())
}

fn same(one: &[u8], other: &[u8]) -> String {
    match one.iter().zip(other).position(|(one, other)| one != other) {
        Some(at) => format!("{} bytes of {}, and byte {at} differs", other.len(), one.len()),
        None => format!("{} bytes of {}", other.len(), one.len()),
    }
}

async fn binary_exact(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    let bytes = Random::new(rig.seed()).bytes(MIB);
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let ran = opened.run(rig, actor, "cat", Some(&bytes)).await?;
        cast.saw(
            actor,
            "carries bytes through `cat` unchanged",
            ran.stdout == bytes,
            same(&bytes, &ran.stdout),
        );
        let ran = opened.run(rig, actor, "cat >&2", Some(&bytes)).await?;
        cast.saw(
            actor,
            "carries them unchanged on standard error",
            ran.stderr == bytes,
            same(&bytes, &ran.stderr),
        );
        let path = format!("{}/blob", opened.directory(rig, &cast, actor).await?);
        let size = i64::try_from(bytes.len()).unwrap_or(-1);
        let sent = async { pour(&opened.upload(&path, size).await?, &bytes).await }.await;
        let told = sent.as_ref().map_or_else(|error| error.extra.clone(), Outcome::told);
        cast.saw(actor, "takes them as a file", matches!(sent, Ok(Outcome::Done)), told);
        let (outcome, down) = match opened.download(&actor.stage(rig)?, &path).await {
            Ok(answer) => answer,
            Err(error) => (Outcome::Threw(error.extra), Vec::new()),
        };
        let held = matches!(outcome, Outcome::Done) && down == bytes;
        cast.saw(
            actor,
            "gives them back unchanged",
            held,
            format!("{}; {}", outcome.told(), same(&bytes, &down)),
        );
    }
    cast.over()
}

async fn streams_apart(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let ran = opened.run(rig, actor, "printf out; printf err >&2", None).await?;
        let held = ran.stdout == b"out" && ran.stderr == b"err";
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let observed = format!("{:?} and {:?}", text(&ran.stdout), text(&ran.stderr));
        cast.saw(actor, "keeps standard output and standard error apart", held, observed);
    }
    cast.over()
}

async fn end_before_run(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let stage = actor.stage(rig)?;
        stage.writes.set(Reply::After(LATE));
        let command = match opened.start(rig, &stage, "echo one; echo two >&2; echo three", false).await {
            Ok(command) => command,
            Err(error) => return cast.session.plugin.lacks("a command can be run", error.extra),
        };
        let ended = actor.ends(rig, &cast.session, &command.running).await?;
        let ends = (command.stdout.ends.get(), command.stderr.ends.get());
        let held = ended.unanswered == 0 && ends == (1, 1);
        let observed = format!("{} calls were unanswered, ends: {ends:?}", ended.unanswered);
        cast.saw(actor, "answers `run` after both outputs were ended", held, observed);
    }
    cast.over()
}

async fn stdin_end(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let brief = actor.grace();
        for (what, input) in [("an input that ends", Some(&b"abc"[..])), ("no input", None)] {
            let ran = tokio::time::timeout(rig.stretch(brief), opened.run(rig, actor, "cat", input)).await;
            let (held, observed) = match ran {
                Ok(ran) => {
                    let ran = ran?;
                    let whole =
                        ran.stdout == input.unwrap_or_default() && matches!(ran.exit, Outcome::Status(0));
                    (whole, format!("{} after {} bytes", ran.exit.told(), ran.stdout.len()))
                }
                Err(_) => (false, "it did not end".to_owned()),
            };
            cast.saw(actor, &format!("ends `cat` that has {what}"), held, observed);
        }
    }
    cast.over()
}

async fn stdin_after_stop(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    let bytes = vec![b'x'; MIB];
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let ran = opened.run(rig, actor, "exec <&-; sleep 0.2", Some(&bytes)).await?;
        let stdin = ran.stdin.as_ref();
        let held = matches!((&ran.exit, stdin), (Outcome::Status(0), Some(Outcome::Done)));
        let observed = format!(
            "{}; the end of the input: {}",
            ran.exit.told(),
            stdin.map_or_else(|| "none".to_owned(), Outcome::told)
        );
        cast.saw(actor, "takes input that nobody reads, and its end", held, observed);
    }
    cast.over()
}

async fn exit_status(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        for status in [0, 7, 255] {
            let exit = opened.run(rig, actor, &format!("exit {status}"), None).await?.exit;
            let held = matches!(exit, Outcome::Status(told) if told == status);
            cast.saw(actor, &format!("tells the status {status}"), held, exit.told());
        }
        let exit = opened.run(rig, actor, "kill -KILL $$", None).await?.exit;
        let held = match &exit {
            Outcome::Signal(_) => true,
            // Without the feature it is the status that the machine's shell gives.
            Outcome::Status(status) => *status != 0 && !opened.has("signal").await,
            _ => false,
        };
        cast.saw(actor, "tells that a signal ended a command", held, exit.told());
    }
    cast.over()
}

async fn signal_name(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        if !opened.has("signal").await {
            cast.lacks(actor, "feature `signal`");
            continue;
        }
        for name in ["KILL", "TERM"] {
            let exit = opened.run(rig, actor, &format!("kill -{name} $$"), None).await?.exit;
            let held = matches!(&exit, Outcome::Signal(told) if told == name);
            cast.saw(actor, &format!("names the signal `{name}`"), held, exit.told());
        }
    }
    cast.over()
}

/// Whether something is at a path of the machine.
async fn exists(rig: &Rig, opened: &Opened, actor: &Actor, path: &str) -> Result<bool, Stop> {
    let exit = opened.run(rig, actor, &format!("test -e {path}"), None).await?.exit;
    Ok(matches!(exit, Outcome::Status(0)))
}

async fn upload_size(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let directory = opened.directory(rig, &cast, actor).await?;
        for (what, size, good) in [
            ("fewer bytes than announced", 20, false),
            ("more bytes than announced", 5, false),
            ("a number of bytes that was not announced", -1, true),
        ] {
            let path = format!("{directory}/upload{size}");
            let sent = async { pour(&opened.upload(&path, size).await?, b"0123456789").await }.await;
            let told = sent.as_ref().map_or_else(|error| error.extra.clone(), Outcome::told);
            let there = exists(rig, &opened, actor, &path).await?;
            let held = if good {
                matches!(sent, Ok(Outcome::Done)) && there
            } else {
                !matches!(sent, Ok(Outcome::Done)) && !there
            };
            let promise = format!("{} {what}", if good { "takes" } else { "refuses, and keeps nothing of," });
            let word = if there { "a file is there" } else { "no file is there" };
            cast.saw(actor, &promise, held, format!("{told}; {word}"));
        }
    }
    cast.over()
}

async fn abort(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let directory = opened.directory(rig, &cast, actor).await?;
        for (what, before) in [("nothing", false), ("the old file", true)] {
            let path = format!("{directory}/{before}");
            if before {
                opened.run(rig, actor, &format!("printf old > {path}"), None).await?;
            }
            let aborted = async {
                let content = opened.upload(&path, 10).await?;
                write(&content, b"01234").await?;
                content.abort_request().send().promise.await.map(drop)
            }
            .await;
            let found =
                opened.run(rig, actor, &format!("cat {path} 2>/dev/null; ls -A {directory}"), None).await?;
            let found = String::from_utf8_lossy(&found.stdout).into_owned();
            let expected = if before { "oldtrue\n" } else { "" };
            let error = aborted.err().map(|error| format!("it threw {}; ", error.extra)).unwrap_or_default();
            let held = error.is_empty() && found == expected;
            cast.saw(
                actor,
                &format!("leaves {what} when an upload is aborted"),
                held,
                format!("{error}there is {found:?}"),
            );
        }
    }
    cast.over()
}

async fn cancel_ends_command(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let path = format!("{}/id", opened.directory(rig, &cast, actor).await?);
        let stage = actor.stage(rig)?;
        let line = format!("echo $$ > {path}; exec sleep 1000");
        let command = match opened.start(rig, &stage, &line, false).await {
            Ok(command) => command,
            Err(error) => return cast.session.plugin.lacks("a command can be run", error.extra),
        };
        rig.sleep(MOMENT).await;
        stage.cancel();
        let ended = command.running.end(rig, actor.grace()).await;
        let held = ended.as_ref().is_some_and(|ended| matches!(ended.outcome, Outcome::Cancelled));
        let observed = ended.map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
        cast.saw(actor, "answers `cancelled` to a command that is cancelled", held, observed);
        let asks = format!("kill -0 $(cat {path})");
        let exit = opened.run(rig, actor, &asks, None).await?.exit;
        let gone = matches!(exit, Outcome::Status(status) if status != 0);
        cast.saw(actor, "ends the command", gone, if gone { "it is gone" } else { "it is there" }.to_owned());
    }
    cast.over()
}
