//! What the formats for programs and servers hold, whatever the plugin says.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the functions of a test may fail as it may"
)]

mod programs;
mod support;
mod wrapped;

use std::fs;

use serde_json::Value;
use support::{conformance, on, report, report_on};
use wrapped::{statuses, try_on, wrapped};

#[test]
fn one_run_writes_several_reports() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (junit, json, markdown, human) = (path("r.xml"), path("r.json"), path("r.md"), path("r.txt"));
    fs::write(&json, "old ".repeat(100_000)).unwrap();
    let reports = [
        format!("junit={junit}"),
        format!("json={json}"),
        format!("markdown={markdown}"),
        format!("human={human}"),
    ];
    let mut options = vec!["--only", "exit.leave", "--only", "run.once", "--only", "log.stdout-silent"];
    reports.iter().for_each(|report| options.extend(["--report", report]));
    let said = conformance(&options, "lives-after-leave");
    assert_eq!(said.text, fs::read_to_string(human).unwrap());
    let told = ["log.stdout-silent pass", "exit.leave fail", "run.once not-exercised"];
    assert_eq!(statuses(&serde_json::from_slice(&fs::read(json).unwrap()).unwrap()), told);
    let xml = fs::read_to_string(junit).unwrap();
    is_what_servers_read(&roxmltree::Document::parse(&xml).unwrap());
    let table = fs::read_to_string(&markdown).unwrap();
    for row in table.lines().filter(|line| line.starts_with('|')) {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 5, "{row}");
    }
    insta::with_settings!({ filters => FILTERS.to_vec() }, {
        insta::assert_snapshot!("report.junit", without_skipped(&xml));
        insta::assert_snapshot!("report.markdown", fs::read_to_string(markdown).unwrap());
    });
}

fn without_skipped(xml: &str) -> String {
    let told = xml.lines().filter(|line| !line.contains("<skipped message=\"skipped:"));
    told.map(|line| format!("{line}\n")).collect()
}

/// What differs from run to run.
const FILTERS: [(&str, &str); 11] = [
    // The more rules there are, the fewer of them are tried here.
    (r"<testsuite name=.*>\n</testsuite>\n", ""),
    (r#"tests="\d+"(.*) skipped="\d+""#, r#"tests="[n]"$1 skipped="[n]""#),
    (r#"tests="\d+""#, r#"tests="[n]""#),
    (r"of \d+ rules", "of [n] rules"),
    (r"\d+ skipped", "[n] skipped"),
    (r"[^ \n`]*/packer-builder-green", "packer-builder-green"),
    (r"(?m)^ *\d+ ms  link .*\n( *\d+ ms  link .*\n)*", "[transcript]\n"),
    (r#"time="[0-9.]+""#, r#"time="[s]""#),
    (r"\d+(\.\d+)? (ms|s)\b", "[n] $2"),
    (r"process \d+", "process [pid]"),
    (r"suite \d+\.\d+\.\d+", "suite [version]"),
];

#[test]
fn junit_is_well_formed_whatever_the_plugin_says() {
    let place = tempfile::tempdir().unwrap();
    let noisy = wrapped(
        place.path(),
        r"printf '\033[31m ]]> </failure> & \001\177\377\376 \357\277\277 x\n' >&2; echo '<b>\0'",
    );
    let said = try_on(&noisy, &["--only", "log.std*", "--only", "exit.leave", "--format", "junit"]);
    let read =
        roxmltree::Document::parse(&said.text).unwrap_or_else(|error| panic!("{error} in {}", said.text));
    let failures: Vec<&str> = read
        .descendants()
        .filter(|node| node.has_tag_name("testcase"))
        .filter(|node| node.children().any(|child| child.has_tag_name("system-out")))
        .filter_map(|node| node.attribute("name"))
        .collect();
    assert_eq!(failures, ["log.stdout-silent", "log.stderr-utf8-lines"]);
    is_what_servers_read(&read);
}

/// What Jenkins and its like take: these elements with these attributes, and numbers that are those of the cases.
fn is_what_servers_read(report: &roxmltree::Document<'_>) {
    let known: [(&str, &[&str]); 7] = [
        ("testsuites", &["name", "tests", "failures", "errors", "time"]),
        ("testsuite", &["name", "tests", "failures", "errors", "skipped", "time"]),
        ("testcase", &["classname", "name", "time"]),
        ("skipped", &["message"]),
        ("failure", &["message", "type"]),
        ("error", &["message", "type"]),
        ("system-out", &[]),
    ];
    assert!(report.root_element().has_tag_name("testsuites"));
    for node in report.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        let (_, wanted) = known.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}"));
        let has: Vec<&str> = node.attributes().map(|attribute| attribute.name()).collect();
        assert_eq!(has, *wanted, "{name}");
        let inside = |name: &str| node.descendants().filter(|child| child.has_tag_name(name)).count();
        let counted =
            [("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")];
        for (attribute, element) in counted {
            let said = node.attribute(attribute).map(|count| count.parse::<usize>().unwrap());
            assert!(said.is_none_or(|said| said == inside(element)), "{attribute} of {name}: {said:?}");
        }
        let time = node.attribute("time").map(|seconds| seconds.parse::<f64>().unwrap());
        assert!(time.is_none_or(|seconds| (0.0..600.0).contains(&seconds)), "{time:?}");
    }
}

/// What `report.schema.json` says of the reports of programs.
fn is_as_the_schema_says(report: &Value) {
    let schema = include_str!("../report.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let wrong: Vec<String> = schema.iter_errors(report).map(|error| error.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new(), "{report:#}");
}

#[test]
fn the_report_for_programs_is_as_its_schema_says() {
    is_as_the_schema_says(&report(&["--only", "launch.*", "--only", "log.*"], "prints-banner"));
    is_as_the_schema_says(&report_on(&[], &["/bin/true".as_ref()]));
    let place = tempfile::tempdir().unwrap();
    let known = place.path().join("known.toml");
    let fails = "packwire-expect = 1\n[fails]\n\"exit.leave\" = \"we know\"\n\"exit.half-close\" = \"we think\"\n\"a.b\" = \"once\"\n";
    fs::write(&known, fails).unwrap();
    let options = ["--only", "exit.leave", "--only", "exit.half-close", "--slow", "0.2", "--expect"];
    let told = report(&[&options[..], &[known.to_str().unwrap()]].concat(), "lives-after-leave");
    is_as_the_schema_says(&told);
    let counts = &told["counts"];
    assert_eq!((&counts["expected-fail"], &counts["unexpected-pass"]), (&1.into(), &1.into()), "{told:#}");
    assert_eq!(told["stale"].as_array().unwrap().len(), 2);
}

#[test]
fn a_program_that_never_attached_is_red_on_every_server() {
    let said = on(&["--format", "junit"], &["/bin/true".as_ref()]);
    assert_eq!(said.code, Some(4), "{}", said.errors);
    let read = roxmltree::Document::parse(&said.text).unwrap();
    is_what_servers_read(&read);
    assert!(read.descendants().any(|node| node.has_tag_name("failure")), "{}", said.text);
    let said = on(&["--format", "markdown"], &["/bin/true".as_ref()]);
    assert!(said.text.contains("**not tested, the program never attached**"), "{}", said.text);
}
