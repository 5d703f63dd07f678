//! What prepare tells: every problem at once, and warnings without a refusal.

use serde_json::Value;

use super::schema_of;
use crate::check::{Checked, Stop};
use crate::checks::runs::PREPARING;
use crate::rig::{Attached, Manners, Rig};
use crate::scenario::{Key, Told};
use crate::stage::{Cast, Offer};
use crate::talk::diagnostic::is_at_or_below;
use crate::talk::{Diagnostic, Preparer, preparers};

pub(super) async fn all_problems(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let mut simple = Vec::new();
    for component in preparers(&session)? {
        match schema_of(&component).wrong_in_several_places() {
            Some((config, places)) => tells_all(rig, &session, &component, (&config, &places)).await,
            None => simple.push(component.title.clone()),
        }
        let part = rig.scenario().and_then(|scenario| scenario.part(component.kind, &component.name));
        for Told { config, path, also } in part.iter().flat_map(|part| &part.invalid) {
            let places: Vec<String> = std::iter::once(path).chain(also).cloned().collect();
            if places.len() > 1 {
                tells_all(rig, &session, &component, (config, &places)).await;
            }
        }
    }
    match session.plugin.has_observations() {
        true => Ok(()),
        false => Err(Stop::NotApplicable(format!(
            "the schema of the {} cannot be broken in two places",
            simple.join(" and the ")
        ))),
    }
}

async fn tells_all(
    rig: &Rig,
    session: &Attached,
    component: &Preparer,
    (config, places): (&Value, &[String]),
) {
    let answer = component.prepare(rig, config.to_string().as_bytes()).await;
    let untold = untold(answer.diagnostics(), places, Diagnostic::is_error);
    let expected = format!("the {} tells of {} at once in {config}", component.title, places.join(", "));
    let observed = format!("untold: {untold:?}; {}", answer.told());
    session.plugin.saw(expected, untold.is_empty(), observed);
}

pub(super) async fn warnings_not_fatal(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, PREPARING).await?;
    for actor in &cast.actors {
        let Offer::Prepares(preparer) = &actor.offer else { continue };
        if actor.part.warns.is_empty() {
            cast.needs(actor, Key::Warns);
        }
        let stage = actor.stage(rig)?;
        for Told { config, path, also } in &actor.part.warns {
            let config = stage.filled(config);
            let answer = preparer.prepare(rig, config.to_string().as_bytes()).await;
            let places: Vec<String> = std::iter::once(path).chain(also).cloned().collect();
            let warned = untold(answer.diagnostics(), &places, |one| one.severity == "warning").is_empty();
            let promise = format!("warns of {} in {config}", places.join(", "));
            cast.saw(actor, &promise, warned, answer.told());
            let taken = answer.given().is_some_and(|prepared| prepared.object.is_some());
            cast.saw(actor, "gives an object all the same", taken, answer.told());
        }
    }
    cast.over()
}

/// The places that no diagnostic of this kind leads to.
fn untold<'a>(
    told: &[Diagnostic],
    places: &'a [String],
    counts: impl Fn(&Diagnostic) -> bool,
) -> Vec<&'a str> {
    let leads_to = |place: &str| told.iter().any(|one| counts(one) && is_at_or_below(&one.path, place));
    places.iter().map(String::as_str).filter(|place| !leads_to(place)).collect()
}
