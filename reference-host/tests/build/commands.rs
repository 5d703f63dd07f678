//! Commands of plugins, as subcommands of ours.

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::rig::{FILE, STAGE, World};

const DOCS: &str = "packer-command-docs";

fn world() -> World {
    World::with(&[STAGE, FILE])
}

// host.command-arguments
#[test]
fn a_command_is_given_its_arguments_as_they_were_typed() {
    assert_snapshot!(world().run("stage -var x --debug -on-error=ask -- é --help"));
}

// host.command-status
#[test]
fn its_exit_status_is_ours() {
    assert_eq!(world().run("stage exit 0").ended, "exit 0");
    assert_eq!(world().run("stage exit 255").ended, "exit 255");
    assert_snapshot!(world().run("stage fail"));
}

#[test]
fn a_command_may_use_the_components_of_all_plugins() {
    assert_snapshot!(world().run("stage components"));
}

#[test]
fn a_plugin_that_a_command_cannot_use_is_told_once_with_the_reason() {
    let world = world()
        .script("packer-hook-odd", "#!/bin/sh\nexit 7\n")
        .script("packer-builder-nobody", "#!/bin/sh\necho no licence >&2\nexit 1\n");
    assert_snapshot!(world.run("stage components"));
    assert_snapshot!(
        World::with(&[DOCS]).script("packer-hook-odd", "#!/bin/sh\nexit 7\n").run("docs --json")
    );
}

#[test]
fn a_command_is_lent_what_every_run_is() {
    assert_snapshot!(world().run("stage directory"));
}

#[test]
fn an_interrupted_command_ends_with_130() {
    let world = world();
    let run = world.start("stage wait");
    run.until_said("waiting");
    run.signal(Signal::INT);
    assert_snapshot!(run.said());
}

#[test]
fn a_killed_command_is_named() {
    let world = world();
    let run = world.start("stage wait");
    run.until_said("waiting");
    world.process(STAGE).signal(Signal::KILL);
    assert_snapshot!(run.said());
}

#[test]
fn help_names_the_commands_that_there_are() {
    let world = world().script("packer-command-greet", "#!/bin/sh\nexit 1\n");
    assert_snapshot!(world.run("--help"));
}

#[test]
fn a_command_that_nobody_offers_is_a_usage_error() {
    let world = world().script("packer-command-greet", "#!/bin/sh\nexit 1\n");
    assert_snapshot!(world.run("greeet"));
    assert_snapshot!(world.run("something"));
    assert_snapshot!(world.run("stage-nothing"));
}
