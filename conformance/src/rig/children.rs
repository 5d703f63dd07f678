//! The children of a plugin, looked at while they live.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use super::sockets::inodes;
use super::{Plugin, Rig, family};

/// How often they are looked at.
const GLANCE: Duration = Duration::from_millis(3);

/// A child, as it was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Child {
    pub(crate) command: String,
    /// The names of those of the three variables that it has.
    pub(crate) variables: BTreeSet<String>,
    /// The inodes of the sockets that it holds.
    pub(crate) sockets: HashSet<u64>,
}

/// Looks at the children of a plugin for as long as it lives.
pub(crate) struct ChildWatch {
    seen: Rc<RefCell<HashMap<i32, Child>>>,
    over: Rc<std::cell::Cell<bool>>,
}

impl ChildWatch {
    pub(crate) fn begin(rig: &Rig, plugin: &Rc<Plugin>) -> Self {
        let watch = Self { seen: Rc::default(), over: Rc::default() };
        let (seen, over, plugin) = (watch.seen.clone(), watch.over.clone(), plugin.clone());
        rig.spawn(async move {
            while !over.get() {
                for relative in family::descendants(plugin.pid()) {
                    let child = look_at(relative.pid, relative.command);
                    // Between fork and exec it is still the plugin itself.
                    if !is_fork_of(relative.pid, plugin.pid()) {
                        seen.borrow_mut().insert(relative.pid, child);
                    }
                }
                tokio::time::sleep(GLANCE).await;
            }
        });
        watch
    }

    /// Those that were seen so far.
    pub(crate) fn seen(&self) -> Vec<Child> {
        self.seen.borrow().values().cloned().collect()
    }
}

impl Drop for ChildWatch {
    fn drop(&mut self) {
        self.over.set(true);
    }
}

fn look_at(pid: i32, command: String) -> Child {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let names = environment.split(|byte| *byte == 0).filter_map(|one| {
        let name = one.split(|byte| *byte == b'=').next()?;
        let ours = [&b"PACKER_PLUGIN_ADDRESS"[..], b"PACKER_PLUGIN_TOKEN", b"PACKER_PLUGIN_PROTOCOL"];
        ours.contains(&name).then(|| String::from_utf8_lossy(name).into_owned())
    });
    Child { command, variables: names.collect(), sockets: inodes(pid) }
}

/// A process that has not executed anything yet shares the command line, and the variables, of its parent.
fn is_fork_of(pid: i32, parent: i32) -> bool {
    let read = |pid: i32, what: &str| std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
    read(pid, "cmdline") == read(parent, "cmdline")
}
