//! Messages that come byte by byte.

use std::time::Duration;

use crate::check::Checked;
use crate::raw::{Meeting, write};
use crate::rig::Rig;

/// How long one message takes.
const DRIPS: Duration = Duration::from_secs(2);

pub(super) async fn drip(rig: &Rig) -> Checked {
    let meeting = Meeting::begin(rig).await?;
    let answer = write::hosted(meeting.bootstrap, 0);
    meeting.link.drip(&answer, pause(&answer)).await;
    let attached = meeting.attached().await;
    let (expected, observed) = match &attached {
        Some(_) => ("it attached", true),
        None => ("no attach came", false),
    };
    meeting.plugin.saw("attaches when its bootstrap capability comes byte by byte", observed, expected);
    let Some(session) = attached else { return Ok(()) };
    let session = meeting.plugin.read("hello", session)?;
    let question = session.question();
    let call = session.call(question);
    session.link.drip(&call, pause(&call)).await;
    let fares = session.fared(question).await;
    let answered = fares == crate::raw::Fares::On;
    session.plugin.saw("answers a call that comes byte by byte", answered, fares.to_string());
    Ok(())
}

fn pause(bytes: &[u8]) -> Duration {
    DRIPS / u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
