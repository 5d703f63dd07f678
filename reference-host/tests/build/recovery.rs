//! Crashes at every step of builds that make things: what is left is dealt with, at once or by `packwire recover`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::rig::{FILE, LOCAL, NULL, Run, SHELL, STAGE, World, until};

/// How far a build has come, as far as it can be seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A plugin has attached, or is about to.
    Started,
    /// The first entry is on disk.
    Remembered,
    /// The directory above the file is there.
    Begun,
    /// The draft of the file is there.
    Drafted,
    /// The file is in its place.
    Made,
    /// The machine's directory is there.
    Opened,
    /// A command runs on the machine.
    Provisioning,
}

impl Step {
    const OF_FILE: [Self; 5] = [Self::Started, Self::Remembered, Self::Begun, Self::Drafted, Self::Made];
    const OF_MACHINE: [Self; 4] = [Self::Started, Self::Remembered, Self::Opened, Self::Provisioning];

    fn is_seen(self, world: &World) -> bool {
        let out = || fs::read_dir(world.path("out")).into_iter().flatten().flatten();
        match self {
            Self::Started => [FILE, NULL].into_iter().any(|plugin| world.find_process(plugin).is_some()),
            Self::Remembered => world.ledger().iter().any(|entry| entry.ends_with(".json")),
            Self::Begun => world.path("out").exists(),
            Self::Drafted => out().next().is_some(),
            Self::Made => world.path("out/note.txt").exists(),
            // A socket's directory has a shorter name.
            Self::Opened => world.left_behind().iter().any(|name| name.len() == "packwire-".len() + 32),
            Self::Provisioning => !world.read("up").is_empty(),
        }
    }
}

/// A file that takes a moment to write, and is provisioned by nobody.
fn of_a_file() -> World {
    let template = r#"{"builders": [{"type": "file", "source": "big", "target": "out/note.txt"}]}"#;
    World::with(&[FILE]).file("big", &"0123456789abcdef".repeat(1 << 16)).template(template)
}

/// A machine on which something runs for ever.
fn of_a_machine() -> World {
    let template = r#"{
      "builders": [{"type": "null", "communicator": "local"}],
      "provisioners": [{
        "type": "shell",
        "inline": ["echo up > {{pwd}}/up; cat {{pwd}}/never"],
        "start_retry_timeout": "1s"
      }]
    }"#;
    World::with(&[NULL, LOCAL, SHELL]).pipe("never").template(template)
}

/// Runs a build up to a step, or to its end where that is faster.
fn at<'world>(world: &'world World, step: Step) -> Run<'world> {
    let run = world.start("build template.json");
    until(&format!("{step:?}"), || step.is_seen(world) || run.has_ended());
    run
}

/// Nothing is left but what the build has finished on purpose: then the whole file, and no entry.
fn nothing_is_left(world: &World, step: Step) {
    assert_eq!(world.ledger_files(), Vec::<String>::new(), "{step:?}");
    assert_eq!(world.left_behind(), Vec::<String>::new(), "{step:?}");
    let out = world.path("out");
    let names: Vec<PathBuf> =
        fs::read_dir(&out).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    match &names[..] {
        [] => assert!(!out.exists(), "{step:?}: an empty directory is left"),
        [file] => {
            assert_eq!(file, &out.join("note.txt"), "{step:?}");
            assert_eq!(fs::read(file).unwrap().len(), 1 << 20, "{step:?}: half a file is left");
        }
        more => panic!("{step:?}: {more:?}"),
    }
}

fn the_host_is_killed(world: &World, step: Step) {
    let run = at(world, step);
    run.signal(Signal::KILL);
    run.said();
    world.until_quiet(Duration::from_secs(10));
    let said = world.run("recover");
    assert_eq!(said.ended, "exit 0", "{step:?}: {said}");
    nothing_is_left(world, step);
    let again = world.run("recover");
    assert_eq!(again.stdout, "Nothing is left to recover.\n", "{step:?}");
}

/// The plugin first, then its host before it can do anything about it.
fn both_are_killed(world: &World, step: Step, plugin: &str) {
    let run = at(world, step);
    run.signal(Signal::STOP);
    if let Some(plugin) = world.find_process(plugin) {
        plugin.kill();
    }
    run.signal(Signal::KILL);
    run.said();
    // Nobody is left who would end what the communicator had started.
    world.end_processes();
    let said = world.run("recover");
    assert_eq!(said.ended, "exit 0", "{step:?}: {said}");
    nothing_is_left(world, step);
}

