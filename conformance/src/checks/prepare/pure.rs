//! What preparing leaves behind: nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Tried;
use crate::check::Checked;
use crate::rig::{Attached, Manners, Rig};

/// Compares files, children and sockets before and after.
pub(super) async fn pure(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let before = Traces::settled(rig, &session).await;
    let tried = Tried::all(rig, &session).await?;
    let after = Traces::of(rig, &session);
    // What was prepared lives until now: a connection of its own would be open.
    drop(tried);
    let plugin = &session.plugin;
    for (what, before, after) in [
        ("file", before.files, after.files),
        ("child", before.children, after.children),
        ("socket", before.sockets, after.sockets),
    ] {
        let new: Vec<&String> = after.difference(&before).collect();
        plugin.saw(format!("prepare makes no {what}"), new.is_empty(), format!("new: {new:?}"));
    }
    Ok(())
}

/// How long a plugin and its children may take to come to rest when they have attached.
const REST: Duration = Duration::from_millis(100);
const RESTS: usize = 20;

#[derive(Clone, PartialEq, Eq)]
struct Traces {
    files: BTreeSet<String>,
    children: BTreeSet<String>,
    sockets: BTreeSet<String>,
}

impl Traces {
    /// All that was seen of a plugin until it was at rest: a child that it has started may still be starting itself,
    /// and tables of the kernel that change while they are read may leave something out.
    async fn settled(rig: &Rig, session: &Attached) -> Self {
        let mut last = Self::of(rig, session);
        let mut all = last.clone();
        for _ in 0..RESTS {
            rig.sleep(REST).await;
            let now = Self::of(rig, session);
            all.extend(&now);
            if now == last {
                break;
            }
            last = now;
        }
        all
    }

    fn extend(&mut self, other: &Self) {
        self.files.extend(other.files.iter().cloned());
        self.children.extend(other.children.iter().cloned());
        self.sockets.extend(other.sockets.iter().cloned());
    }

    fn of(rig: &Rig, session: &Attached) -> Self {
        let files = rig.places().litter();
        let children = session.plugin.descendants();
        let sockets = session.plugin.sockets();
        Self {
            files: files.iter().map(|path| path.display().to_string()).collect(),
            children: children.into_iter().map(|relative| relative.command).collect(),
            sockets: sockets
                .into_iter()
                .map(|socket| format!("{} to {:?}", socket.family, socket.remote))
                .collect(),
        }
    }
}
