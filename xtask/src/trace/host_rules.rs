//! The rules that bind hosts: no check of the suite tries them, so the tests of the reference host and of its wire do.
//!
//! A comment of nothing but ids, `// host.listens-first, host.private-socket`, above a test says which rules it tries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::rules;
use crate::numbers::rust_below;
use crate::schema_files::root;

/// What no test can try, and why.
const UNTRIED: &[(&str, &str)] = &[(
    "host.ui-own-categories",
    "the reference host has no lines for programs, and so no category of its own",
)];

/// Where the tests are.
const ROOMS: &[&str] = &["reference-host/src", "reference-host/tests", "wire/src", "wire/tests"];

#[test]
fn every_rule_that_binds_hosts_is_tried_by_a_test() {
    let rules = host_rules();
    assert!(rules.len() > 80, "{} rules were found: are they written in another way?", rules.len());
    let tests = tests();
    let untried: BTreeSet<&str> = UNTRIED.iter().map(|(rule, _)| *rule).collect();
    let without: Vec<_> =
        rules.iter().filter(|rule| !tests.contains_key(*rule) && !untried.contains(rule.as_str())).collect();
    assert!(
        without.is_empty(),
        "no test says `// RULE` above it, nor does UNTRIED say why, for {without:#?}"
    );
}

#[test]
fn every_test_names_rules_that_there_are() {
    let rules = host_rules();
    let unknown: Vec<_> = tests().into_iter().filter(|(rule, _)| !rules.contains(rule)).collect();
    assert!(unknown.is_empty(), "SPEC.md has no such rule, or it does not bind hosts: {unknown:#?}");
    for (rule, why) in UNTRIED {
        assert!(rules.contains(*rule), "UNTRIED: SPEC.md has no {rule}, which is not tried since {why}");
        assert!(!tests().contains_key(*rule), "UNTRIED: a test tries {rule}");
    }
}

#[test]
fn a_name_counts_only_above_a_test() {
    let source = "// host.one, host.two\n#[expect(x)]\n#[tokio::test]\nasync fn it_is_so() {}\n\n\
        // host.three\nfn helps() {}\n\n    // host.four\n    #[test]\n    fn inner(x in 0..3) {}\n// See host.five.\n#[test]\nfn other() {}\n";
    let named = named(source);
    let told: Vec<_> = named.iter().map(|(rule, test)| (rule.as_str(), test.as_str())).collect();
    assert_eq!(told, [("host.one", "it_is_so"), ("host.two", "it_is_so"), ("host.four", "inner")]);
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The ids of the rules that bind hosts.
fn host_rules() -> BTreeSet<String> {
    let rules = rules::read(&text(&root().join(super::SPEC))).unwrap();
    rules.into_iter().filter(|rule| rule.binds == "host").map(|rule| rule.id).collect()
}

/// Rule → the tests that try it, each with its file.
fn tests() -> BTreeMap<String, Vec<String>> {
    let (root, mut files) = (root(), Vec::new());
    for room in ROOMS {
        rust_below(&root.join(room), &mut files).unwrap();
    }
    let mut tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files {
        for (rule, test) in named(&text(&path)) {
            let file = path.strip_prefix(&root).unwrap_or(&path).display();
            tests.entry(rule).or_default().push(format!("{file}: {test}"));
        }
    }
    tests
}

/// Rules that stand above tests, each with the name of the test.
fn named(source: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let mut named = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(rules) = ids(line) else { continue };
        let below = &lines[at + 1..];
        let attributes = below.iter().take_while(|line| line.starts_with("#[")).count();
        let is_test = below[..attributes]
            .iter()
            .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
        let name = below.get(attributes).and_then(|line| function(line)).filter(|_| is_test);
        named.extend(
            name.iter().flat_map(|name| rules.iter().map(|rule| ((*rule).to_owned(), (*name).to_owned()))),
        );
    }
    named
}

/// The ids of a comment that holds nothing else.
fn ids(line: &str) -> Option<Vec<&str>> {
    let ids: Vec<&str> = line.strip_prefix("// ")?.split(", ").collect();
    let is_id = |id: &&str| {
        id.split_once('.').is_some_and(|(chapter, name)| {
            let word = |text: &str| {
                !text.is_empty() && text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
            };
            word(chapter) && word(name)
        })
    };
    ids.iter().all(is_id).then_some(ids)
}

/// The name of the function whose first line this is.
fn function(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}
