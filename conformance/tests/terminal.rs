//! The command on a terminal: colours, progress, Ctrl-C, and a window that is closed.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the functions of a test may fail as it may"
)]

mod programs;
mod seat;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use programs::{faulty, output};
use seat::{Seat, Seen, nothing_is_left, until_called};

const CONFORMANCE: &str = env!("CARGO_BIN_EXE_conformance");

/// A terminal as most people have one.
const XTERM: (&str, &str) = ("TERM", "xterm-256color");

/// What differs from run to run.
const FILTERS: [(&str, &str); 7] = [
    (r"(of|all) \d+ rules", "$1 [n] rules"),
    (r"\d+ skipped", "[n] skipped"),
    (r"[^ \n]*/packer-builder-green", "packer-builder-green"),
    (r"(?m)^(  messages ) .*(\n {10,}\d+ ms  link .*)*", "$1 [transcript]"),
    (r"(\n[^\n]*) in \d+\.\d s", "$1 in [n] s"),
    (r"suite \d+\.\d+\.\d+", "suite [version]"),
    (r"conformance \d+\.\d+\.\d+", "conformance [version]"),
];

/// A run that ends with a warning.
fn arguments() -> [&'static str; 4] {
    ["--only", "log.stdout-silent", faulty().to_str().unwrap(), "prints-banner"]
}

fn on_terminal(columns: u16, variables: &[(&str, &str)], arguments: &[&str]) -> Seen {
    Seat::start(columns, variables, CONFORMANCE, arguments).ends()
}

