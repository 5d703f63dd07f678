//! Messages that are none that a host would send.

use std::time::Duration;

use futures::future::try_join_all;

use crate::check::Checked;
use crate::raw::write::{self, Target};
use crate::raw::{Fares, Session};
use crate::rig::{End, Rig};

const UNKNOWN_KIND: u16 = 4711;
/// Nothing has this id.
const NOTHING: u32 = 4711;
/// How soon a message is answered that asks for no work.
const ANSWER: Duration = Duration::from_secs(10);

pub(super) async fn unknown(rig: &Rig) -> Checked {
    let session = Session::begin(rig).await?;
    session.link.write(&write::unknown(UNKNOWN_KIND)).await;
    let question = session.question();
    session.link.write(&session.call(question)).await;
    let fares = session.fared(question).await;
    let said = session.link.hears(rig.stretch(ANSWER), |frame| frame.is_unimplemented().then_some(())).await;
    let observed = if said.is_some() { "it was" } else { "no such answer came" };
    let expected = format!("a message of the kind {UNKNOWN_KIND} is answered with `unimplemented`");
    session.plugin.saw(expected, said.is_some(), observed);
    session.plugin.saw("the session goes on", fares == Fares::On, fares.to_string());
    Ok(())
}

/// An id that is not what it should be.
#[derive(Clone, Copy)]
enum BadId {
    UnknownCapability,
    UnknownAnswer,
    QuestionInUse,
    ReleasedTooOften,
    AnswerToNothing,
}

impl BadId {
    const ALL: [Self; 5] = [
        Self::UnknownCapability,
        Self::UnknownAnswer,
        Self::QuestionInUse,
        Self::ReleasedTooOften,
        Self::AnswerToNothing,
    ];

    fn told(self) -> &'static str {
        match self {
            Self::UnknownCapability => "a call on a capability that it has not sent",
            Self::UnknownAnswer => "a call on the answer to a question that was not asked",
            Self::QuestionInUse => "a call with the id of another one",
            Self::ReleasedTooOften => "a release of more references than it has given",
            Self::AnswerToNothing => "an answer to a question that it has not asked",
        }
    }

    async fn send(self, session: &Session<'_>) {
        let on = |target| write::call(session.question(), target, 1, 0, |_| Ok(()));
        let bytes = match self {
            Self::UnknownCapability => on(Target::Export(NOTHING)),
            Self::UnknownAnswer => on(Target::Answer(NOTHING)),
            Self::QuestionInUse => {
                let question = session.question();
                let call = session.call(question);
                session.link.write(&call).await;
                // Answered or not, it is in use until it is finished.
                session.answered(question).await;
                call
            }
            Self::ReleasedTooOften => write::release(session.first, 1_000_000),
            Self::AnswerToNothing => write::empty_answer(NOTHING),
        };
        session.link.write(&bytes).await;
    }
}

pub(super) async fn bad_ids(rig: &Rig) -> Checked {
    try_join_all(BadId::ALL.map(|bad| bad_id(rig, bad))).await?;
    Ok(())
}

async fn bad_id(rig: &Rig, bad: BadId) -> Checked {
    let session = Session::begin(rig).await?;
    bad.send(&session).await;
    let fares = session.fares().await;
    let expected = format!("after {} it goes on, or exits with status 4", bad.told());
    session.plugin.saw(expected, matches!(fares, Fares::On | Fares::Ended(End::Code(4))), fares.to_string());
    Ok(())
}
