//! What children of the plugin are given.

use crate::check::{Checked, Stop};
use crate::checks::comm::run_a_command;
use crate::components::Kind;
use crate::rig::Rig;
use crate::stage::Cast;

/// Looks at the environment of children while there are some.
pub(super) async fn not_inherited(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    let watch = cast.watch_children(rig);
    for actor in &cast.actors {
        actor.runs(rig, &cast.session, &actor.stage(rig)?).await?;
        run_a_command(rig, &cast, actor).await?;
    }
    let children = watch.seen();
    if children.is_empty() {
        return Err(Stop::NotApplicable("no child of the plugin was seen in its runs".to_owned()));
    }
    let knowing: Vec<String> = children
        .iter()
        .flat_map(|child| child.variables.iter().map(move |name| format!("{} of `{}`", name, child.command)))
        .collect();
    let observed = format!("of {} children these are set: {knowing:?}", children.len());
    cast.session.plugin.saw("no child has one of the three variables", knowing.is_empty(), observed);
    cast.over()
}
