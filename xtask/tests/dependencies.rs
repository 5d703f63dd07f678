//! Dependencies between our packages point one way, and one room alone names Cap'n Proto.
#![expect(clippy::expect_used, reason = "a test that cannot read its evidence has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Who may name whom among our own packages. `bench` is named before it exists.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("packwire-schema", &[]),
    ("packwire-wire", &["packwire-schema"]),
    ("packwire-plugin", &["packwire-wire"]),
    ("packwire-host", &["packwire-wire"]),
    ("packwire-conformance", &["packwire-schema", "packwire-wire"]),
    ("packwire-faulty", &["packwire-schema", "packwire-wire", "packwire-plugin"]),
    ("packwire-bench", &["packwire-schema", "packwire-wire", "packwire-plugin", "packwire-host"]),
    ("xtask", &[]),
];

/// Reference plugins are what their authors would write: they see the SDK and nothing below it.
const PLUGINS_MAY_NAME: &[&str] = &["packwire-plugin"];

/// What any package's tests may name beside that: to play the host of a real process.
const TESTS_MAY_NAME: &str = "packwire-wire";

/// Who may name which of Cap'n Proto's crates.
const MAY_NAME_CAPNP: &[(&str, &[&str])] = &[
    ("packwire-schema", &["capnp"]),
    ("packwire-wire", &["capnp", "capnp-rpc"]),
    ("packwire-conformance", &["capnp", "capnp-rpc"]),
    ("packwire-faulty", &["capnp", "capnp-rpc"]),
    ("packwire-bench", &["capnp", "capnp-rpc"]),
    ("xtask", &["capnpc"]),
];

#[test]
fn dependencies_point_one_way() {
    let packages = workspace();
    assert_eq!(against_the_way(&packages), Vec::<String>::new());
}

#[test]
fn one_room_alone_names_capnp() {
    let packages = workspace();
    assert_eq!(outside_the_room(&packages), Vec::<String>::new());
}

#[test]
fn a_host_that_names_the_sdk_is_told() {
    let packages = packages(&[("packwire-host", &["packwire-plugin"]), ("packwire-plugin", &[])]);
    assert_eq!(
        against_the_way(&packages),
        ["packwire-host names packwire-plugin; it may name packwire-wire"]
    );
}

#[test]
fn a_plugin_that_names_wire_is_told() {
    let packages = packages(&[("packer-builder-x", &["packwire-wire"]), ("packwire-wire", &[])]);
    assert_eq!(
        against_the_way(&packages),
        ["packer-builder-x names packwire-wire; it may name packwire-plugin"]
    );
}

#[test]
fn an_sdk_that_names_capnp_is_told() {
    let packages = packages(&[("packwire-plugin", &["capnp-rpc"])]);
    assert_eq!(
        outside_the_room(&packages),
        [
            "packwire-plugin names capnp-rpc; it may name nothing of Cap'n Proto: that belongs to packwire-wire"
        ]
    );
}

/// Package → the packages that it names, for whatever purpose.
type Packages = BTreeMap<String, BTreeSet<String>>;

fn against_the_way(packages: &Packages) -> Vec<String> {
    let mut sins = Vec::new();
    for (name, dependencies) in packages {
        let allowed = allowed(MAY_NAME, name).unwrap_or(PLUGINS_MAY_NAME);
        let ours = dependencies.iter().filter(|dependency| packages.contains_key(*dependency));
        for sin in ours.filter(|dependency| !allowed.contains(&dependency.as_str())) {
            sins.push(format!("{name} names {sin}; it may name {}", or_nothing(allowed)));
        }
    }
    sins
}

fn outside_the_room(packages: &Packages) -> Vec<String> {
    let mut sins = Vec::new();
    for (name, dependencies) in packages {
        let allowed = allowed(MAY_NAME_CAPNP, name).unwrap_or(&[]);
        let capnp = dependencies.iter().filter(|dependency| dependency.starts_with("capnp"));
        for sin in capnp.filter(|dependency| !allowed.contains(&dependency.as_str())) {
            let allowed = or_nothing(allowed);
            sins.push(format!(
                "{name} names {sin}; it may name {allowed} of Cap'n Proto: that belongs to packwire-wire"
            ));
        }
    }
    sins
}

fn allowed(table: &[(&str, &'static [&'static str])], name: &str) -> Option<&'static [&'static str]> {
    table.iter().find(|(package, _)| *package == name).map(|(_, allowed)| *allowed)
}

fn or_nothing(names: &[&str]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn workspace() -> Packages {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("cargo lists packages");
    packages.iter().map(|package| (text(&package["name"]), dependencies(package))).collect()
}

fn dependencies(package: &Value) -> BTreeSet<String> {
    let dependencies = package["dependencies"].as_array().expect("cargo lists dependencies");
    let is_host_of_tests =
        |dependency: &&Value| dependency["kind"] == "dev" && dependency["name"] == TESTS_MAY_NAME;
    let others = dependencies.iter().filter(|dependency| !is_host_of_tests(dependency));
    others.map(|dependency| text(&dependency["name"])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("cargo names things by texts").to_owned()
}

#[expect(clippy::disallowed_methods, reason = "cargo answers at once, and `output` waits for it")]
fn metadata() -> Value {
    let answer = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .expect("cargo runs");
    assert!(answer.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&answer.stderr));
    serde_json::from_slice(&answer.stdout).expect("cargo answers JSON")
}

fn packages(of: &[(&str, &[&str])]) -> Packages {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    of.iter().map(|(name, dependencies)| ((*name).to_owned(), names(dependencies))).collect()
}
