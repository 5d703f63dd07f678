//! The ways to a tree.
use std::{fs::File, io, os::fd::AsFd, path::PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};

use crate::tree::Tree;

/// The way to a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    /// Through the namespaces of a process, which has a user namespace of its own or not.
    Namespaces { keeper: u32, user: bool },
    /// With the tree as the root directory.
    Chroot(PathBuf),
    /// Nowhere: the tree is a directory like others.
    Directory(PathBuf),
}

impl Place {
    /// Goes there, with this thread, which is the only one. Children are there, too.
    pub(crate) fn enter(&self) -> io::Result<Tree> {
        match self {
            Self::Namespaces { keeper, user } => {
                enter_namespaces(*keeper, *user)?;
                Tree::at(std::path::Path::new("/"))
            }
            Self::Chroot(tree) => {
                rustix::process::chroot(tree)?;
                std::env::set_current_dir("/")?;
                Tree::at(std::path::Path::new("/"))
            }
            Self::Directory(tree) => {
                std::env::set_current_dir(tree)?;
                Tree::at(tree)
            }
        }
    }
}

fn enter_namespaces(keeper: u32, user: bool) -> io::Result<()> {
    let mut names = vec!["ipc", "uts", "pid_for_children", "mnt"];
    if user {
        // First: it gives the right to enter the others.
        names.insert(0, "user");
    }
    // All before any: afterwards there is another /proc.
    let open = |name| Ok((name, File::open(format!("/proc/{keeper}/ns/{name}"))?));
    let opened: Vec<(&str, File)> = names.into_iter().map(open).collect::<io::Result<_>>()?;
    for (name, namespace) in &opened {
        let kind = match *name {
            "user" => LinkNameSpaceType::User,
            "ipc" => LinkNameSpaceType::InterProcessCommunication,
            "uts" => LinkNameSpaceType::HostNameAndNISDomainName,
            "mnt" => LinkNameSpaceType::Mount,
            _ => LinkNameSpaceType::ProcessID,
        };
        move_into_link_name_space(namespace.as_fd(), Some(kind))?;
    }
    std::env::set_current_dir("/")
}
