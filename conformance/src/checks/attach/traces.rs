//! What attaching and leaving leaves behind.

use super::MOMENT;
use crate::check::Checked;
use crate::rig::{Answer, Attached, Manners, Rig};

/// Compares files and sockets before, while and after.
pub(super) async fn no_side_effects(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    looks_for_connections(&session);
    rig.sleep(MOMENT).await;
    looks_for_connections(&session);
    session.host.answer(Answer::Leave);
    session.plugin.exit(super::REFUSED).await;
    let litter: Vec<String> = rig.places().litter().iter().map(|path| path.display().to_string()).collect();
    let observed =
        if litter.is_empty() { "none is".to_owned() } else { format!("there is {}", litter.join(", ")) };
    session.plugin.saw(
        "no file is created in HOME, TMPDIR or the working directory",
        litter.is_empty(),
        observed,
    );
    Ok(())
}

/// The link is a Unix socket here, so every internet socket with a peer is a connection to somebody else.
fn looks_for_connections(session: &Attached) {
    let sockets = session.plugin.sockets();
    let elsewhere =
        sockets.iter().filter(|socket| socket.remote.chars().any(|digit| !matches!(digit, '0' | ':')));
    let found: Vec<String> =
        elsewhere.map(|socket| format!("{} to {}", socket.family, socket.remote)).collect();
    let observed = if found.is_empty() { "it has none".to_owned() } else { found.join(", ") };
    session.plugin.saw("it has no connection but the link", found.is_empty(), observed);
}
