//! A small message that is large when it is copied.

use std::time::Duration;

use super::MORE_MEMORY;
use crate::check::{Checked, Stop};
use crate::raw::write::Target;
use crate::raw::{Fares, Session, bomb};
use crate::rig::Rig;

/// How much processor time a call may take for what it does not know.
pub(super) const WORK: Duration = Duration::from_secs(1);

pub(super) async fn pointer_bomb(rig: &Rig) -> Checked {
    let session = Session::begin(rig).await?;
    if session.parts.is_empty() {
        return Err(Stop::NotApplicable("hooks and commands have no prepare".to_owned()));
    }
    let plugin = &session.plugin;
    for part in &session.parts {
        let title = &part.preparer.title;
        let (worked, held) = (plugin.cpu_time(), plugin.peak_memory());
        let (question, interface) = (session.question(), part.preparer.untyped().1);
        let call = bomb::prepare(question, Target::Export(part.export), interface, &rig.places().work);
        session.link.write(&call).await;
        let fares = session.fared(question).await;
        let work = plugin.cpu_time().saturating_sub(worked);
        let more = plugin.peak_memory().saturating_sub(held);
        plugin.saw(format!("the {title} answers"), fares == Fares::On, fares.to_string());
        let (expected, told) = (format!("the {title} works less than 1 s for it"), "its work was measured");
        plugin.saw_in(expected, work < rig.stretch(WORK), told, WORK, work);
        let expected = format!("the {title} takes less than {} MiB more memory", MORE_MEMORY >> 20);
        plugin.saw(expected, more < MORE_MEMORY, format!("it took {} MiB more", more >> 20));
    }
    Ok(())
}
