//! `doctor`: the first hour of a plugin, from the file to the end of a session, step by step.
//!
//! It stops at the first step that does not work, since those after it build on it, and says what to do there. It asks
//! nothing of the plugin that the suite would not ask; what is found here is no verdict.

use std::time::Duration;

use packwire_schema::attach_capnp::hello;

use crate::check::Stop;
use crate::components::{self, Offered, text};
use crate::preflight;
use crate::report::start_hint;
use crate::rig::{Answer, End, Launch, Manners, Message, Plugin, Rig, Trial};
use crate::step::Step;

/// How long a plugin has to leave, as SPEC.md says.
const LEAVE: Duration = Duration::from_secs(5);
/// How long a plugin has to say that it is none that people start, as SPEC.md says.
const BY_HAND: Duration = Duration::from_secs(2);
/// How long is waited for the next step of one that connected.
const NEXT: Duration = Duration::from_secs(5);

/// Goes through all steps; the last one is wrong, or everything is well.
pub(crate) async fn examine(rig: Rig, within: Duration) -> Vec<Step> {
    let mut steps = Vec::new();
    // Each step that is wrong ends the examination, and stands at the end of the list itself.
    if let Ok(trial) = starts(&rig, &mut steps) {
        session(&trial, within, &mut steps).await;
        if steps.iter().all(Step::is_fine) {
            by_hand(&rig, &mut steps).await;
        }
    }
    rig.finish(None).await;
    steps
}

fn starts(rig: &Rig, steps: &mut Vec<Step>) -> Result<Trial, ()> {
    match rig.meet(Manners::default()) {
        Ok(trial) => {
            let pid = trial.plugin.pid();
            steps.push(Step::fine("starts", format!("process {pid}, with the three variables of a host")));
            Ok(trial)
        }
        Err(stop) => {
            let why = match stop {
                Stop::Rig(why) | Stop::NotApplicable(why) | Stop::NotExercised(why) => why,
                Stop::Prerequisite => "a prerequisite is missing".to_owned(),
            };
            let hint =
                start_hint(&why).unwrap_or_else(|| "start it by hand, and see what is missing".to_owned());
            steps.push(Step::wrong("starts", why, hint));
            Err(())
        }
    }
}

