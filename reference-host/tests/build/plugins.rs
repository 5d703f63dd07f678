//! `packwire plugins`: what was found, what it says of itself, and what was not taken.

use std::fs;
use std::os::unix::fs::symlink;

use insta::assert_snapshot;

use crate::rig::{FILE, World};

#[test]
fn every_plugin_is_listed_with_its_version() {
    assert_snapshot!(World::with_all().run("plugins"));
}

#[test]
fn a_plugin_that_cannot_be_used_is_listed_with_the_reason() {
    let world = World::with(&[FILE])
        .script("packer-builder-broken", "#!/bin/sh\necho 'libcloud.so.7: not found' >&2\nexit 127\n")
        .script("packer-plugin-old", "#!/bin/sh\necho 'Please do not execute plugins directly. Packer will execute these for you.' >&2\nexit 1\n");
    assert_snapshot!(world.run("plugins"));
}

#[test]
fn what_is_not_taken_is_listed_with_the_reason() {
    let world = World::with(&[FILE]);
    fs::write(world.plugins().join("packer-builder-text"), "not executable").unwrap();
    fs::create_dir(world.plugins().join("packer-builder-directory")).unwrap();
    symlink("nowhere", world.plugins().join("packer-provisioner-dangling")).unwrap();
    symlink(world.plugins().join(FILE), world.plugins().join("packer-builder")).unwrap();
    assert_snapshot!(world.run("plugins"));
}