/// The host goes on, and needs no help.
fn the_plugin_is_killed(world: &World, step: Step, plugin: &str) {
    let run = at(world, step);
    if let Some(plugin) = world.find_process(plugin) {
        plugin.kill();
    }
    run.said();
    nothing_is_left(world, step);
}

#[test]
fn a_host_killed_at_any_step_of_a_file_leaves_nothing_after_recovery() {
    for step in Step::OF_FILE {
        the_host_is_killed(&of_a_file(), step);
    }
}

#[test]
fn a_host_killed_at_any_step_of_a_machine_leaves_nothing_after_recovery() {
    for step in Step::OF_MACHINE {
        the_host_is_killed(&of_a_machine(), step);
    }
}

// host.recover-at-once
#[test]
fn a_builder_killed_at_any_step_leaves_nothing_and_needs_no_help() {
    for step in Step::OF_FILE {
        the_plugin_is_killed(&of_a_file(), step, FILE);
    }
}

#[test]
fn a_communicator_killed_at_any_step_leaves_nothing_and_needs_no_help() {
    for step in [Step::Opened, Step::Provisioning] {
        the_plugin_is_killed(&of_a_machine(), step, LOCAL);
    }
}

#[test]
fn builder_and_host_killed_at_any_step_leave_nothing_after_recovery() {
    for step in Step::OF_FILE {
        both_are_killed(&of_a_file(), step, FILE);
    }
}

#[test]
fn communicator_and_host_killed_at_any_step_leave_nothing_after_recovery() {
    for step in [Step::Opened, Step::Provisioning] {
        both_are_killed(&of_a_machine(), step, LOCAL);
    }
}

/// A build of a file that waits for its content, with its draft on disk; builder and host are killed.
fn crashed(template: &str, line: &str) -> World {
    crashed_in(World::with(&[FILE]), template, line)
}

fn crashed_in(world: World, template: &str, line: &str) -> World {
    let world = world.pipe("never").template(template);
    let run = world.start(line);
    until("the draft is there", || Step::Drafted.is_seen(&world) || run.has_ended());
    run.signal(Signal::STOP);
    world.process(FILE).signal(Signal::KILL);
    run.signal(Signal::KILL);
    run.said();
    assert!(Step::Drafted.is_seen(&world), "the draft is left");
    world
}

const WAITING: &str =
    r#"{"builders": [{"type": "file", "name": "note", "source": "never", "target": "out/note.txt"}]}"#;

#[test]
fn what_is_left_is_listed_and_recovered() {
    let world = crashed(WAITING, "build template.json");
    let listed = world.run("recover -list");
    assert_eq!(listed.ended, "exit 0");
    assert!(listed.stdout.contains("FOLDER/here/template.json in FOLDER/here"), "{listed}");
    assert!(listed.stdout.contains("  builder file of build `note`: {\"directories\""), "{listed}");
    assert_eq!(world.ledger().len(), 1, "a list changes nothing");
    assert_snapshot!(world.run("recover"));
    nothing_is_left(&world, Step::Drafted);
}

#[test]
fn a_run_is_recovered_by_its_name_and_others_stay() {
    let world = crashed(WAITING, "build template.json");
    let run = world.ledger()[0].split('/').next().unwrap().to_owned();
    assert_snapshot!(world.run("recover 0-none"));
    assert_eq!(world.ledger().len(), 1);
    assert_eq!(world.run(&format!("recover {run}")).ended, "exit 0");
    nothing_is_left(&world, Step::Drafted);
}

// host.ledger-one-owner
#[test]
fn a_living_host_is_left_alone() {
    let world = of_a_machine();
    let run = at(&world, Step::Provisioning);
    let name = world.ledger()[0].split('/').next().unwrap().to_owned();
    assert_snapshot!(world.run("recover"));
    let refused = world.run(&format!("recover {name}"));
    assert_eq!(refused.ended, "exit 1");
    assert!(refused.stderr.contains("goes on"), "{refused}");
    assert_eq!(world.left_behind().len(), 1);
    run.signal(Signal::INT);
    run.said();
}

const WITH_A_SECRET: &str = r#"{
  "variables": {"where": null, "word": null},
  "sensitive-variables": ["word"],
  "builders": [{"type": "file", "source": "{{user `where`}}", "target": "out/note.txt"}]
}"#;

