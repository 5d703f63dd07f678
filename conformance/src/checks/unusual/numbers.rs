//! Numbers: those that other types than the author's hold differently.

use futures::future::join_all;
use serde_json::Value;

use crate::check::Checked;
use crate::checks::prepare::schema_of;
use crate::checks::runs::PREPARING;
use crate::rig::{Manners, Rig};
use crate::scenario::Key;
use crate::stage::{Actor, Cast};
use crate::talk::{Preparer, preparers};

/// The integers that every reader of JSON holds exactly, up to the largest.
const INTEGERS: [i64; 3] = [9_007_199_254_740_991, -9_007_199_254_740_991, 9_007_199_254_740_990];
/// What a configuration may hold in place of any member.
const NUMBERS: [&str; 9] = [
    "9007199254740991",
    "-9007199254740991",
    "18446744073709551616",
    "1e308",
    "1e400",
    "-0.0",
    "5e-324",
    "0.1000000000000000055511151231257827021181583404541015625",
    "3.141592653589793238462643383279502884197",
];
/// Which text of a scenario's configuration stands for an integer.
const PLACE: &str = "${integer}";
/// How many members are tried.
const MEMBERS: usize = 40;
/// How many calls are under way together: a slow plugin has other things to be tried for.
const AT_ONCE: usize = 32;

pub(super) async fn exact(rig: &Rig) -> Checked {
    if rig.offers_one_of(PREPARING) {
        let session = rig.attach(Manners::default()).await?;
        for component in preparers(&session)? {
            let texts = texts(&component);
            let mut failures = Vec::new();
            for texts in texts.chunks(AT_ONCE) {
                let answers = texts.iter().map(|text| component.prepare(rig, text.as_bytes()));
                let answers = join_all(answers).await;
                let silent = texts.iter().zip(&answers).filter(|(_, answer)| answer.given().is_none());
                failures.extend(silent.map(|(text, answer)| format!("{text}: {}", answer.told())));
            }
            let expected = format!("the {} answers whatever the number", component.title);
            session.plugin.saw_of_all(expected, texts.len(), failures);
        }
    }
    let cast = Cast::assemble(rig, PREPARING).await?;
    for actor in &cast.actors {
        match &actor.part.integer {
            Some(config) => keeps_integers(rig, &cast, actor, config).await?,
            None => cast.needs(actor, Key::Integer),
        }
    }
    cast.over()
}

/// An example with each number in place of each member.
fn texts(component: &Preparer) -> Vec<String> {
    let schema = schema_of(component);
    let base = schema.bases().into_iter().next().unwrap_or_default();
    let mut texts = Vec::new();
    for key in schema.keys().into_iter().take(MEMBERS) {
        let mut config = base.clone();
        config.insert(key, PLACE.into());
        let text = Value::Object(config).to_string();
        texts.extend(NUMBERS.map(|number| text.replace(&format!("{PLACE:?}"), number)));
    }
    texts
}

async fn keeps_integers(rig: &Rig, cast: &Cast, actor: &Actor, config: &Value) -> Checked {
    for integer in INTEGERS {
        let stage = actor.stage(rig)?;
        let config = with(config, integer);
        if actor.refuses(rig, &stage, &config).await {
            cast.saw(actor, &format!("takes {integer} or refuses it"), true, "it refuses it".to_owned());
            continue;
        }
        let running = actor.start(rig, &cast.session, &stage, &config).await?;
        let ended = actor.ends(rig, &cast.session, &running).await?;
        let kept = stage.traces(&ended).await.contains(&integer.to_string());
        let observed =
            if kept { "it came".to_owned() } else { format!("it came nowhere; {}", ended.outcome.told()) };
        cast.saw(actor, &format!("yields {integer} with the same digits"), kept, observed);
    }
    Ok(())
}

/// A configuration with a number where the scenario has its place.
fn with(config: &Value, integer: i64) -> Value {
    match config {
        Value::String(text) if text == PLACE => integer.into(),
        Value::Array(all) => all.iter().map(|one| with(one, integer)).collect(),
        Value::Object(all) => all.iter().map(|(key, one)| (key.clone(), with(one, integer))).collect(),
        other => other.clone(),
    }
}
