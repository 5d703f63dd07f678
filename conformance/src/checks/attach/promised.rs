//! A host that is a promise at first.

use std::time::Duration;

use crate::check::Checked;
use crate::raw::{Fares, Meeting, write};
use crate::rig::Rig;

/// How long the host stays a promise.
const PROMISED: Duration = Duration::from_secs(1);
/// How soon a plugin exits that was told to leave.
const LEAVE: Duration = Duration::from_secs(5);

pub(super) async fn promised_host(rig: &Rig) -> Checked {
    let (promise, host) = (0, 1);
    let meeting = Meeting::begin(rig).await?;
    meeting.link.write(&write::promised(meeting.bootstrap, promise)).await;
    rig.sleep(PROMISED).await;
    meeting.link.write(&write::resolved(promise, host)).await;
    let attached = meeting.attached().await;
    let observed = if attached.is_some() { "it did" } else { "no attach came" };
    meeting.plugin.saw("attaches to a host that was a promise at first", attached.is_some(), observed);
    let Some(session) = attached else { return Ok(()) };
    let session = meeting.plugin.read("hello", session)?;
    let fares = session.fares().await;
    if session.plugin.saw("answers calls afterwards", fares == Fares::On, fares.to_string()) {
        session.leave().await;
        session.plugin.exits_as("told to leave, it ", 0, LEAVE).await;
    }
    Ok(())
}
