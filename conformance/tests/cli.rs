//! The command, with programs that are no plugins: a clear verdict, the right exit code, and nothing left running.

mod command;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use command::{conformance, in_, nobody_is_called, script, unique_seconds, until};

#[test]
fn a_program_that_exits_at_once_gets_one_verdict() {
    insta::assert_snapshot!(conformance(&["/bin/true"]), @r"
    exit 4
    conformance [version] of /bin/true

    never attached: it exited with status 0 after [seconds], without connecting
      hint      a plugin reads PACKER_PLUGIN_ADDRESS, dials it and calls Host.attach (SPEC.md, `Connection and attach`)

    not tested, the program never attached · suite [version] · seed 1
    ");
}

#[test]
fn a_program_that_reads_to_the_end_gets_one_verdict() {
    assert!(conformance(&["/bin/cat"]).starts_with("exit 4\n"));
}

#[test]
fn a_program_that_stays_is_ended() {
    let seconds = unique_seconds();
    let told = conformance(&["--within", "0.3", "sleep", &seconds]);
    assert!(
        told.starts_with("exit 4\n") && told.contains("it was still running and had not connected"),
        "{told}"
    );
    nobody_is_called(&seconds);
}

#[test]
fn what_never_attached_is_never_reported_as_passed() {
    let told = conformance(&["--format", "json", "/bin/true"]);
    let report: serde_json::Value = serde_json::from_str(told.split_once('\n').unwrap().1).unwrap();
    assert_eq!(report["verdict"], "not tested, the program never attached");
    assert_eq!(report["never_attached"]["end"], "exited with status 0");
    assert_eq!((&report["counts"]["pass"], &report["plugin"]), (&0.into(), &serde_json::Value::Null));
    assert_eq!(report["counts"]["not-exercised"], report["results"].as_array().unwrap().len());
}

#[test]
fn what_cannot_be_started_is_said_before_anything_is_tried() {
    let place = tempfile::tempdir().unwrap();
    let text = place.path().join("notes.txt");
    fs::write(&text, "no program\n").unwrap();
    fs::set_permissions(&text, fs::Permissions::from_mode(0o644)).unwrap();
    let headless = script(place.path(), "headless", "no interpreter is named\n");
    let lost = script(place.path(), "lost", "#!/no/such/interpreter\n");
    let told = |program: &std::path::Path| conformance(&[program.to_str().unwrap()]);
    let all = [
        told(place.path()),
        told(&text),
        told(&place.path().join("missing")),
        told(&headless),
        told(&lost),
        conformance(&["no-such-program-anywhere"]),
    ];
    let all = all.join("--\n").replace(place.path().to_str().unwrap(), "[place]");
    insta::assert_snapshot!(all);
}

#[test]
fn a_plugin_of_packers_own_protocol_is_named_as_that() {
    let place = tempfile::tempdir().unwrap();
    let without_its_cookie =
        "echo 'Please do not execute plugins directly. Packer will execute these for you.' >&2; exit 1";
    let handshake = "echo '1|5|unix|/tmp/plugin123|netrpc'; exec sleep 1000";
    for says in [without_its_cookie, handshake, "echo '5|0|tcp|127.0.0.1:10000'; exit 0"] {
        let old = script(place.path(), "packer-builder-old", &format!("#!/bin/sh\n{says}\n"));
        let told = conformance(&["--within", "0.5", old.to_str().unwrap()]);
        assert!(told.starts_with("exit 4\n"), "{told}");
        assert!(
            told.contains("this is a plugin of Packer's own protocol, not of Packwire; it needs a bridge"),
            "{told}"
        );
    }
}

#[test]
fn a_program_that_crashes_at_once_is_told_with_its_last_words() {
    let place = tempfile::tempdir().unwrap();
    let says = "#!/bin/sh\necho loading >&2\necho 'panic: no such table' >&2\nkill -SEGV $$\n";
    script(place.path(), "crashing", says);
    insta::assert_snapshot!(in_(place.path(), &["./crashing"]), @r"
    exit 4
    conformance [version] of ./crashing

    never attached: it was killed by SIGSEGV after [seconds], without connecting
      it said   loading
                panic: no such table
      hint      a plugin reads PACKER_PLUGIN_ADDRESS, dials it and calls Host.attach (SPEC.md, `Connection and attach`)

    not tested, the program never attached · suite [version] · seed 1
    ");
}

#[test]
fn mistakes_are_told_with_what_and_where_and_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        fs::write(place.path().join(name), text).unwrap();
        place.path().join(name).to_str().unwrap().to_owned()
    };
    let missing = place.path().join("missing/file");
    let missing = missing.to_str().unwrap();
    let unknown = file("unknown.toml", "packwire-scenario = 1\ncolour = 3\n");
    let wrong = file("wrong.toml", "packwire-scenario = \"one\"\n");
    let expect = file("expect.toml", "packwire-expect = 1\n[fails]\n\"exit.leave\" = 3\n");
    let told = |options: &[&str]| conformance(&[options, &["/bin/true"]].concat());
    let all = [
        conformance(&[]),
        conformance(&[&command::of_another_machine(place.path())]),
        told(&["--scenario", missing]),
        told(&["--scenario", &unknown]),
        told(&["--scenario", &wrong]),
        told(&["--expect", missing]),
        told(&["--expect", &expect]),
        told(&["--only", "nothing.at.all"]),
        told(&["--report", &format!("json={missing}")]),
        told(&["--report", "xml=file"]),
        told(&["--write-expect", missing]),
        told(&["--transcripts", place.path().to_str().unwrap()]),
        command::below(Path::new("/proc/self"), &["/bin/true"]),
        command::below(Path::new("/proc/self"), &["doctor", "/bin/true"]),
        command::to_a_full_disk(&["list"]),
    ];
    let all = all.join("--\n").replace(place.path().to_str().unwrap(), "[place]");
    insta::with_settings!({ filters => [("pwc-[A-Za-z0-9]+", "pwc-[random]")] }, {
        insta::assert_snapshot!(all);
    });
}

