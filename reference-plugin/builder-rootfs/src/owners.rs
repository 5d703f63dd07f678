//! What an archive says of its files that the file system cannot keep here: owners, where only one uid is ours,
//! devices, which only root makes, and capabilities, which only root gives.
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What stands before the name of an extended attribute in an archive.
pub(crate) const ATTRIBUTE: &str = "SCHILY.xattr.";

/// Whether an image has an extended attribute of this name: the others belong to a machine.
pub(crate) fn is_kept(attribute: &str) -> bool {
    attribute == "security.capability" || attribute.starts_with("user.")
}

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
    attributes: BTreeMap<PathBuf, BTreeMap<String, Vec<u8>>>,
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

    /// A file has an extended attribute that it cannot have here.
    pub(crate) fn add_attribute(&mut self, path: &Path, name: String, value: Vec<u8>) {
        self.attributes.entry(path.to_owned()).or_default().insert(name, value);
    }

    /// The extended attributes that were remembered of a file.
    pub(crate) fn attributes_of(&self, path: &Path) -> BTreeMap<String, Vec<u8>> {
        self.attributes.get(path).cloned().unwrap_or_default()
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
