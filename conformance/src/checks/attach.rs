//! Connection and attach.

mod hello;
mod live;
mod promised;
mod schemas;
mod stable;
mod traces;

use std::time::Duration;

use crate::check::{Budget, Check, Checked, Class, Level};
use crate::rig::{Answer, Entry, Manners, Rig, Sender, Trial};

/// How soon a plugin that is refused exits.
const REFUSED: Duration = Duration::from_secs(5);
/// How long a plugin is watched that has nothing to do.
const IDLE: Duration = Duration::from_secs(5);
/// How long the host keeps the answer to the bootstrap request back.
const LATE: Duration = Duration::from_secs(5);
/// Long enough for a plugin to do what it should not.
const MOMENT: Duration = Duration::from_millis(500);

const ATTACH: &str = "Host.attach";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "attach.bootstrap-then-attach",
        level: Level::Must,
        class: Class::Any,
        title: "asks for the bootstrap capability and attaches",
        why: "A host knows nothing of a peer before its hello has come, and answers nothing else.",
        seen: "The first messages of the link are read, until half a second after the attach.",
        budgets: &[],
        mutants: &["dials-without-attach"],
        lasts: MOMENT,
        run: |rig| Box::pin(bootstrap_then_attach(rig)),
    },
    Check {
        id: "attach.once",
        level: Level::Must,
        class: Class::Any,
        title: "attaches once",
        why: "The pending attach is the session; with two of them nobody knows which answer ends it.",
        seen: "The calls of attach are counted over a whole session, from the dial to the exit.",
        budgets: &[],
        mutants: &["attaches-twice"],
        lasts: MOMENT,
        run: |rig| Box::pin(once(rig)),
    },
    Check {
        id: "attach.refused",
        level: Level::Must,
        class: Class::Any,
        title: "takes a refusal for an answer",
        why: "Whoever reads the plugin's log learns there why it was not welcome, and a retry would be refused again.",
        seen: "The host answers attach with `refused` and a reason; the log and the exit status are read.",
        budgets: &[Budget { what: "from the refusal to the exit", limit: REFUSED }],
        mutants: &["retries-after-refusal", "exits-0-when-refused"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(refused(rig)),
    },
    Check {
        id: "attach.pending-is-normal",
        level: Level::Must,
        class: Class::Any,
        title: "waits without a deadline and without work",
        why: "A session lasts as long as the longest build, and a hundred idle plugins must cost nothing.",
        seen: "The attach stays unanswered for five seconds; messages and processor time are measured meanwhile.",
        budgets: &[Budget { what: "the time without a call", limit: IDLE }],
        mutants: &["attach-timeout", "idle-spin"],
        lasts: Duration::from_secs(6),
        run: |rig| Box::pin(pending_is_normal(rig)),
    },
    Check {
        id: "attach.live-at-once",
        level: Level::Must,
        class: Class::Any,
        title: "its components answer at once",
        why: "A host calls as soon as it knows the components; there is no word for `not yet`.",
        seen: "The moment attach arrives, prepare of every component is called with an empty configuration.",
        budgets: &[Budget { what: "the answer to prepare", limit: live::PREPARE }],
        mutants: &["lazy-init-error"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(live::at_once(rig)),
    },
    Check {
        id: "attach.patient",
        level: Level::Must,
        class: Class::Any,
        title: "waits for a host that is slow",
        why: "A host that starts twenty plugins on a busy machine answers the last of them late.",
        seen: "The host keeps the answer to the bootstrap request back for five seconds.",
        budgets: &[Budget { what: "the bootstrap is answered after", limit: LATE }],
        mutants: &["bootstrap-1s-timeout"],
        lasts: Duration::from_secs(6),
        run: |rig| Box::pin(patient(rig)),
    },
    Check {
        id: "attach.promised-host",
        level: Level::Should,
        class: Class::Library,
        title: "attaches to a host that is a promise at first",
        why: "A host that starts, or that a proxy stands before, may answer with a promise, as RPC allows.",
        seen: "The bootstrap request is answered with a promise, which is resolved a second later.",
        budgets: &[],
        mutants: &["breaks-on-resolve"],
        lasts: Duration::from_millis(1200),
        run: |rig| Box::pin(promised::promised_host(rig)),
    },
    Check {
        id: "attach.hello-complete",
        level: Level::Must,
        class: Class::Any,
        title: "says completely who it is and what it offers",
        why: "Templates name components by kind and name; a host cannot ask again for what the hello left out.",
        seen: "The hello is read field by field, without the suite's own library above it.",
        budgets: &[],
        mutants: &["empty-name", "duplicate-component", "unset-component", "null-capability"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(hello::complete(rig)),
    },
    Check {
        id: "attach.schemas-valid",
        level: Level::Must,
        class: Class::Any,
        title: "declares valid schemas",
        why: "Hosts check templates against these schemas before anything runs, and editors complete with them.",
        seen: "Every schema is checked against the meta-schema, and its examples against the schema.",
        budgets: &[],
        mutants: &["schema-not-json", "schema-invalid", "example-fails-schema"],
        lasts: Duration::from_millis(100),
        run: |rig| Box::pin(schemas::valid(rig)),
    },
    Check {
        id: "attach.summary-one-line",
        level: Level::Should,
        class: Class::Any,
        title: "describes its components",
        why: "A list of plugins shows the summaries, and the documentation is all that an offline user has.",
        seen: "The texts of every component in the hello are read.",
        budgets: &[],
        mutants: &["no-summary"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(hello::summaries(rig)),
    },
    Check {
        id: "attach.name-matches-file",
        level: Level::Should,
        class: Class::Any,
        title: "offers what its file name says",
        why: "Hosts find components by file names; what has another name than its file says is not found, or cannot be used.",
        seen: "The name of the executable is compared with those of the components in the hello.",
        budgets: &[],
        mutants: &["wrong-name-for-file"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(hello::name_matches_file(rig)),
    },
    Check {
        id: "attach.hello-stable",
        level: Level::Should,
        class: Class::Any,
        title: "says the same of itself each time",
        why: "What differs for no reason looks like another version, and makes every list of plugins jump.",
        seen: "The plugin is started three times, and its hellos are compared but for the token.",
        budgets: &[],
        mutants: &["random-order-components"],
        lasts: Duration::from_millis(150),
        run: |rig| Box::pin(stable::stable(rig)),
    },
    Check {
        id: "attach.no-side-effects",
        level: Level::Must,
        class: Class::Any,
        title: "attaches and leaves without a trace",
        why: "A host attaches every plugin that a template names only to check the template.",
        seen: "The plugin attaches and leaves; files below HOME, TMPDIR and the working directory are listed before and after, and its sockets in between.",
        budgets: &[],
        mutants: &["phones-home", "creates-cache-dir"],
        lasts: MOMENT,
        run: |rig| Box::pin(traces::no_side_effects(rig)),
    },
];

async fn bootstrap_then_attach(rig: &Rig) -> Checked {
    let trial = rig.meet(Manners::default())?;
    let attached = dialled_and_attached(&trial, rig.patience()).await?;
    let expected = format!("{ATTACH} is called");
    if !trial.plugin.saw(expected, attached, if attached { "it was called" } else { "it was not called" }) {
        return Ok(());
    }
    rig.sleep(MOMENT).await;
    let messages = trial.host.transcript();
    let first = messages.first().map_or_else(|| "nothing".to_owned(), |entry| entry.message.to_string());
    trial.plugin.saw("the first message is the bootstrap request", first.starts_with("bootstrap"), first);
    let others: Vec<String> = before_a_call_of_the_host(&messages).filter(|name| name != ATTACH).collect();
    trial.plugin.saw("nothing but attach is called", others.is_empty(), listed(&others));
    Ok(())
}

/// Whether attach came. A plugin that does not even dial lacks what this is about.
async fn dialled_and_attached(trial: &Trial, patience: Duration) -> Result<bool, crate::check::Stop> {
    let Trial { host, plugin } = trial;
    let attached = tokio::select! {
        heard = host.hears(patience, |message| message.calls(ATTACH)) => heard,
        _ = plugin.exit(patience) => calls(&host.transcript()).any(|name| name == ATTACH),
    };
    if host.connections().is_empty() {
        let observed =
            plugin.ended().map_or_else(|| "it never did".to_owned(), |end| format!("it {end} before"));
        return plugin.lacks("the plugin dials the host, so that the rule can be tried", observed);
    }
    Ok(attached)
}

/// The names of the methods that the plugin called, in order.
fn calls(messages: &[Entry]) -> impl Iterator<Item = String> {
    messages.iter().filter(|entry| entry.sender == Sender::Plugin).filter_map(|entry| entry.message.called())
}

fn before_a_call_of_the_host(messages: &[Entry]) -> impl Iterator<Item = String> {
    let by_host = |entry: &Entry| entry.sender == Sender::Host && entry.message.called().is_some();
    let end = messages.iter().position(by_host).unwrap_or(messages.len());
    calls(&messages[..end])
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "nothing else was called".to_owned()
    } else {
        format!("it called {}", names.join(", "))
    }
}

async fn once(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    rig.sleep(MOMENT).await;
    session.host.answer(Answer::Leave);
    session.plugin.exit(REFUSED).await;
    let count = calls(&session.host.transcript()).filter(|name| name == ATTACH).count();
    session.plugin.saw(
        format!("{ATTACH} is called once"),
        count == 1,
        format!("it was called {count} times"),
    );
    Ok(())
}

async fn refused(rig: &Rig) -> Checked {
    const REASON: &str = "this is the suite's trial of a refusal";
    let session = rig
        .attach(Manners { answer: Some(Answer::Refused(REASON.to_owned())), ..Manners::default() })
        .await?;
    session.plugin.exits_with(3, REFUSED).await;
    let said = session.plugin.stderr().contains(REASON);
    let observed = if said { "it stands there" } else { "it stands nowhere on stderr" };
    session.plugin.saw(format!("the reason, `{REASON}`, is printed on stderr"), said, observed);
    Ok(())
}

async fn pending_is_normal(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    rig.sleep(MOMENT).await;
    let (used_before, sent_before) = (session.plugin.cpu_time(), calls(&session.host.transcript()).count());
    rig.sleep(IDLE).await;
    let end = session.plugin.ended().map_or_else(|| "it waited".to_owned(), |end| format!("it {end}"));
    let waited = session.plugin.ended().is_none() && session.host.open_connections() > 0;
    if !session.plugin.saw("it waits for the answer of attach for as long as that takes", waited, end) {
        return Ok(());
    }
    // What libraries release, and when, is their own business.
    let sent = calls(&session.host.transcript()).count() - sent_before;
    session.plugin.saw("it calls nothing while nobody calls it", sent == 0, format!("it made {sent} calls"));
    let used = session.plugin.cpu_time().saturating_sub(used_before);
    let share = used.as_secs_f64() / rig.stretch(IDLE).as_secs_f64() * 100.0;
    session.plugin.saw(
        "it uses less than 5 % of one processor",
        share < 5.0,
        format!("it used {share:.1} %"),
    );
    Ok(())
}

async fn patient(rig: &Rig) -> Checked {
    let trial = rig.meet(Manners { silent_for: LATE, ..Manners::default() })?;
    let ended = trial.plugin.exit(LATE + MOMENT).await;
    let observed = ended.map_or_else(|| "it waited".to_owned(), |end| format!("it {end}"));
    let expected = format!("it waits for the bootstrap's answer, which comes after {} s", LATE.as_secs());
    if trial.plugin.saw(expected, ended.is_none(), observed) {
        let attached = trial.host.attached(rig.patience()).await.is_some();
        let observed = if attached { "it attached" } else { "it did not attach" };
        trial.plugin.saw("it attaches then, at the latest", attached, observed);
    }
    Ok(())
}
