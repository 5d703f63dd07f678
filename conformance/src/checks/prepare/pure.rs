//! What preparing leaves behind: nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Tried;
use crate::check::Checked;
use crate::rig::{Attached, Manners, Rig, Socket};

/// Compares files, children and sockets before and after.
pub(super) async fn pure(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let before = Traces::settled(rig, &session).await;
    let tried = Tried::all(rig, &session).await?;
    let mut after = Traces::of(rig, &session);
    after.sockets.retain(|_, told| !told.is_empty());
    // What was prepared lives until now: a connection of its own would be open.
    drop(tried);
    let plugin = &session.plugin;
    for (what, before, after) in [
        ("file", before.files, after.files),
        ("child", before.children, after.children),
        ("socket", before.sockets, after.sockets),
    ] {
        let new = new(&before, &after);
        plugin.saw(format!("prepare makes no {what}"), new.is_empty(), format!("new: {new:?}"));
    }
    Ok(())
}

/// What is told of things that were not there before. One that takes the place of another like it is none: a helper that
/// was started again.
fn new<'a>(before: &Seen, after: &'a Seen) -> Vec<&'a String> {
    let known: BTreeSet<&String> = before.values().collect();
    let unknown = after.iter().filter(|(id, told)| !before.contains_key(*id) && !known.contains(told));
    unknown.map(|(_, told)| told).collect::<BTreeSet<_>>().into_iter().collect()
}

/// How long a plugin and its children may take to come to rest when they have attached.
const REST: Duration = Duration::from_millis(100);
const RESTS: usize = 20;

/// How things are told, by what tells them from others.
type Seen = BTreeMap<String, String>;

#[derive(Clone, PartialEq, Eq)]
struct Traces {
    files: Seen,
    children: Seen,
    sockets: Seen,
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
        self.files.extend(other.files.clone());
        self.children.extend(other.children.clone());
        for (inode, told) in &other.sockets {
            let known = self.sockets.entry(inode.clone()).or_default();
            if known.is_empty() {
                known.clone_from(told);
            }
        }
    }

    fn of(rig: &Rig, session: &Attached) -> Self {
        let files = rig.places().litter().into_iter().map(|path| path.display().to_string());
        let children = session.plugin.descendants().into_iter();
        Self {
            files: files.map(|path| (path.clone(), path)).collect(),
            children: children.map(|relative| (relative.pid.to_string(), relative.command)).collect(),
            sockets: sockets(session),
        }
    }
}

/// All sockets that a plugin holds; told are those that lead out of it. Two ends that nobody else has, as event loops
/// make them, cannot be told from a connection to a Unix socket.
fn sockets(session: &Attached) -> Seen {
    let held =
        session.plugin.inodes_of_all_sockets().into_iter().map(|inode| (inode.to_string(), String::new()));
    let leads_out = |socket: &Socket| socket.family != "unix" || socket.listening;
    let told = session.plugin.sockets().into_iter().filter(leads_out);
    let told =
        told.map(|socket| (socket.inode.to_string(), format!("{} to {:?}", socket.family, socket.remote)));
    held.chain(told).collect()
}

#[cfg(test)]
mod tests {
    use super::{Seen, new};

    fn seen<const N: usize>(all: [(&str, &str); N]) -> Seen {
        all.map(|(id, told)| (id.to_owned(), told.to_owned())).into()
    }

    #[test]
    fn what_was_held_before_a_table_told_of_it_is_not_new() {
        let before = seen([("7", ""), ("8", "tcp to \"one\"")]);
        let after = seen([("7", "tcp to \"two\""), ("8", "tcp to \"one\"")]);
        assert_eq!(new(&before, &after), Vec::<&String>::new());
    }

    #[test]
    fn what_takes_the_place_of_another_like_it_is_not_new_and_all_else_is_told_once() {
        let before = seen([("7", "tcp to \"one\"")]);
        let after = seen([("8", "tcp to \"one\""), ("9", "tcp to \"two\""), ("10", "tcp to \"two\"")]);
        assert_eq!(new(&before, &after), ["tcp to \"two\""]);
    }
}
