//! What the options do to a run: what is tried, what counts, what is expected, what is written, what is kept.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the functions of a test may fail as it may"
)]

mod programs;
mod support;
mod wrapped;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use programs::faulty;
use support::{conformance, report, report_on, typed};
use wrapped::{statuses, try_on, wrapped};

#[test]
fn only_what_a_plugin_must_do_is_tried_with_level_must() {
    let tried = |level| statuses(&report(&["--level", level, "--only", "log.std*"], "green"));
    assert_eq!(tried("should"), ["log.stdout-silent pass", "log.stderr-utf8-lines pass"]);
    let nothing = conformance(&["--level", "must", "--only", "log.std*"], "green");
    assert_eq!(nothing.code, Some(2), "{}", nothing.errors);
    assert!(nothing.errors.contains("nothing is left to check"), "{}", nothing.errors);
}

#[test]
fn a_should_that_is_not_met_counts_with_strict_only() {
    let banner = |options: &[&str]| {
        conformance(&[&["--only", "log.stdout-silent"], options].concat(), "prints-banner")
    };
    assert_eq!(banner(&[]).code, Some(0));
    let strict = banner(&["--strict"]);
    assert_eq!(strict.code, Some(1));
    assert!(
        strict.text.ends_with("exit code 1: 1 SHOULD not met, and --strict was asked for\n"),
        "{}",
        strict.text
    );
}

#[test]
fn what_was_not_exercised_counts_with_complete_only() {
    let run = |options: &[&str]| conformance(&[&["--only", "run.once"], options].concat(), "green");
    assert_eq!(run(&[]).code, Some(0));
    let complete = run(&["--complete"]);
    assert_eq!(complete.code, Some(1));
    assert!(complete.text.contains("exit code 1: 1 not exercised, and --complete"), "{}", complete.text);
}

#[test]
fn an_option_behind_the_plugin_is_given_to_it_with_a_warning() {
    let room = tempfile::tempdir().unwrap();
    let plugin = wrapped(room.path(), "");
    let told = |options: &[&str]| {
        let plugin = plugin.to_str().unwrap();
        let said = typed(options.iter().copied().chain([plugin, "--only", "nothing"]));
        assert_eq!(said.code, Some(0), "{}", said.errors);
        said.errors
    };
    insta::assert_snapshot!(told(&["--only", "log.stdout-silent"]), @"warning: `--only` stands behind the plugin and is given to it; to give it to conformance, put it before the plugin (`--` before it says that the plugin is meant)");
    assert_eq!(told(&["--only", "log.stdout-silent", "--"]), "");
}

