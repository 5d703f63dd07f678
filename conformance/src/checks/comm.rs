//! Communicators.

mod download;
mod features;
mod info;
mod output;
mod parallel;
mod replaced;
mod tree;
mod upload;

use std::time::Duration;

use crate::check::{Check, Checked, Class, Level, Stop};
use crate::components::Kind;
use crate::rig::Rig;
use crate::stage::{Act, Actor, Cast, Opened, Outcome, Reply, pour};
use crate::talk::random::Random;

const MOMENT: Duration = Duration::from_millis(300);
const COMMUNICATOR: &[Kind] = &[Kind::Communicator];
/// How late each write is answered, where answers are waited for.
const LATE: Duration = Duration::from_millis(60);
/// How soon a command has begun that prints that it has.
const BEGINS: Duration = Duration::from_secs(2);
const MIB: usize = 1 << 20;

pub(super) const CHECKS: &[Check] = &[
    info::TYPE,
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
    output::WHOLE,
    output::ENDS,
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
    upload::SIZE,
    upload::ABORT,
    replaced::LINK,
    replaced::MODE,
    download::ABORT,
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
    parallel::PARALLEL,
    features::UNLISTED,
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
        let as_a_file =
            async |directory: &str| file_exact(rig, &cast, actor, &opened, directory, &bytes).await;
        opened.in_directory(rig, &cast, actor, as_a_file).await?;
    }
    cast.over()
}

async fn file_exact(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    opened: &Opened,
    directory: &str,
    bytes: &[u8],
) -> Checked {
    let path = format!("{directory}/blob");
    let size = i64::try_from(bytes.len()).unwrap_or(-1);
    let sent = async { pour(&opened.upload(&path, size).await?, bytes).await }.await;
    let told = sent.as_ref().map_or_else(|error| error.extra.clone(), Outcome::told);
    cast.saw(actor, "takes them as a file", matches!(sent, Ok(Outcome::Done)), told);
    let (outcome, down) = match opened.download(&actor.stage(rig)?, &path).await {
        Ok(answer) => answer,
        Err(error) => (Outcome::Threw(error.extra), Vec::new()),
    };
    let held = matches!(outcome, Outcome::Done) && down == bytes;
    cast.saw(actor, "gives them back unchanged", held, format!("{}; {}", outcome.told(), same(bytes, &down)));
    Ok(())
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
        let brief = actor.within();
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
            cast.offers_no(actor, "feature `signal`");
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

async fn cancel_ends_command(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let cancelled = async |directory: &str| ends_cancelled(rig, &cast, actor, &opened, directory).await;
        opened.in_directory(rig, &cast, actor, cancelled).await?;
    }
    cast.over()
}

/// A line that succeeds as soon as a condition holds.
fn within_two_seconds(condition: &str) -> String {
    let tries = (1..=20).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
    format!("for try in {tries}; do {condition} && exit 0; sleep 0.1; done; exit 1")
}

async fn ends_cancelled(rig: &Rig, cast: &Cast, actor: &Actor, opened: &Opened, directory: &str) -> Checked {
    let path = format!("{directory}/id");
    let stage = actor.stage(rig)?;
    let line = format!("echo $$ > {path}; echo begun; exec sleep 1000");
    let command = match opened.start(rig, &stage, &line, false).await {
        Ok(command) => command,
        Err(error) => return cast.session.plugin.lacks("a command can be run", error.extra),
    };
    // Who keeps the output until the end is given as long as that takes.
    let says = |acts: &[Act]| acts.iter().any(|act| act.name == "ByteStream.write");
    stage.diary.until(rig.stretch(BEGINS), says).await;
    stage.cancel();
    let ended = command.running.end(rig, actor.grace()).await;
    let held = ended.as_ref().is_some_and(|ended| matches!(ended.outcome, Outcome::Cancelled));
    let observed = ended.map_or_else(|| "it did not end".to_owned(), |ended| ended.outcome.told());
    cast.saw(actor, "answers `cancelled` to a command that is cancelled", held, observed);
    // What was ended may be there until somebody has asked how it ended.
    let asks = within_two_seconds(&format!("! kill -0 $(cat {path})"));
    let exit = opened.run(rig, actor, &asks, None).await?.exit;
    let gone = matches!(exit, Outcome::Status(0));
    cast.saw(actor, "ends the command", gone, if gone { "it is gone" } else { "it is there" }.to_owned());
    Ok(())
}
