//! What is looked at after every check, whatever the check was about.
//!
//! A sighting belongs to the requirement that it speaks of, and not to the check in which it was seen: otherwise a
//! plugin with one banner on standard output would fail everything.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Answer, End, Host, Plugin, Rig, family, own_pid};
use crate::check::{Evidence, Observation, Sighting};

/// How long a plugin that is told to leave may take before it is ended; that it leaves is another check's business.
const LEAVE: Duration = Duration::from_secs(1);
/// How long descendants may outlive the process that started them.
const ORPHANS: Duration = Duration::from_secs(1);
/// How many messages, and how many log lines, of one process a file of transcripts holds.
const WHOLE: usize = 2000;
/// The signals that only a crash sends.
pub(super) const CRASHES: [Signal; 7] =
    [Signal::SEGV, Signal::ABORT, Signal::BUS, Signal::ILL, Signal::FPE, Signal::SYS, Signal::TRAP];

/// Lets every session that is still open end in order, then ends what is left.
pub(super) async fn wind_down(rig: &Rig) {
    let started = rig.started.borrow().clone();
    for (plugin, host) in &started {
        if let Some(host) = host {
            host.hold_back(false);
            host.answer(Answer::Leave);
            if host.is_raw() {
                host.disconnect();
            }
        }
        if plugin.ended().is_none() && host.as_ref().is_some_and(|host| is_met(host)) {
            plugin.exit(LEAVE).await;
        }
    }
    for (plugin, _) in started.iter().filter(|(plugin, _)| plugin.ended().is_none()) {
        plugin.signal(Signal::KILL);
        plugin.exit(LEAVE).await;
    }
}

/// Whether its plugin has something to end for.
fn is_met(host: &Host) -> bool {
    host.is_raw() || !host.hellos().is_empty()
}

/// What the watchers see when everything has been told to end.
pub(super) fn sightings(rig: &Rig) -> Vec<Sighting> {
    let started = rig.started.borrow();
    let mut seen = Vec::new();
    for (plugin, host) in started.iter() {
        seen.extend(crash(plugin));
        seen.extend(stdout(plugin));
        seen.extend(stderr(plugin));
        seen.extend(host.iter().flat_map(|host| token(plugin, host)));
    }
    let tidy = |plugin: &Rc<Plugin>| {
        matches!(plugin.ended(), Some(End::Code(_))) && plugin.signalled.borrow().is_empty()
    };
    if started.iter().all(|(plugin, _)| tidy(plugin)) {
        seen.extend(orphans());
        seen.extend(litter(rig));
    }
    seen
}

/// What was captured around one process: the end of it, or as much as a file of transcripts holds.
pub(super) fn evidence(plugin: &Plugin, host: Option<&Host>, whole: bool) -> Evidence {
    let (messages, lines) = if whole { (WHOLE, WHOLE) } else { (Evidence::MESSAGES, Evidence::LINES) };
    let transcript = host.map(|host| host.last_messages(messages)).unwrap_or_default();
    Evidence { transcript, log: plugin.log_tail(lines) }
}

fn sighting(id: Option<&str>, process: Option<&Plugin>, expected: &str, observed: String) -> Sighting {
    let process = process.map(|plugin| plugin.index);
    let expected = expected.to_owned();
    let observation =
        Observation { expected, observed, held: false, measured: None, prerequisite: false, process };
    Sighting { id: id.map(str::to_owned), observation }
}

fn crash(plugin: &Plugin) -> Option<Sighting> {
    let Some(end @ End::Signal(number)) = plugin.ended() else { return None };
    let ours = plugin.signalled.borrow().contains(&number);
    let crashed = CRASHES.iter().any(|signal| signal.as_raw() == number);
    let said = || sighting(None, Some(plugin), "the process does not crash", format!("it {end}"));
    (crashed && !ours).then(said)
}

fn stdout(plugin: &Plugin) -> Option<Sighting> {
    let printed = plugin.stdout_bytes();
    let said = || format!("{} bytes, beginning with {}", plugin.stdout_total(), excerpt(&printed));
    let expected = "nothing is written to standard output";
    (!printed.is_empty()).then(|| sighting(Some("log.stdout-silent"), Some(plugin), expected, said()))
}

fn stderr(plugin: &Plugin) -> Option<Sighting> {
    let printed = plugin.stderr_bytes();
    let foreign = std::str::from_utf8(&printed).err().map(|error| error.valid_up_to());
    let escape = printed.iter().position(|byte| *byte == 0x1b);
    let said = match (foreign, escape) {
        (Some(at), _) => format!("bytes that are no UTF-8: {}", excerpt(&printed[at..])),
        (None, Some(at)) => format!("an escape sequence: {}", excerpt(&printed[at..])),
        (None, None) => return None,
    };
    let expected = "standard error carries lines of UTF-8 without escape sequences";
    Some(sighting(Some("log.stderr-utf8-lines"), Some(plugin), expected, said))
}

/// The token anywhere in the output, or in a message where it does not belong.
fn token(plugin: &Plugin, host: &Host) -> Vec<Sighting> {
    let token = host.token().trim().as_bytes();
    let streams = [("standard output", plugin.stdout_bytes()), ("standard error", plugin.stderr_bytes())];
    let holds = |bytes: &[u8]| !token.is_empty() && bytes.windows(token.len()).any(|window| window == token);
    let leaks = streams.into_iter().filter(|(_, bytes)| holds(bytes));
    let said = leaks.map(|(stream, _)| format!("the token stands on {stream}"));
    said.map(|said| sighting(Some("token.not-echoed"), Some(plugin), "the token is printed nowhere", said))
        .collect()
}

/// What is left below us when every process that we started has ended of its own accord.
fn orphans() -> Vec<Sighting> {
    let deadline = Instant::now() + ORPHANS;
    let mut left = family::descendants(own_pid());
    while !left.is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
        left = family::descendants(own_pid());
    }
    let said =
        left.into_iter().map(|relative| format!("process {} `{}` lives on", relative.pid, relative.command));
    said.map(|said| sighting(Some("exit.leave"), None, "all processes of the plugin end with it", said))
        .collect()
}

fn litter(rig: &Rig) -> Option<Sighting> {
    let left = rig.places.litter();
    let names: Vec<String> = left.iter().take(8).map(|path| path.display().to_string()).collect();
    let expected = "no file is created in HOME, TMPDIR or the working directory";
    let said = || format!("{} entries: {}", left.len(), names.join(", "));
    (!left.is_empty()).then(|| sighting(Some("attach.no-side-effects"), None, expected, said()))
}

/// The first bytes of something, in a form that is safe to print.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let first = &bytes[..bytes.len().min(80)];
    format!("{:?}", String::from_utf8_lossy(first))
}
