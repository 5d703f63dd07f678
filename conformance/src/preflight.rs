//! One attempt to attach before any check: a program that never attaches gets one clear verdict instead of forty.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::components::{Kind, MOST_COMPONENTS, text};
use crate::rig::{Hello, Manners, Rig, Trial};
use crate::talk::diagnostic::shortened;

/// How the program met a host for the first time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Preflight {
    /// It attached, this long after its start.
    Attached(Introduction, Duration),
    /// It was started and did not attach.
    NeverAttached {
        /// How it ended, if it did.
        end: Option<String>,
        /// For how long it was waited for, in milliseconds.
        waited_ms: u64,
        /// How many connections came.
        connections: usize,
        /// Whether it said that it is a plugin of Packer's own protocol.
        packer: bool,
        /// The last lines that it printed, on either stream.
        log: Vec<String>,
    },
    /// It could not be started.
    CannotStart(String),
}

/// What a plugin said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The protocol version that it chose.
    pub protocol: u16,
    /// Its components, as `builder custom-cloud`.
    pub components: Vec<String>,
}

/// Starts the program for a host and sees what comes; ends it again.
pub(crate) async fn meet(rig: Rig, within: Duration) -> Preflight {
    let seen = match rig.meet(Manners::default()) {
        Ok(trial) => first_meeting(&trial, within).await,
        Err(stop) => Preflight::CannotStart(why(stop)),
    };
    rig.finish(None).await;
    seen
}

async fn first_meeting(Trial { host, plugin }: &Trial, within: Duration) -> Preflight {
    tokio::select! {
        _ = host.attached(within) => {}
        _ = plugin.exit(within) => {}
    }
    if let Some(hello) = host.hellos().first() {
        return Preflight::Attached(introduction(hello).unwrap_or_default(), plugin.age());
    }
    let printed = format!("{}{}", String::from_utf8_lossy(&plugin.stdout_bytes()), plugin.stderr());
    let lines: Vec<&str> = printed.lines().collect();
    Preflight::NeverAttached {
        end: plugin.ended().map(|end| end.to_string()),
        waited_ms: u64::try_from(plugin.lifetime().unwrap_or(plugin.age()).as_millis()).unwrap_or(u64::MAX),
        connections: host.connections().len(),
        packer: speaks_packers_own(&printed),
        log: lines[lines.len().saturating_sub(10)..]
            .iter()
            .map(|line| line.chars().take(300).collect())
            .collect(),
    }
}

/// What plugins of Packer's own protocol, and of HashiCorp's library under it, print without their cookie, or with it.
pub(crate) fn speaks_packers_own(printed: &str) -> bool {
    let printed = printed.to_lowercase();
    [
        "do not execute plugins directly",
        "plugins are not meant to be executed directly",
        "this binary is a plugin",
    ]
    .iter()
    .any(|sentence| printed.contains(sentence))
        || printed.lines().any(is_handshake)
}

/// Where such a plugin listens: `1|5|unix|/tmp/plugin123|netrpc`, or `5|0|tcp|127.0.0.1:10000`.
fn is_handshake(line: &str) -> bool {
    let fields: Vec<&str> = line.trim().split('|').collect();
    let is_number = |field: &str| !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
    matches!(fields[..], [core, app, "unix" | "tcp", address, ..] if is_number(core) && is_number(app) && !address.is_empty())
}

/// What a hello says of its plugin.
pub(crate) fn introduction(hello: &Hello) -> capnp::Result<Introduction> {
    let hello = hello.read()?;
    let mut components = Vec::new();
    for offered in hello.get_components()?.iter().take(MOST_COMPONENTS) {
        let kind = Kind::of(offered).map_or("component", Kind::word);
        components.push(format!("{kind} {}", shortened(&text(offered.get_name())?)));
    }
    let (name, version) = (shortened(&text(hello.get_name())?), shortened(&text(hello.get_version())?));
    Ok(Introduction { name, version, protocol: hello.get_protocol_version(), components })
}

fn why(stop: crate::check::Stop) -> String {
    match stop {
        crate::check::Stop::Rig(why)
        | crate::check::Stop::NotApplicable(why)
        | crate::check::Stop::NotExercised(why) => why,
        crate::check::Stop::Prerequisite => "a prerequisite is missing".to_owned(),
    }
}