#[test]
fn what_a_scenario_says_and_cannot_be_so_proves_nothing() {
    let room = tempfile::tempdir().unwrap();
    let scenario = room.path().join("scenario.toml");
    let text = r#"packwire-scenario = 1
        [builder.green]
        run = { name = "one", lines = ["first"], file = "${work}/image" }
        clean = "command -v ls"
        [provisioner.green]
        run = { name = "one", commands = ["install"], upload = 1000 }
        leaves = ["bogus"]
        machine = [{ command = "rm -f", removes = true }]
        [post-processor.green]
        run = { name = "one", lines = ["on"] }
        input = { builder-id = "org.example.green", id = "input" }
        artifact = false
        without = ["clean"]
        [data-source.green]
        run = { name = "one", lines = ["on"] }
        [hook.green]
        event = "packer_provision"
        [command.green]
        arguments = ["one"]
        [communicator.green]
        run = { name = "one", lines = ["on"] }
    "#;
    fs::write(&scenario, text).unwrap();
    let ids = ["ledger.remember-before-make", "cancel.cleans-up", "provisioner.leaves-nothing"];
    let ids = ids.iter().flat_map(|id| ["--only", *id]);
    let options: Vec<&str> = ids.chain(["--scenario", scenario.to_str().unwrap()]).collect();
    let report = report(&options, "green");
    let tried = report["results"].as_array().unwrap().iter().filter(|result| result["status"] != "skipped");
    let told: Vec<String> =
        tried.map(|result| format!("{} {}: {}", result["id"], result["status"], result["reason"])).collect();
    insta::assert_snapshot!(told.join("\n").replace('"', ""), @"
    cancel.cleans-up not-exercised: the scenario's `clean` for the builder `green` cannot fail: it succeeds after a whole run (nothing), and while a run goes on
    provisioner.leaves-nothing not-exercised: the scenario's `leaves` for the provisioner `green` names `bogus`, which its `run` sends nowhere, or removes
    ledger.remember-before-make not-exercised: the scenario's `clean` for the builder `green` cannot fail: it succeeds after a whole run (nothing), and while a run goes on
    ");
}

#[test]
fn an_error_of_the_suite_is_an_error_and_nobodys_failure() {
    let places = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    // The first start is the first meeting; the second one's parent is the supervisor of the check.
    let murderers = places.each_ref().map(|place| wrapped(place.path(), "[ $count -gt 1 ] && kill -9 $PPID"));
    let said = try_on(&murderers[0], &["--only", "exit.leave"]);
    assert_eq!(said.code, Some(3), "{}", said.text);
    let report = report_on(&["--only", "exit.leave"], &[murderers[1].as_os_str()]);
    assert_eq!(statuses(&report), ["exit.leave error"]);
    assert!(
        report["verdict"].as_str().unwrap().starts_with("core: no verdict (an error of the suite in 1 of")
    );
}

#[test]
fn what_is_late_once_and_in_time_alone_is_flaky() {
    let options = ["--slow", "0.5", "--only", "launch.dial-deadline"];
    for (strict, code) in [(&["--strict"][..], Some(1)), (&[], Some(0))] {
        let place = tempfile::tempdir().unwrap();
        let late = wrapped(place.path(), "[ $count -eq 2 ] && sleep 3");
        let said = try_on(&late, &[&options, strict].concat());
        assert_eq!(said.code, code, "{}", said.text);
        assert!(said.text.contains("flaky launch.dial-deadline (SHOULD)"), "{}", said.text);
        assert!(said.text.contains("run again alone it kept it ("), "{}", said.text);
    }
}

#[test]
fn a_check_that_a_plugin_keeps_waiting_too_long_tells_what_it_saw() {
    let place = tempfile::tempdir().unwrap();
    let patient = place.path().join("patient.toml");
    let scenario = std::fs::read_to_string("faulty/scenario.toml").unwrap();
    let lines = scenario.lines().filter(|line| !line.starts_with("grace"));
    std::fs::write(&patient, lines.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let options = ["--slow", "0.1", "--within", "3", "--scenario", patient.to_str().unwrap()];
    let only = ["--only", "exit.disconnect-running"];
    let said = conformance(&[&options[..], &only].concat(), "lives-after-disconnect");
    assert_eq!(said.code, Some(1), "{}", said.text);
    assert!(said.text.contains("in a run of the builder `green` it exits with status 4"), "{}", said.text);
    assert!(said.text.contains("everything can be tried within 12 s"), "{}", said.text);
}

#[test]
fn what_is_late_twice_is_a_failure() {
    let said = conformance(&["--only", "exit.leave", "--slow", "0.2"], "lives-after-leave");
    assert_eq!(said.code, Some(1));
    assert!(said.text.contains("fail exit.leave (MUST)"), "{}", said.text);
}

#[test]
fn what_is_expected_to_fail_must_fail() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("known.toml");
    let file_name = file.to_str().unwrap();
    let only = ["--only", "exit.disconnect-idle", "--only", "exit.half-close", "--only", "exit.leave"];
    let run = |options: &[&str], manner: &str| conformance(&[&only, options].concat(), manner);

    let first = run(&["--write-expect", file_name], "exit-0-on-disconnect");
    assert_eq!(first.code, Some(1), "writing expectations excuses nothing");
    insta::assert_snapshot!(fs::read_to_string(&file).unwrap());

    let known = run(&["--expect", file_name], "exit-0-on-disconnect");
    assert_eq!(known.code, Some(0), "{}", known.text);
    assert!(known.text.contains("not conformant (2 of "), "{}", known.text);
    assert!(known.text.contains("rules broken, as expected)"), "{}", known.text);

    let mended = run(&["--expect", file_name], "green");
    assert_eq!(mended.code, Some(5));
    assert!(mended.text.contains("unexpected-pass exit.half-close"), "{}", mended.text);
    assert!(mended.text.contains("stale expectation exit.half-close: it passes now"), "{}", mended.text);
    assert!(mended.text.ends_with("exit code 5: 2 stale in the file of --expect\n"), "{}", mended.text);

    fs::write(&file, "packwire-expect = 1\n[fails]\n\"exit.leav\" = \"we know\"\n").unwrap();
    let renamed = run(&["--expect", file_name], "green");
    assert_eq!(renamed.code, Some(5));
    assert!(
        renamed.text.contains("exit.leav: there is no such rule for plugins; did you mean `exit.leave`?")
    );

    let worse = run(&["--expect", file_name], "exit-0-on-disconnect");
    assert_eq!(worse.code, Some(1), "a MUST that fails goes before what is stale");
}

#[test]
fn what_cannot_be_read_or_written_is_usage_and_said_before_the_run() {
    let place = tempfile::tempdir().unwrap();
    let bad = place.path().join("bad.toml");
    fs::write(&bad, "packwire-expect = 1\n[fails]\n\"exit.leave\" = \"\"\n").unwrap();
    let bad = bad.to_str().unwrap();
    for (options, words) in [
        (["--expect", bad], "exit.leave has no reason"),
        (["--expect", "/no/such/file"], "cannot be read"),
        (["--scenario", "/no/such/file"], "cannot be read"),
        (["--report", "junit=/no/such/directory/x.xml"], "the report cannot be written"),
        (["--report", "yaml=x"], "is no format"),
        (["--report", "junit"], "FORMAT=FILE is needed"),
        (["--transcripts", "/proc/self"], "has other files in it"),
    ] {
        let said = conformance(&options, "green");
        assert_eq!(said.code, Some(2), "{options:?}: {}", said.errors);
        assert!(said.errors.contains(words) && said.text.is_empty(), "{options:?}: {}", said.errors);
    }
}

#[test]
fn the_doctor_goes_through_a_whole_session() {
    let doctor = |manner: &str| {
        let said = typed([
            OsStr::new("doctor"),
            "--within".as_ref(),
            "10".as_ref(),
            faulty().as_os_str(),
            manner.as_ref(),
        ]);
        format!("exit {}\n{}{}", said.code.unwrap(), said.text, said.errors)
    };
    let all = ["green", "exit-1-on-leave", "waits-for-stdin", "duplicate-component"].map(doctor).join("--\n");
    insta::with_settings!({ filters => DOCTOR.to_vec() }, { insta::assert_snapshot!(all) });
}

/// What differs from run to run.
const DOCTOR: [(&str, &str); 4] = [
    (r"[^ \n`]*/packer-builder-green", "packer-builder-green"),
    (r"unix:[^,]*", "unix:[path]"),
    (r"\d+ ms", "[n] ms"),
    (r"process \d+", "process [pid]"),
];

#[test]
fn a_plugin_that_is_started_by_hand_is_waited_for_and_heard() {
    #[expect(clippy::disallowed_methods, reason = "this test plays a person with two terminals")]
    let mut host = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .arg("--wait")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines().map(Result::unwrap);
    let variables: Vec<(String, String)> = lines.by_ref().take(3).map(|line| variable(&line)).collect();
    #[expect(clippy::disallowed_methods, reason = "this test plays a person with two terminals")]
    let mut plugin =
        Command::new(faulty()).arg("green").envs(variables).stderr(Stdio::null()).spawn().unwrap();
    let met = lines.by_ref().find(|line| line.starts_with("attached: ")).unwrap();
    assert!(met.starts_with("attached: green 0.1.0, with builder green"), "{met}");
    host.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(lines.last().as_deref(), Some("it is gone"));
    assert_eq!((host.wait().unwrap().code(), plugin.wait().unwrap().code()), (Some(0), Some(0)));
}

/// `export NAME='value'`
fn variable(line: &str) -> (String, String) {
    let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
    (name.to_owned(), value.trim_matches('\'').to_owned())
}

#[test]
fn what_was_said_is_kept_shown_and_tried_again() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("kept");
    let directory = directory.to_str().unwrap();
    let options =
        ["--only", "exit.leave", "--only", "attach.once", "--seed", "7", "--transcripts", directory];
    assert_eq!(conformance(&options, "lives-after-leave").code, Some(1));
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["attach.once.txt", "exit.leave.txt", "run.json"]);

    let replay = |options: &[&str]| typed([&["replay", directory], options].concat());
    let shown = replay(&[]);
    assert_eq!(shown.code, Some(0), "{}", shown.errors);
    assert!(shown.text.contains("exit.leave  MUST  fail") && !shown.text.contains("attach.once  MUST"));
    assert!(shown.text.contains("plugin → host  call ") && shown.text.contains("host → plugin  return "));
    let one_side = replay(&["--only", "attach.*", "--from", "plugin", "--containing", "Host.attach"]).text;
    assert!(
        one_side.contains("attach.once  MUST  pass")
            && one_side.contains("Host.attach(hello = (token = [the token], "),
        "{one_side}"
    );
    assert!(!one_side.contains("host → plugin") && !one_side.contains("bootstrap "), "{one_side}");
    assert_eq!(replay(&["--status", "warn"]).code, Some(2));

    let again = replay(&["--run"]);
    assert_eq!(again.code, Some(1), "{}", again.errors);
    assert!(again.text.contains("0 passed, 1 failed") && again.text.contains("· seed 7\n"), "{}", again.text);

    // The next run takes the place of the first.
    assert_eq!(conformance(&["--only", "attach.once", "--transcripts", directory], "green").code, Some(0));
    assert_eq!(fs::read_dir(directory).unwrap().count(), 2);
}
