//! Discovery in real directories: what wins, and what is rejected for which reason.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use packwire_host::catalog::{Catalog, CatalogError, Environment, Kind};
use tempfile::TempDir;

/// A folder with an executable of ours, a plugin path and a home.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for directory in ["bin", "one", "two", "home"] {
            std::fs::create_dir(folder.path().join(directory)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn plugin(&self, path: &str) -> &Self {
        self.file(path, 0o755)
    }

    fn file(&self, path: &str, mode: u32) -> &Self {
        let path = self.path(path);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn config(&self, text: &str) -> &Self {
        let text = text.replace("FOLDER", self.folder.path().to_str().unwrap());
        std::fs::write(self.path("home/.packerconfig"), text).unwrap();
        self
    }

    fn environment(&self) -> Environment {
        let path = std::env::join_paths([self.path("one"), self.path("two")]).unwrap();
        Environment {
            executable: Some(self.path("bin/packwire")),
            home: Some(self.path("home")),
            plugin_path: Some(path),
            config: None,
        }
    }

    fn find(&self) -> Catalog {
        Catalog::find(&self.environment()).unwrap()
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.folder.path()).unwrap_or(path).display().to_string()
    }

    /// Where a component would come from.
    fn found(&self, kind: Kind, name: &str) -> String {
        match self.find().plugin(kind, name) {
            Ok(candidate) => self.shown(&candidate.command.program),
            Err(unknown) => unknown.to_string(),
        }
    }

    fn rejected(&self) -> String {
        let catalog = self.find();
        let lines = catalog.rejected.iter().map(|rejected| {
            let reason = rejected.reason.to_string().replace(self.folder.path().to_str().unwrap(), "FOLDER");
            format!("{}: {reason}\n", self.shown(&rejected.path))
        });
        lines.collect()
    }
}

#[test]
fn the_config_file_wins_then_the_path_then_our_own_directory() {
    let world = World::new();
    world.plugin("bin/packer-builder-x").plugin("bin/packer-builder-y").plugin("bin/packer-builder-z");
    world.plugin("two/packer-builder-x").plugin("two/packer-builder-y").plugin("one/packer-builder-x");
    assert_eq!(world.found(Kind::Builder, "x"), "one/packer-builder-x");
    assert_eq!(world.found(Kind::Builder, "y"), "two/packer-builder-y");
    assert_eq!(world.found(Kind::Builder, "z"), "bin/packer-builder-z");
    world.plugin("home/mine").config(r#"{"builders": {"x": "FOLDER/home/mine"}}"#);
    assert_eq!(world.found(Kind::Builder, "x"), "home/mine");
}

#[test]
fn every_rejected_candidate_has_its_reason() {
    let world = World::new();
    world.file("one/packer-builder-text", 0o644).plugin("one/packer-gadget-x").plugin("one/other");
    world.plugin("one/packer-builder-x").plugin("two/packer-builder-x").plugin("two/packer-builder-Bad");
    std::fs::create_dir(world.path("one/packer-builder-dir")).unwrap();
    symlink("nowhere", world.path("one/packer-builder-link")).unwrap();
    world.config(r#"{"provisioners": {"gone": "FOLDER/gone"}}"#);
    insta::assert_snapshot!(world.rejected(), @r"
    gone: not there
    one/packer-builder-dir: a directory, not a program
    one/packer-builder-link: a link to nothing
    one/packer-builder-text: not executable
    one/packer-gadget-x: not named packer-TYPE-NAME or packer-plugin-NAME
    two/packer-builder-Bad: not named packer-TYPE-NAME or packer-plugin-NAME
    two/packer-builder-x: shadowed by FOLDER/one/packer-builder-x
    ");
}

#[test]
fn relative_and_missing_directories_are_rejected() {
    let world = World::new();
    let path = std::env::join_paths(["plugins", "", "/nowhere/at/all"]).unwrap();
    let catalog = Catalog::find(&Environment { plugin_path: Some(path), ..Environment::default() }).unwrap();
    let reasons: Vec<_> = catalog.rejected.iter().map(|rejected| rejected.reason.to_string()).collect();
    assert_eq!(reasons, ["not an absolute path", "not an absolute path", "not there"]);
    drop(world);
}

#[test]
fn a_directory_that_is_named_twice_is_searched_once() {
    let world = World::new();
    world.plugin("bin/packer-builder-x");
    let path = std::env::join_paths([world.path("bin"), world.path("one/../bin")]).unwrap();
    let catalog = Catalog::find(&Environment { plugin_path: Some(path), ..world.environment() }).unwrap();
    assert_eq!((catalog.candidates.len(), catalog.rejected.len()), (1, 0));
}

#[test]
fn a_single_plugin_goes_before_a_family_and_the_longest_family_before_others() {
    let world = World::new();
    world.plugin("one/packer-plugin-a").plugin("one/packer-plugin-a-b").plugin("bin/packer-builder-a-c");
    assert_eq!(world.found(Kind::Builder, "a-b-x"), "one/packer-plugin-a-b");
    assert_eq!(world.found(Kind::Builder, "a-c"), "bin/packer-builder-a-c");
    assert_eq!(world.found(Kind::PostProcessor, "a-c"), "one/packer-plugin-a");
}

#[test]
fn a_name_that_nobody_offers_is_explained() {
    let world = World::new();
    world.plugin("one/packer-provisioner-shell").file("one/packer-builder-x", 0o600);
    let catalog = world.find();
    let unknown = catalog.plugin(Kind::Provisioner, "shel").unwrap_err();
    assert_eq!(unknown.near.as_deref(), Some("shell"));
    assert_eq!(unknown.to_string(), "no plugin offers the provisioner `shel`");
    let unknown = catalog.plugin(Kind::Builder, "x").unwrap_err();
    assert_eq!(unknown.rejected.unwrap().reason.to_string(), "not executable");
}

#[test]
fn a_config_file_that_is_named_must_be_there() {
    let world = World::new();
    assert!(world.find().candidates.is_empty());
    let environment = Environment { config: Some(world.path("gone.json").into()), ..world.environment() };
    assert!(matches!(Catalog::find(&environment), Err(CatalogError::Unreadable { .. })));
}

#[test]
fn a_wrong_config_file_is_refused() {
    let world = World::new();
    world.config(r#"{"bilders": {}}"#);
    assert!(matches!(Catalog::find(&world.environment()), Err(CatalogError::Wrong { .. })));
}
