//! What an archive says of its files that the file system cannot keep here: owners, where only one uid is ours, and
//! devices, which only root makes.
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A user and a group, by number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) uid: u64,
    pub(crate) gid: u64,
}

/// A device or pipe that is in the archive alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) kind: tar::EntryType,
    pub(crate) mode: u32,
    pub(crate) modified: u64,
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

/// What is remembered of the paths of a tree, and goes into the archive that is made of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owners {
    owners: BTreeMap<PathBuf, Owner>,
    devices: BTreeMap<PathBuf, Device>,
}

impl Owners {
    /// A path in the tree has an owner that it cannot have here.
    pub(crate) fn own(&mut self, path: &Path, owner: Owner) {
        self.owners.insert(path.to_owned(), owner);
    }

    /// A path in the tree is a device that cannot be made here.
    pub(crate) fn add_device(&mut self, path: &Path, device: Device) {
        self.devices.insert(path.to_owned(), device);
    }

    /// The owner that was remembered.
    pub(crate) fn of(&self, path: &Path) -> Option<Owner> {
        self.owners.get(path).copied()
    }

    /// The devices that were remembered.
    pub(crate) fn devices(&self) -> impl Iterator<Item = (&Path, Device)> {
        self.devices.iter().map(|(path, device)| (path.as_path(), *device))
    }
}