// host.ledger-private
#[test]
fn values_of_the_command_line_are_not_on_disk_and_are_asked_for() {
    let build = "build -var where=never -var word=open-sesame template.json";
    let world = crashed(WITH_A_SECRET, build);
    assert!(!holds(&world.path("../home"), "open-sesame"));
    assert_snapshot!(world.run("recover"));
    assert_eq!(world.ledger().len(), 1, "nothing is lost");
    assert_eq!(world.run("recover -var where=never -var word=open-sesame").ended, "exit 0");
    nothing_is_left(&world, Step::Drafted);
}

/// Whether a file below this directory has the text.
fn holds(directory: &Path, text: &str) -> bool {
    fs::read_dir(directory).unwrap().flatten().any(|entry| match entry.file_type().unwrap().is_dir() {
        true => holds(&entry.path(), text),
        false => String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).contains(text),
    })
}

#[test]
fn a_plugin_that_is_gone_is_named_and_nothing_is_lost() {
    let world = crashed(WAITING, "build template.json");
    let plugin = world.plugins().join(FILE);
    let program = fs::read_link(&plugin).unwrap();
    fs::remove_file(&plugin).unwrap();
    assert_snapshot!(world.run("recover"));
    assert_eq!(world.ledger().len(), 1);
    std::os::unix::fs::symlink(program, &plugin).unwrap();
    assert_eq!(world.run("recover").ended, "exit 0");
    nothing_is_left(&world, Step::Drafted);
}

#[test]
fn a_template_that_is_gone_or_changed_is_named_and_nothing_is_lost() {
    let world = crashed(WAITING, "build template.json");
    let template = world.path("template.json");
    fs::remove_file(&template).unwrap();
    assert_snapshot!("gone", world.run("recover"));
    fs::write(&template, WAITING.replace("\"note\"", "\"other\"")).unwrap();
    assert_snapshot!("changed", world.run("recover"));
    assert_eq!(world.ledger().len(), 1);
    // Moved within the template: it is the only one of its name.
    fs::write(&template, WAITING.replacen('{', "{\n", 1)).unwrap();
    assert_eq!(world.run("recover").ended, "exit 0");
    nothing_is_left(&world, Step::Drafted);
}

// host.recover-keeps
#[test]
fn what_cannot_be_removed_stays_in_the_ledger() {
    let world = crashed(WAITING, "build template.json");
    let draft = fs::read_dir(world.path("out")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&draft).unwrap();
    fs::create_dir(&draft).unwrap();
    let said = world.run("recover");
    assert_eq!(said.ended, "exit 1");
    assert!(said.stdout.contains("what builder file has left is not dealt with"), "{said}");
    assert_eq!(world.ledger().len(), 1);
    fs::remove_dir(&draft).unwrap();
    assert_eq!(world.run("recover").ended, "exit 0");
    nothing_is_left(&world, Step::Drafted);
}

#[test]
fn what_data_sources_yield_is_looked_up_again() {
    let template = r#"{
      "data": {"d": {"type": "stage", "text": "never"}, "e": {"type": "stage", "text": "{{data `d` `/text`}}"}},
      "builders": [{"type": "file", "name": "note", "source": "{{data `e` `/text`}}", "target": "out/note.txt"}]
    }"#;
    let world = crashed_in(World::with(&[FILE, STAGE]), template, "build template.json");
    assert_eq!(world.run("recover").ended, "exit 0");
    nothing_is_left(&world, Step::Drafted);
}

// host.recover-after-death
#[test]
fn what_a_living_process_has_made_is_left_to_it() {
    let world = World::with(&[FILE]).pipe("never").template(WAITING);
    let run = world.start("build template.json");
    until("the draft is there", || Step::Drafted.is_seen(&world) || run.has_ended());
    let plugin = world.process(FILE);
    plugin.signal(Signal::STOP);
    run.signal(Signal::KILL);
    run.said();
    let said = world.run("recover");
    assert_eq!(said.ended, "exit 1", "{said}");
    assert!(said.stdout.contains("still runs: it may be cleaning up itself"), "{said}");
    assert!(!said.stdout.contains("Recovering"), "{said}");
    assert!(Step::Drafted.is_seen(&world));
    assert_eq!(world.ledger().len(), 1);
    plugin.kill();
    assert_eq!(world.run("recover").ended, "exit 0");
    nothing_is_left(&world, Step::Drafted);
}
