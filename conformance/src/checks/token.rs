//! Token.

use std::time::Duration;

use futures::future::join_all;

use crate::check::{Check, Checked, Class, Level};
use crate::rig::{Answer, Attached, Entry, Manners, Message, Plugin, Rig, Sender};

/// How long a plugin is watched after a refusal, and how long it has to go.
const WATCHED: Duration = Duration::from_secs(5);

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "token.exact-bytes",
        level: Level::Must,
        class: Class::Any,
        title: "sends the token as it is",
        why: "It is compared byte for byte; who trims or recodes it is a stranger.",
        seen: "Sessions with tokens that begin and end with zeros, in small and in capital letters.",
        budgets: &[],
        mutants: &["token-trimmed", "token-decoded"],
        lasts: Duration::from_millis(100),
        run: |rig| Box::pin(exact_bytes(rig)),
    },
    Check {
        id: "token.refused",
        level: Level::Must,
        class: Class::Any,
        title: "takes a refusal as final",
        why: "A token works once: a second try cannot succeed and looks like an attack.",
        seen: "Two hosts answer `attach`, one with `refused` and one with an exception, and then count connections \
               and calls until the plugin has gone.",
        budgets: &[],
        mutants: &["token-retry"],
        lasts: Duration::from_millis(100),
        run: |rig| Box::pin(refused(rig)),
    },
    Check {
        id: "token.not-echoed",
        level: Level::Must,
        class: Class::Any,
        title: "shows its token to nobody but its host",
        why: "A log that is pasted into a bug report gives the session away.",
        seen: "The token is looked for on stderr and stdout of every process that the suite starts, in its \
               messages beside the hello's `token`, and in files that the plugin leaves.",
        budgets: &[],
        mutants: &["logs-environment"],
        lasts: Duration::from_millis(100),
        run: |rig| Box::pin(not_echoed(rig)),
    },
];

async fn exact_bytes(rig: &Rig) -> Checked {
    let tokens = [
        "0123456789abcdef".repeat(4),
        "00000000DEADbeef".repeat(4),
        format!("{:0>63}A", "0"),
        "F0".repeat(32),
    ];
    join_all(tokens.map(|token| sends(rig, token))).await.into_iter().collect()
}

async fn sends(rig: &Rig, token: String) -> Checked {
    let Attached { plugin, hello, .. } =
        rig.attach(Manners { token: Some(token.clone()), ..Manners::default() }).await?;
    let sent = plugin.read("token of the hello", hello.read().and_then(|hello| hello.get_token()))?;
    let observed = format!("it sent {:?}", String::from_utf8_lossy(sent.as_bytes()));
    plugin.saw(format!("sends the token {token}"), sent.as_bytes() == token.as_bytes(), observed);
    Ok(())
}

async fn refused(rig: &Rig) -> Checked {
    let answers =
        [Answer::Refused("this is a test".to_owned()), Answer::Exception("this is a test".to_owned())];
    join_all(answers.map(|answer| takes_as_final(rig, answer))).await.into_iter().collect()
}

async fn takes_as_final(rig: &Rig, answer: Answer) -> Checked {
    let told = if matches!(answer, Answer::Refused(_)) { "refused" } else { "an exception" };
    let Attached { host, plugin, .. } =
        rig.attach(Manners { answer: Some(answer), ..Manners::default() }).await?;
    plugin.exit(WATCHED).await;
    let messages = host.transcript();
    let Some(answered) = messages.iter().position(|entry| answers_attach(entry, &messages)) else {
        return plugin.lacks("the host's answer can be sent", "it was not");
    };
    let (at, after) = (messages[answered].at, &messages[answered..]);
    let dials = host.connections().into_iter().filter(|dialled| *dialled > at).count();
    plugin.saw(
        format!("does not connect again after {told}"),
        dials == 0,
        format!("{dials} connections after it"),
    );
    let calls = after.iter().filter(|entry| matches!(entry.message, Message::Call { .. })).count();
    plugin.saw(format!("makes no other call after {told}"), calls == 0, format!("{calls} calls after it"));
    Ok(())
}

/// Whether a message is the host's answer to the first `attach`.
fn answers_attach(entry: &Entry, messages: &[Entry]) -> bool {
    let asked = messages.iter().find_map(|entry| match &entry.message {
        Message::Call { question, name, .. } if name == "Host.attach" => Some(*question),
        _ => None,
    });
    let answers = matches!(&entry.message, Message::Return { answer, .. } if Some(*answer) == asked);
    answers && entry.sender == Sender::Host
}

async fn not_echoed(rig: &Rig) -> Checked {
    let Attached { host, plugin, .. } = rig.attach(Manners::default()).await?;
    host.answer(Answer::Leave);
    plugin.exit(WATCHED).await;
    let (sent, more) = host.bytes_from_plugin();
    let copies = occurrences(&sent, host.token());
    let hellos = host.hellos().len();
    let looked_at = if more { ", in what was looked at, the beginning" } else { "" };
    let observed = format!("{copies} times, in {hellos} calls of attach{looked_at}");
    plugin.saw("its messages hold the token only as `token` of the hello", copies <= hellos, observed);
    silent(&plugin, host.token(), "in a session");
    left_files(rig, &plugin, host.token());
    for answer in
        [Answer::Refused("this is a test".to_owned()), Answer::Exception("this is a test".to_owned())]
    {
        let Attached { host, plugin, .. } =
            rig.attach(Manners { answer: Some(answer), ..Manners::default() }).await?;
        plugin.exit(WATCHED).await;
        silent(&plugin, host.token(), "after a refusal");
    }
    Ok(())
}

fn silent(plugin: &Plugin, token: &str, when: &str) {
    for (name, bytes) in [("stderr", plugin.stderr_bytes()), ("stdout", plugin.stdout_bytes())] {
        let times = occurrences(&bytes, token);
        plugin.saw(format!("{name} does not show the token {when}"), times == 0, format!("{times} times"));
    }
}

fn left_files(rig: &Rig, plugin: &Plugin, token: &str) {
    let root = rig.places().home.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let holds = |path: &std::path::PathBuf| {
        std::fs::read(root.join(path)).is_ok_and(|bytes| occurrences(&bytes, token) > 0)
    };
    let told: Vec<_> = rig.places().litter().into_iter().filter(holds).collect();
    plugin.saw("no file holds the token", told.is_empty(), format!("files that do: {told:?}"));
}

fn occurrences(bytes: &[u8], token: &str) -> usize {
    bytes.windows(token.len().max(1)).filter(|window| *window == token.as_bytes()).count()
}
