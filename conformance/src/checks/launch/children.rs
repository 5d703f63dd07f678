//! What children of the plugin are given.

use crate::check::Checked;
use crate::checks::runs::children_in_runs;
use crate::components::Kind;
use crate::rig::Rig;
use crate::stage::Cast;

/// Looks at the environment of children while there are some.
pub(super) async fn not_inherited(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &Kind::ALL).await?;
    let children = children_in_runs(rig, &cast).await?;
    let knowing: Vec<String> = children
        .iter()
        .flat_map(|child| child.variables.iter().map(move |name| format!("{} of `{}`", name, child.command)))
        .collect();
    let observed = format!("of {} children these are set: {knowing:?}", children.len());
    cast.session.plugin.saw("no child has one of the three variables", knowing.is_empty(), observed);
    cast.over()
}