/// An argument for `sleep` that no other process has.
fn unique_seconds() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("2000.{}{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

#[test]
fn the_report_on_any_terminal_is_the_one_in_a_file() {
    let piped = output(Path::new(CONFORMANCE), arguments());
    assert_eq!(String::from_utf8(piped.stderr).unwrap(), "", "there is no progress where nobody looks");
    let piped = String::from_utf8(piped.stdout).unwrap();
    let terminals: [(u16, &[(&str, &str)]); 6] = [
        (250, &[XTERM]),
        (20, &[XTERM]),
        (0, &[XTERM]),
        (80, &[XTERM, ("NO_COLOR", "1")]),
        (80, &[("TERM", "dumb")]),
        (80, &[]),
    ];
    let mut texts = vec![piped];
    for (columns, variables) in terminals {
        let seen = on_terminal(columns, variables, &arguments());
        assert_eq!(seen.code, Some(0), "{}", seen.raw);
        texts.push(seen.screen);
    }
    insta::with_settings!({ filters => FILTERS.to_vec(), omit_expression => true }, {
        texts.iter().for_each(|text| insta::assert_snapshot!("the_report", text));
    });
}

#[test]
fn colours_are_for_terminals_that_have_them_and_people_who_want_them() {
    let colours = |variables: &[(&str, &str)]| {
        on_terminal(80, variables, &arguments()).raw.contains("\u{1b}[1m\u{1b}[33mwarn")
    };
    assert!(colours(&[XTERM]) && colours(&[XTERM, ("NO_COLOR", "")]));
    assert!(!colours(&[XTERM, ("NO_COLOR", "1")]) && !colours(&[("TERM", "dumb")]) && !colours(&[]));
}

#[test]
fn progress_is_shown_where_a_line_can_renew_itself() {
    let shown = |variables: &[(&str, &str)]| on_terminal(80, variables, &arguments()).raw;
    for variables in [&[XTERM][..], &[XTERM, ("NO_COLOR", "1")]] {
        let raw = shown(variables);
        assert!(raw.contains("\r\u{1b}[Kwaiting for the plugin to attach · 0 s"), "{raw:?}");
        assert!(raw.contains("\r\u{1b}[K████████████████████ 1 of 1 checks done, 1 broken · "), "{raw:?}");
    }
    for variables in [&[("TERM", "dumb")][..], &[]] {
        let raw = shown(variables);
        assert!(!raw.contains('\u{1b}') && !raw.contains("waiting"), "{raw:?}");
    }
}

#[test]
fn mistakes_are_told_in_colours_on_terminals_only() {
    for (arguments, words) in [
        (&["no-such-program-anywhere"][..], "there is no program `no-such-program-anywhere` on the PATH"),
        (&["--only"], "a value is required for '--only <PATTERN>'"),
        (&["doctor", "/bin/true"], "it exited with status 0 without connecting"),
    ] {
        let [coloured, plain, dumb] = [&[XTERM][..], &[XTERM, ("NO_COLOR", "1")], &[("TERM", "dumb")]]
            .map(|variables| on_terminal(200, variables, arguments));
        assert!(coloured.screen.contains(words), "{}", coloured.screen);
        assert!(coloured.raw.contains("\u{1b}[3") || coloured.raw.contains(";3"), "{:?}", coloured.raw);
        assert!(!dumb.raw.contains('\u{1b}'), "{:?}", dumb.raw);
        assert!(!plain.raw.replace("\u{1b}[K", "").contains("\u{1b}[3"), "{:?}", plain.raw);
        let same = |seen: &Seen| seen.screen.lines().map(words_of).collect::<Vec<_>>();
        assert_eq!((same(&plain), same(&dumb)), (same(&coloured), same(&coloured)));
    }
}

/// A line without the numbers of processes.
fn words_of(line: &str) -> String {
    line.split(' ').filter(|word| word.trim_end_matches(',').parse::<u32>().is_err()).collect()
}

#[test]
fn ctrl_c_ends_everything_with_a_word() {
    let both = [&[][..], &["doctor"]].map(|subcommand| {
        let (seconds, place) = (unique_seconds(), tempfile::tempdir_in("/tmp").unwrap());
        let variables = [XTERM, ("NO_COLOR", "1"), ("TMPDIR", place.path().to_str().unwrap())];
        let arguments = [subcommand, &["--within", "60", "sleep", &seconds]].concat();
        let mut seat = Seat::start(80, &variables, CONFORMANCE, &arguments);
        seat.until_shown("waiting for the plugin to attach");
        until_called(&seconds);
        seat.types(b"\x03");
        let seen = seat.ends();
        nothing_is_left(&seconds, place.path());
        format!("exit {}\n{}", seen.code.unwrap(), seen.screen)
    });
    assert_eq!(both[0], both[1]);
    insta::assert_snapshot!(both[0], @r"
    exit 130
      x ended by Ctrl-C (SIGINT); there is no verdict, and nothing that was started still runs

    ");
}

/// A plugin with a child, which a check waits for.
fn slow_to_leave(place: &Path, seconds: &str) -> PathBuf {
    let path = place.join("packer-builder-green");
    let text = format!("#!/bin/sh\nsleep {seconds} &\nexec {} lives-after-leave\n", faulty().display());
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn ctrl_c_in_the_middle_of_checks_ends_them() {
    let (seconds, place, temp) =
        (unique_seconds(), tempfile::tempdir().unwrap(), tempfile::tempdir_in("/tmp").unwrap());
    let plugin = slow_to_leave(place.path(), &seconds);
    let report = place.path().join("report.json");
    let told = format!("json={}", report.display());
    let options = ["--only", "exit.*", "--slow", "10", "--report", &told, plugin.to_str().unwrap()];
    let variables = [XTERM, ("TMPDIR", temp.path().to_str().unwrap())];
    let mut seat = Seat::start(80, &variables, CONFORMANCE, &options);
    seat.until_shown(" checks done");
    until_called(&seconds);
    seat.types(b"\x03");
    let seen = seat.ends();
    nothing_is_left(&seconds, temp.path());
    assert_eq!(seen.code, Some(130), "{}", seen.screen);
    assert!(seen.screen.contains("ended by Ctrl-C (SIGINT)"), "{}", seen.screen);
    assert!(!seen.screen.contains("checks done"), "{}", seen.screen);
    assert!(!report.exists(), "no report is written of half a run");
}

#[test]
fn a_window_that_is_closed_ends_everything() {
    let (seconds, place) = (unique_seconds(), tempfile::tempdir_in("/tmp").unwrap());
    let variables = [XTERM, ("TMPDIR", place.path().to_str().unwrap())];
    let mut seat = Seat::start(20, &variables, CONFORMANCE, &["--within", "60", "sleep", &seconds]);
    until_called(&seconds);
    seat.goes_away();
    assert_eq!(seat.ends().code, Some(129));
    nothing_is_left(&seconds, place.path());
}

#[test]
fn who_does_not_mind_that_the_window_is_closed_gets_the_reports_that_are_files() {
    let (place, temp) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/tmp").unwrap());
    let seconds = unique_seconds();
    let plugin = slow_to_leave(place.path(), &seconds);
    let report = place.path().join("report.json");
    let script = format!(
        "trap '' HUP; exec {CONFORMANCE} --slow 0.2 --only exit.leave --report json={} {}",
        report.display(),
        plugin.display()
    );
    let variables = [XTERM, ("TMPDIR", temp.path().to_str().unwrap())];
    let mut seat = Seat::start(80, &variables, "sh", &["-c", &script]);
    until_called(&seconds);
    seat.goes_away();
    assert_eq!(seat.ends().code, Some(3), "the report on standard output came nowhere");
    nothing_is_left(&seconds, temp.path());
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!(report["counts"]["fail"], 1);
}
