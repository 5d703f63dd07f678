//! The mounts that commands see, made by the first process of their namespaces, and the tree as the root of all.
use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, StatVfsMountFlags, fstatvfs, mkdirat, openat, symlinkat},
    io::Errno,
    mount::{
        MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind_recursive, mount_change,
        mount_remount, unmount,
    },
    process::pivot_root,
};

use super::Keep;
use crate::{
    config::Bound,
    tree::{Tree, unnoticed},
};

/// What a small /dev has of the host's.
const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("ptmx", "pts/ptmx"),
    ("stderr", "/proc/self/fd/2"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
];
const RESOLV_CONF: &str = "etc/resolv.conf";

/// Makes the mounts, and the tree the root directory. Notes what had to be made in the tree for them.
pub(super) fn make(keep: &Keep, made: &mut Vec<PathBuf>) -> Result<(), String> {
    let told = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| format!("{what} cannot be mounted: {error}")
    };
    own(&keep.tree).map_err(told("the tree"))?;
    let tree = Tree::at(&keep.tree).map_err(told("the tree"))?;
    if keep.system_mounts {
        proc(&tree, made).map_err(told("/proc"))?;
        dev(&tree, made).map_err(told("/dev"))?;
        tmp(&tree, made).map_err(told("/tmp"))?;
    }
    if let Some(file) = &keep.resolv_conf {
        resolv_conf(&tree, file, made).map_err(told("/etc/resolv.conf"))?;
    }
    for bound in &keep.mounts {
        bind(&tree, bound, made).map_err(told(&bound.source.display().to_string()))?;
    }
    become_root(&keep.tree).map_err(|error| format!("the tree cannot be made the root directory: {error}"))
}

/// Makes the tree a mount of its own, and none of this visible outside.
fn own(tree: &Path) -> io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    Ok(mount_bind_recursive(tree, tree)?)
}

fn become_root(tree: &Path) -> io::Result<()> {
    std::env::set_current_dir(tree)?;
    // The old root lies over the new one for a moment, and needs no directory in it.
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    std::env::set_current_dir("/")
}

/// A directory in the tree to mount on, made where it is missing.
fn directory(tree: &Tree, path: &Path, made: &mut Vec<PathBuf>) -> io::Result<OwnedFd> {
    tree.make_directories(path, made)?;
    tree.open(path, OFlags::PATH | OFlags::DIRECTORY)
}

/// A file in the tree to mount on, made where it is missing.
fn file(tree: &Tree, path: &Path, made: &mut Vec<PathBuf>) -> io::Result<OwnedFd> {
    match tree.open(path, OFlags::PATH) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let spot = tree.spot_made(path, made)?;
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(0o644);
            // A link that leads nowhere is in the way: nothing can be mounted there.
            let new = unnoticed(spot.fd(), || openat(spot.fd(), &spot.name, flags, mode));
            drop(new?);
            made.push(path.strip_prefix("/").unwrap_or(path).to_owned());
            tree.open(path, OFlags::PATH)
        }
        opened => opened,
    }
}

fn proc(tree: &Tree, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let below = directory(tree, Path::new("proc"), made)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    match mount("proc", Tree::outside(&below), "proc", flags, None) {
        // Where parts of the host's are hidden, as in containers, no other may show them.
        Err(Errno::PERM) => Ok(mount_bind_recursive("/proc", Tree::outside(&below))?),
        mounted => Ok(mounted?),
    }
}

fn dev(tree: &Tree, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let path = Path::new("dev");
    let below = directory(tree, path, made)?;
    mount("tmpfs", Tree::outside(&below), "tmpfs", MountFlags::NOSUID, c"mode=0755,size=64m")?;
    // Once more: the descriptor leads below the mount.
    let dev = tree.open(path, OFlags::PATH | OFlags::DIRECTORY)?;
    // What is made from here on is in the mount, and never in the tree.
    let mut unnoted = Vec::new();
    for name in DEVICES {
        let host = Path::new("/dev").join(name);
        if host.exists() {
            let target = file(tree, &path.join(name), &mut unnoted)?;
            mount_bind_recursive(&host, Tree::outside(&target))?;
        }
    }
    for (name, target) in LINKS {
        symlinkat(target, &dev, name)?;
    }
    mkdirat(&dev, "shm", Mode::from_raw_mode(0o1777))?;
    let pts = directory(tree, &path.join("pts"), &mut unnoted)?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    // Some kernels have none, and few commands need one.
    let _ = mount("devpts", Tree::outside(&pts), "devpts", flags, c"newinstance,ptmxmode=0666,mode=0620");
    Ok(())
}

/// Provisioners put their scripts there: an empty tree has no other place for them.
fn tmp(tree: &Tree, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let path = Path::new("tmp");
    if tree.has(path) {
        return Ok(());
    }
    let below = directory(tree, path, made)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount("tmpfs", Tree::outside(&below), "tmpfs", flags, c"mode=1777")?)
}

/// Nothing happens where the tree has no place for it.
fn resolv_conf(tree: &Tree, from: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let path = Path::new(RESOLV_CONF);
    if path.parent().is_none_or(|etc| !tree.has(etc)) {
        return Ok(());
    }
    match file(tree, path, made) {
        Ok(target) => Ok(mount_bind_recursive(from, Tree::outside(&target))?),
        Err(_) => Ok(()),
    }
}

fn bind(tree: &Tree, bound: &Bound, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let Bound { source, target, read_only, optional } = bound;
    let is_directory = match source.metadata() {
        Err(error) if *optional && error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata?.is_dir(),
    };
    let below = if is_directory { directory(tree, target, made)? } else { file(tree, target, made)? };
    mount_bind_recursive(source, Tree::outside(&below))?;
    if *read_only {
        let mounted = tree.open(target, OFlags::PATH)?;
        let flags = kept(fstatvfs(&mounted)?.f_flag);
        mount_remount(Tree::outside(&mounted), MountFlags::BIND | MountFlags::RDONLY | flags, "")?;
    }
    Ok(())
}

/// The flags that a mount has and may not lose.
fn kept(flags: StatVfsMountFlags) -> MountFlags {
    [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ]
    .into_iter()
    .filter(|(has, _)| flags.contains(*has))
    .map(|(_, keeps)| keeps)
    .collect()
}
