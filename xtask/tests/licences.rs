//! What `deny.toml` says of licences and sources holds, also where `cargo deny` is not installed.
#![expect(clippy::expect_used, reason = "a test that cannot read its evidence has failed")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn every_dependency_has_a_licence_that_deny_toml_allows() {
    let allowed = allowed();
    let refused: Vec<String> = dependencies()
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(|text| is_allowed(text, &allowed)))
        .map(|package| format!("{}: {}", package["name"], package["license"]))
        .collect();
    assert_eq!(refused, Vec::<String>::new(), "deny.toml allows {allowed:?}");
}

#[test]
fn every_dependency_comes_from_the_crate_registry() {
    let strangers: Vec<String> = dependencies()
        .iter()
        .filter(|package| !package["source"].as_str().is_some_and(|source| source.starts_with("registry+")))
        .map(|package| format!("{}: {}", package["name"], package["source"]))
        .collect();
    assert_eq!(strangers, Vec::<String>::new());
}

#[test]
fn a_licence_text_is_weighed_as_its_words_say() {
    let allowed = ["MIT".to_owned(), "Zlib".to_owned()];
    for text in ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "MIT AND Zlib", "(GPL-3.0 OR MIT) AND Zlib"] {
        assert!(is_allowed(text, &allowed), "{text}");
    }
    for text in ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT OR", "(MIT", "GPL-3.0 WITH MIT"] {
        assert!(!is_allowed(text, &allowed), "{text}");
    }
}

fn allowed() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deny.toml");
    let text = std::fs::read_to_string(path).expect("deny.toml is there");
    let rules: toml::Table = text.parse().expect("deny.toml is TOML");
    let allow = rules["licenses"]["allow"].as_array().expect("it lists licences");
    allow.iter().filter_map(|licence| licence.as_str().map(ToOwned::to_owned)).collect()
}

/// Every package that the workspace may be built with, less its own.
#[expect(clippy::disallowed_methods, reason = "cargo is asked, and waited for")]
fn dependencies() -> Vec<Value> {
    let answer = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&answer.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("it lists packages");
    packages.iter().filter(|package| !package["source"].is_null()).cloned().collect()
}

/// Whether an SPDX expression, or one of its older spelling with `/`, can be met with the allowed licences alone.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words, allowed);
    met == Some(true) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &[String]) -> Option<bool> {
    let mut met = all(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, allowed)?;
    }
    Some(met)
}

fn all(words: &mut Words<'_>, allowed: &[String]) -> Option<bool> {
    let mut met = one(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed)?;
    }
    Some(met)
}

/// An exception after `WITH` only ever allows more.
fn one(words: &mut Words<'_>, allowed: &[String]) -> Option<bool> {
    if words.next_if_eq(&"(").is_some() {
        let met = any(words, allowed)?;
        return words.next_if_eq(&")").map(|_| met);
    }
    let name = words.next().filter(|word| !matches!(*word, "OR" | "AND" | "WITH" | ")"))?;
    if words.next_if_eq(&"WITH").is_some() {
        words.next()?;
    }
    Some(allowed.iter().any(|licence| licence == name))
}