#[test]
fn nothing_survives_of_a_program_that_forks_ignores_signals_and_leaves_its_session() {
    let place = tempfile::tempdir().unwrap();
    let seconds = unique_seconds();
    let text = format!(
        "#!/bin/sh\ntrap '' TERM INT HUP\n(trap '' TERM; sleep {seconds}) &\n\
         setsid sh -c 'trap \"\" TERM; sleep {seconds} & sleep {seconds}' &\nsleep {seconds}\n"
    );
    let wild = script(place.path(), "wild", &text);
    let told = conformance(&["--within", "0.5", wild.to_str().unwrap()]);
    assert!(told.starts_with("exit 4\n"), "{told}");
    nobody_is_called(&seconds);
}

#[test]
fn nothing_survives_the_suite_itself() {
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::KILL] {
        let (seconds, place) = (unique_seconds(), tempfile::tempdir_in("/tmp").unwrap());
        let suite = command::start_below(place.path(), &["--within", "60", "sleep", &seconds]);
        until(Duration::from_secs(10), || !command::called(&seconds).is_empty());
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
        suite.end_by(signal);
        until(Duration::from_secs(10), || command::called(&seconds).is_empty());
        until(Duration::from_secs(10), || fs::read_dir(&place).unwrap().count() == 0);
    }
}

#[test]
fn a_check_that_overruns_is_our_error_and_ends_with_everything_below_it() {
    let seconds = unique_seconds();
    let suite =
        command::start_below(Path::new("/tmp"), &["--slow", "0.01", "--within", "100", "sleep", &seconds]);
    until(Duration::from_secs(10), || !command::called(&seconds).is_empty());
    suite.stop_supervisor();
    assert_eq!(suite.code(), Some(3));
    nobody_is_called(&seconds);
}

#[test]
fn a_plugin_may_be_called_list() {
    let place = tempfile::tempdir().unwrap();
    script(place.path(), "list", "#!/bin/sh\necho 'I am a program' >&2\nexit 7\n");
    let told = in_(place.path(), &["--", "list"]);
    assert!(told.starts_with("exit 4\n") && told.contains("it exited with status 7"), "{told}");
    assert!(told.contains("I am a program"), "{told}");
}

#[test]
fn the_doctor_says_what_to_do_first() {
    let place = tempfile::tempdir().unwrap();
    let told = |name: &str, text: &str| {
        let path = script(place.path(), name, &format!("#!/bin/sh\n{text}\n"));
        conformance(&["doctor", "--within", "1", path.to_str().unwrap()])
    };
    let all = [
        told("silent", "exec sleep 1000"),
        told("unfit", "echo 'the address is unusable' >&2; exit 2"),
        told("old", "echo 'This binary is a plugin. These are not meant to be executed directly.'; exit 1"),
        conformance(&["doctor", "/no/such/plugin"]),
    ];
    let all = all.join("--\n").replace(place.path().to_str().unwrap(), "[place]");
    insta::with_settings!({ filters => [(r"process \d+", "process [pid]")] }, {
        insta::assert_snapshot!(all);
    });
}

#[test]
fn this_machine_has_what_the_suite_needs() {
    insta::assert_snapshot!(conformance(&["selftest"]));
}

#[test]
fn a_machine_without_room_for_temporary_files_is_told_so() {
    let told = command::below(Path::new("/proc/self"), &["selftest"]);
    insta::with_settings!({ filters => [("pwc-[A-Za-z0-9]+", "pwc-[random]")] }, {
        insta::assert_snapshot!(told);
    });
}

#[test]
fn usage_is_checked_before_the_program_is_looked_for() {
    let slip = conformance(&["--only", "exit.leav", "/bin/true"]);
    let nothing = conformance(&["--skip", "*", "/bin/true"]);
    insta::assert_snapshot!(format!("{slip}--\n{nothing}"));
    assert!(conformance(&[]).starts_with("exit 2\n"));
    assert!(conformance(&["--slow", "never", "/bin/true"]).starts_with("exit 2\n"));
}

#[test]
fn the_help_tells_the_exit_codes() {
    insta::assert_snapshot!(conformance(&["--help"]));
}

#[test]
fn there_is_a_manual_page_for_each_command_and_completions_for_each_shell() {
    let page = conformance(&["man"]);
    assert!(page.starts_with("exit 0\n") && page.contains(".TH conformance 1"), "{page}");
    assert!(page.contains("\\-\\-write\\-expect") && page.contains("expectations are stale"), "{page}");
    insta::assert_snapshot!(conformance(&["man", "replay"]));
    assert!(conformance(&["man", "no-such"]).starts_with("exit 2\n"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = conformance(&["completions", shell]);
        assert!(script.starts_with("exit 0\n") && script.contains("write-expect"), "{shell}: {script}");
    }
}

#[test]
fn all_checks_are_listed_for_people() {
    insta::assert_snapshot!(conformance(&["list"]));
}

#[test]
fn all_checks_are_listed_for_programs() {
    let told = conformance(&["list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(told.split_once('\n').unwrap().1).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&listed[0]).unwrap());
}

#[test]
fn a_requirement_is_explained() {
    let told = ["launch.not-a-host", "attach.patient", "host.token-fresh", "launch.not-a-hos"]
        .map(|id| conformance(&["explain", id]));
    insta::assert_snapshot!(told.join("--\n"));
}