async fn session(trial: &Trial, within: Duration, steps: &mut Vec<Step>) {
    let Trial { host, plugin } = trial;
    let dialled = async {
        while host.connections().is_empty() && plugin.ended().is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    // Whether it came or not is looked at below.
    drop(tokio::time::timeout(within, dialled).await);
    if plugin.ended().is_some() {
        // What it printed last is on its way.
        plugin.exit(NEXT).await;
    }
    if host.connections().is_empty() {
        steps.push(never_connected(plugin));
        return;
    }
    let address = host.address().to_string_lossy().into_owned();
    steps.push(Step::fine(
        "connects",
        format!("to {address}, {} ms after its start", plugin.age().as_millis()),
    ));
    if !speaks(trial, steps).await || !attaches(trial, steps).await || !introduces_itself(trial, steps) {
        return;
    }
    host.answer(Answer::Leave);
    let end = plugin.exit(LEAVE).await;
    let advice =
        "`attach` was answered with `leave`: return from the session, close everything, exit with status 0";
    steps.push(match end {
        Some(End::Code(0)) => {
            Step::fine("leaves", "`attach` was answered with `leave`, and it exited with status 0")
        }
        Some(end) => Step::wrong("leaves", format!("it {end}"), advice).saying(said(plugin)),
        None => Step::wrong("leaves", "5 s after `leave` it was still running", advice).saying(said(plugin)),
    });
}

fn never_connected(plugin: &Plugin) -> Step {
    let printed = format!("{}{}", String::from_utf8_lossy(&plugin.stdout_bytes()), plugin.stderr());
    if preflight::speaks_packers_own(&printed) {
        let advice = "this is a plugin of Packer's own protocol: it needs a bridge between the two, or another main \
                      function, which dials instead of listening";
        return Step::wrong("connects", "it speaks Packer's own plugin protocol", advice)
            .saying(said(plugin));
    }
    let listening: Vec<String> =
        plugin.sockets().into_iter().filter(|socket| socket.listening).map(|it| it.to_string()).collect();
    let (seen, advice) = match plugin.ended() {
        Some(end @ End::Code(2 | 3)) => (
            format!("it {end} without connecting"),
            "2 means that it cannot use the variables, 3 that no version fits: it was given a `unix:` address, a \
             token of 64 digits, and PACKER_PLUGIN_PROTOCOL=1",
        ),
        Some(end) => (
            format!("it {end} without connecting"),
            "it has to read PACKER_PLUGIN_ADDRESS and dial it before anything else; what it said may tell why it ended",
        ),
        None if !listening.is_empty() => (
            format!("it listens on {} and waits", listening.join(", ")),
            "here the host listens and the plugin dials: connect to the address in PACKER_PLUGIN_ADDRESS",
        ),
        None => (
            "it runs and does not connect".to_owned(),
            "it has to read PACKER_PLUGIN_ADDRESS and dial it at once; is it waiting for its standard input, or for \
             an argument?",
        ),
    };
    Step::wrong("connects", seen, advice).saying(said(plugin))
}

/// Whether its first message is the request for the bootstrap capability.
async fn speaks(Trial { host, plugin }: &Trial, steps: &mut Vec<Step>) -> bool {
    host.hears(NEXT, |message| *message != Message::Bootstrap { question: u32::MAX }).await;
    let first = host.from_plugin().into_iter().next().map(|entry| entry.message);
    let (seen, advice) = match first {
        Some(Message::Bootstrap { question }) => {
            steps.push(Step::fine(
                "bootstraps",
                format!("it asks for the bootstrap capability, question {question}"),
            ));
            return true;
        }
        Some(Message::Garbage(why)) => (
            format!("its first bytes are no message: {why}"),
            "the connection carries Cap'n Proto's two-party RPC from its first byte: no packing, no TLS, no HTTP, no \
             line of text before it",
        ),
        Some(other) => (
            format!("its first message is `{other}`"),
            "an RPC library does this part: ask it for the bootstrap capability of the connection",
        ),
        None => (
            format!("it connected and sent nothing{}", how_it_ended(plugin)),
            "ask the RPC library for the bootstrap capability; most of them send nothing before you do",
        ),
    };
    steps.push(Step::wrong("bootstraps", seen, advice).saying(said(plugin)));
    false
}

async fn attaches(Trial { host, plugin }: &Trial, steps: &mut Vec<Step>) -> bool {
    tokio::select! {
        _ = host.attached(NEXT) => {}
        _ = plugin.exit(NEXT) => {}
    }
    let called = host.from_plugin().into_iter().find_map(|entry| entry.message.called());
    let (seen, advice) = match called {
        Some(name) if name == "Host.attach" => {
            steps.push(Step::fine(
                "attaches",
                "it calls `Host.attach`, which stays unanswered: that is the session",
            ));
            return true;
        }
        Some(name) => (
            format!("its first call is `{name}`"),
            "cast the bootstrap capability to `Host` of schema/packwire/attach.capnp, and call `attach` first",
        ),
        None => (
            format!("it has the bootstrap capability and calls nothing{}", how_it_ended(plugin)),
            "call `attach` with a hello; a library that sends lazily needs the call to be awaited",
        ),
    };
    steps.push(Step::wrong("attaches", seen, advice).saying(said(plugin)));
    false
}

fn introduces_itself(Trial { host, plugin }: &Trial, steps: &mut Vec<Step>) -> bool {
    let Some(hello) = host.hellos().first().cloned() else { return false };
    let told = hello.read().and_then(|hello| introduced(hello, host.token()));
    let step = match told {
        Ok(Ok(seen)) => Step::fine("says hello", seen),
        Ok(Err((seen, advice))) => Step::wrong("says hello", seen, advice).saying(said(plugin)),
        Err(error) => Step::wrong(
            "says hello",
            format!("its hello cannot be read: {error}"),
            "is it built from the schema of this version of SPEC.md?",
        ),
    };
    steps.push(step);
    steps.iter().all(Step::is_fine)
}

/// What it said of itself, or what is wrong with that and what to do.
fn introduced(
    hello: hello::Reader<'_>,
    token: &str,
) -> capnp::Result<Result<String, (String, &'static str)>> {
    let (name, version) = (text(hello.get_name())?, text(hello.get_version())?);
    let offered = components::offered(hello)?;
    let titles: Vec<&str> = offered.iter().map(|one| one.title.as_str()).collect();
    let lacks = |one: &&Offered<'_>| one.kind.is_none() || !one.has_capability();
    Ok(match () {
        () if hello.get_token()?.as_bytes() != token.as_bytes() => Err((
            "its token is not the one that it was given".to_owned(),
            "send the value of PACKER_PLUGIN_TOKEN as it is: not trimmed, not decoded, not made upper case",
        )),
        () if hello.get_protocol_version() != 1 => Err((
            format!("it chose protocol version {}, and 1 was offered", hello.get_protocol_version()),
            "set `protocolVersion` to the highest version in PACKER_PLUGIN_PROTOCOL that the plugin speaks",
        )),
        () if offered.is_empty() => {
            Err(("it offers no component".to_owned(), "fill `components`: that is what a host comes for"))
        }
        () => match offered.iter().find(lacks) {
            Some(one) => Err((
                format!("its {} has no kind or no capability", one.title),
                "set the member of the union that is its kind to the object that serves it",
            )),
            None => Ok(format!("{name} {version}, with {}", titles.join(", "))),
        },
    })
}

async fn by_hand(rig: &Rig, steps: &mut Vec<Step>) {
    let Ok(plugin) = rig.launch(&Launch::bare()) else { return };
    let advice = "people type names of executables: say on stderr that this is a plugin which a host starts, and exit \
                  with status 2";
    steps.push(match plugin.exit(BY_HAND).await {
        Some(End::Code(2)) if !plugin.stderr_bytes().is_empty() => {
            Step::fine("by hand", "without the variables it says what it is, and exits with status 2")
        }
        Some(end @ End::Code(2)) => {
            Step::wrong("by hand", format!("without the variables it {end} in silence"), advice)
        }
        Some(end) => {
            Step::wrong("by hand", format!("without the variables it {end}"), advice).saying(said(&plugin))
        }
        None => Step::wrong("by hand", "without the variables it still ran after 2 s", advice)
            .saying(said(&plugin)),
    });
}

fn how_it_ended(plugin: &Plugin) -> String {
    plugin.ended().map(|end| format!("; it {end}")).unwrap_or_default()
}

/// The last lines of what it printed, on either stream.
fn said(plugin: &Plugin) -> Vec<String> {
    let printed = format!("{}{}", String::from_utf8_lossy(&plugin.stdout_bytes()), plugin.stderr());
    let lines: Vec<&str> = printed.lines().collect();
    let last = &lines[lines.len().saturating_sub(10)..];
    last.iter().map(|line| line.chars().take(300).collect()).collect()
}
