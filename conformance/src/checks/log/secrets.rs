//! Secrets, and where they must not stand.

use super::LIFE;
use crate::check::Checked;
use crate::components::Kind;
use crate::rig::{Answer, Rig};
use crate::scenario::Key;
use crate::stage::{Actor, Cast, Offer, Outcome, SECRET};
use crate::talk::{Diagnostic, Schema};

/// Runs with a secret in the configuration and looks for it.
pub(super) async fn sensitive_values(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    for actor in &cast.actors {
        let Some(secret) = actor.part.secret.clone().filter(|_| has_secrets(actor)) else {
            match has_secrets(actor) {
                true => cast.needs(actor, Key::Secret),
                false => cast.lacks(actor, "member that its schema calls `writeOnly`"),
            }
            continue;
        };
        let watch = cast.watch_children(rig);
        let stage = actor.stage(rig)?;
        let running = actor.start(rig, &cast.session, &stage, &secret).await?;
        let ended = actor.ends(rig, &cast.session, &running).await?;
        let plugin = &cast.session.plugin;
        let told = match &ended.outcome {
            Outcome::Failed(all) => all.iter().map(Diagnostic::in_full).collect(),
            other => other.told(),
        };
        let arguments: Vec<String> = watch.seen().into_iter().map(|child| child.command).collect();
        let stdout = String::from_utf8_lossy(&plugin.stdout_bytes()).into_owned();
        for (place, text) in [
            ("its log", plugin.stderr()),
            ("its standard output", stdout),
            ("its Ui", stage.said()),
            ("its outcome", told),
            ("its generated data", ended.generated.clone()),
            ("the arguments of its children", arguments.join("\n")),
        ] {
            let seen = text.contains(SECRET);
            let observed = if seen { "it stands there" } else { "it does not" };
            cast.saw(actor, &format!("keeps the secret out of {place}"), !seen, observed.to_owned());
        }
    }
    until_the_end(&cast).await;
    cast.over()
}

/// Looks once more when all is said: some logs are written late.
async fn until_the_end(cast: &Cast) {
    let plugin = &cast.session.plugin;
    if !plugin.has_observations() {
        return;
    }
    cast.session.host.answer(Answer::Leave);
    plugin.exit(LIFE).await;
    let printed = [plugin.stderr_bytes(), plugin.stdout_bytes()].concat();
    let seen = String::from_utf8_lossy(&printed).contains(SECRET);
    let observed = if seen { "it stands there" } else { "it does not" };
    plugin.saw("keeps the secrets of all runs out of its log until its end", !seen, observed.to_owned());
}

fn has_secrets(actor: &Actor) -> bool {
    match &actor.offer {
        Offer::Prepares(preparer) => {
            Schema::of(&preparer.schema).is_some_and(|schema| !schema.secrets().is_empty())
        }
        Offer::Hook(_) | Offer::Command(_) => false,
    }
}
