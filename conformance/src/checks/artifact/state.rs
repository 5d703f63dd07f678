//! The states of an artifact: what `describe` has no field for.

use packwire_schema::artifact_capnp::artifact;
use serde_json::Value;

use super::{MAKERS, MOMENT, QUICK, made};
use crate::check::{Check, Checked, Class, Level};
use crate::components::text;
use crate::rig::Rig;
use crate::stage::Cast;
use crate::talk::diagnostic::shortened;

/// A state that no artifact has.
const UNKNOWN: &str = "packwire.conformance.no-such-state";

pub(super) const STATE: Check = Check {
    id: "artifact.state",
    level: Level::Must,
    class: Class::Scenario,
    title: "answers its states as JSON, and nothing for others",
    why: "A post-processor asks any artifact for what it would like to know, and parses what it is told.",
    seen: "The artifact of a run is asked for a state that none has, and for those that the scenario's `states` name.",
    budgets: &[],
    mutants: &["unknown-state-is-null", "state-not-json"],
    lasts: MOMENT,
    run: |rig| Box::pin(state(rig)),
};

async fn state(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, MAKERS).await?;
    for actor in &cast.actors {
        let Some(artifact) = made(rig, &cast, actor).await? else { continue };
        let told = asked(rig, &artifact, UNKNOWN).await;
        let promise = "answers an empty text for a state that it does not know";
        cast.saw(actor, promise, told.as_ref().is_ok_and(String::is_empty), format!("{told:?}"));
        for name in &actor.part.states {
            let told = asked(rig, &artifact, name).await;
            let is_json = told.as_ref().is_ok_and(|told| serde_json::from_str::<Value>(told).is_ok());
            let told = told.map(|told| shortened(&told));
            cast.saw(actor, &format!("answers its state `{name}` as JSON"), is_json, format!("{told:?}"));
        }
    }
    cast.over()
}

/// What it says of a state, or why it says nothing.
async fn asked(rig: &Rig, artifact: &artifact::Client, name: &str) -> Result<String, String> {
    let mut request = artifact.state_request();
    request.get().set_name(name);
    let answer = tokio::time::timeout(rig.stretch(QUICK), request.send().promise).await;
    let answer = answer.map_err(|_| "no answer came".to_owned())?;
    let read = answer.and_then(|answer| text(answer.get()?.get_value()));
    read.map_err(|error| format!("it threw: {}", shortened(&error.extra)))
}
