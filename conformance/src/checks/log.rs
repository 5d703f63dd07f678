//! Logging and standard streams.

mod secrets;
mod unread;

use std::rc::Rc;
use std::time::Duration;

use crate::check::{Budget, Check, Checked, Class, Level, Stop};
use crate::rig::{Answer, Launch, Manners, Plugin, Rig};

/// How long each of the short lives may last.
const LIFE: Duration = Duration::from_secs(5);

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "log.stdout-silent",
        level: Level::Should,
        class: Class::Any,
        title: "writes nothing to standard output",
        why: "It is a log as well, so it harms nothing, but stderr is the place where people look.",
        seen: "Standard output of every process that the suite starts: here a session, a refusal, and starts without \
               a host.",
        budgets: &[],
        mutants: &["prints-banner"],
        lasts: Duration::from_millis(100),
        run: |rig| Box::pin(stdout_silent(rig)),
    },
    Check {
        id: "log.stderr-utf8-lines",
        level: Level::Should,
        class: Class::Any,
        title: "logs plain lines of UTF-8",
        why: "Hosts store the log, prefix its lines and show them elsewhere; colours and other encodings become noise.",
        seen: "Standard error of every process that the suite starts: here a session, a refusal, and starts without \
               a host.",
        budgets: &[],
        mutants: &["ansi-on-pipe", "latin1-log"],
        lasts: Duration::from_millis(100),
        run: |rig| Box::pin(stderr_utf8_lines(rig)),
    },
    Check {
        id: "log.blocked-stderr",
        level: Level::Should,
        class: Class::Declared,
        title: "answers although nobody reads its log",
        why: "A host that is stopped, or writes to a slow disk, reads late; builds should not wait for log lines.",
        seen: "Standard error is a pipe without room, and every component is asked to prepare.",
        budgets: &[Budget { what: "the answer of `prepare`", limit: unread::ANSWER }],
        mutants: &["logs-synchronously"],
        lasts: Duration::from_millis(200),
        run: |rig| Box::pin(unread::blocked(rig)),
    },
    Check {
        id: "log.closed-stderr",
        level: Level::Should,
        class: Class::Any,
        title: "goes on when its log cannot be written",
        why: "The host, or what it logs through, can go first; a plugin that dies of that leaves its work half done.",
        seen: "The other end of standard error is closed from the start; every component is asked to prepare, and the \
               session is ended.",
        budgets: &[Budget { what: "from `leave` to the exit", limit: LIFE }],
        mutants: &["dies-on-epipe"],
        lasts: Duration::from_millis(200),
        run: |rig| Box::pin(unread::closed(rig)),
    },
    Check {
        id: "log.no-terminal",
        level: Level::Must,
        class: Class::Any,
        title: "leaves the terminal alone",
        why: "Builds run where nobody sits: a question on a terminal waits for ever, and spoils what the host prints.",
        seen: "Its session has a terminal of its own; what is printed there is read, and its open files are listed.",
        budgets: &[],
        mutants: &["prompts-on-tty"],
        lasts: Duration::from_millis(300),
        run: |rig| Box::pin(unread::no_terminal(rig)),
    },
    Check {
        id: "log.sensitive-values",
        level: Level::Must,
        class: Class::Scenario,
        title: "keeps secrets out of its output",
        why: "Logs are kept, sent and read by many.",
        seen: "A member that the schema calls `writeOnly` holds a mark, which is searched for in logs, texts, diagnostics and the arguments of children.",
        budgets: &[],
        mutants: &["dumps-config", "dumps-config-at-end"],
        lasts: Duration::from_millis(300),
        run: |rig| Box::pin(secrets::sensitive_values(rig)),
    },
];

async fn stdout_silent(rig: &Rig) -> Checked {
    for (life, plugin) in lives(rig).await? {
        let printed = plugin.stdout_bytes();
        let observed = format!("{} bytes: {}", plugin.stdout_total(), excerpt(&printed));
        plugin.saw(format!("stdout stays empty {life}"), printed.is_empty(), observed);
    }
    Ok(())
}

async fn stderr_utf8_lines(rig: &Rig) -> Checked {
    for (life, plugin) in lives(rig).await? {
        let printed = plugin.stderr_bytes();
        let wrong = std::str::from_utf8(&printed).err().map(|error| error.valid_up_to());
        let observed = wrong.map_or_else(|| "UTF-8".to_owned(), |at| excerpt(&printed[at..]));
        plugin.saw(format!("stderr is UTF-8 {life}"), wrong.is_none(), observed);
        let escape = printed.iter().position(|byte| *byte == 0x1b);
        let observed = escape.map_or_else(|| "none".to_owned(), |at| excerpt(&printed[at..]));
        plugin.saw(format!("stderr has no escape sequences {life}"), escape.is_none(), observed);
    }
    Ok(())
}

/// Some short lives in which a plugin has something to say.
async fn lives(rig: &Rig) -> Result<[(&'static str, Rc<Plugin>); 4], Stop> {
    let refusal =
        Manners { answer: Some(Answer::Refused("this is a test".to_owned())), ..Manners::default() };
    let (session, refused) = (rig.attach(Manners::default()).await?, rig.attach(refusal).await?);
    session.host.answer(Answer::Leave);
    let by_hand = rig.launch(&Launch::bare())?;
    let lost = rig.launch(&session.host.launch().with("PACKER_PLUGIN_ADDRESS", "nonsense"))?;
    let all = [
        ("in a session", session.plugin),
        ("after a refusal", refused.plugin),
        ("when started by hand", by_hand),
        ("with an address that is none", lost),
    ];
    for (_, plugin) in &all {
        plugin.exit(LIFE).await;
    }
    Ok(all)
}

fn excerpt(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(80)]))
}
