//! What a communicator says of itself.

use super::{COMMUNICATOR, MOMENT};
use crate::check::{Check, Checked, Class, Level, Stop};
use crate::components::text;
use crate::rig::Rig;
use crate::stage::{Cast, INFO, Offer, Outcome};

pub(super) const TYPE: Check = Check {
    id: "comm.type",
    level: Level::Must,
    class: Class::Scenario,
    title: "says of which type it is",
    why: "Builders put it into `ConnType`, and templates ask for that.",
    seen: "`info` of a communicator that was opened is compared with the name of its component.",
    budgets: &[],
    mutants: &["says-it-is-ssh"],
    lasts: MOMENT,
    run: |rig| Box::pin(kind(rig)),
};

async fn kind(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Offer::Prepares(preparer) = &actor.offer else { continue };
        let stage = actor.stage(rig)?;
        // What it opens may go with it: it stays until the communicator was asked.
        let Some(object) = actor.prepare(rig, &cast.session, &stage, &actor.good()).await? else { continue };
        let running = object.start(rig, &stage).map_err(|error| Stop::rig("a run cannot begin", error))?;
        let outcome = actor.ends(rig, &cast.session, &running).await?.outcome;
        let Outcome::Communicator(Some(client)) = &outcome else {
            cast.misses(actor, "opens a communicator", outcome.told());
            continue;
        };
        let answer = tokio::time::timeout(rig.stretch(INFO), client.info_request().send().promise).await;
        let told = match answer {
            Ok(answer) => answer.and_then(|answer| text(answer.get()?.get_info()?.get_type())),
            Err(_) => Err(capnp::Error::failed("no answer came".to_owned())),
        };
        let held = told.as_ref().is_ok_and(|told| *told == preparer.name);
        let observed = told.map_or_else(|error| error.extra, |told| format!("{told:?}"));
        cast.saw(actor, &format!("says that its type is `{}`", preparer.name), held, observed);
    }
    cast.over()
}
