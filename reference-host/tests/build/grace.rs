//! Plugins that clean up: a host gives them the time of the table of grace, says so, and its user can end that.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::rig::{Run, STAGE, World, until_some};

/// A builder that takes its time to clean up.
const SLOW: &str = r#"{"builders": [{"type": "stage", "waits": true, "cleans_up_after": "swept"}]}"#;

fn waiting(world: &World) -> Run<'_> {
    let run = world.start("build template.json");
    run.until_said("Waiting for a machine");
    run
}

/// Lets whoever reads this pipe to its end go on.
pub(crate) fn write(world: &World, pipe: &str) {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    drop(until_some(&format!("{pipe} is read"), || {
        OpenOptions::new().write(true).custom_flags(nonblocking).open(world.path(pipe)).ok()
    }));
}

#[test]
fn a_builder_whose_link_is_lost_has_its_time_to_clean_up() {
    let world = World::with(&[]).unplugged().pipe("swept").template(SLOW);
    let run = waiting(&world);
    write(&world, "cut");
    // This is told after more than the two seconds that it once had.
    run.until_said("Waiting up to 10 min for packer-plugin-stage to clean up; Ctrl-C ends it now");
    assert!(!world.path("cleaned").exists());
    write(&world, "swept");
    let said = run.said();
    assert_eq!(world.read("cleaned"), "all of it");
    assert_snapshot!(said);
}

#[test]
fn an_interrupt_ends_the_waiting_for_a_lost_plugin() {
    let world = World::with(&[]).unplugged().pipe("swept").template(SLOW);
    let run = waiting(&world);
    write(&world, "cut");
    run.until_said("Ctrl-C ends it now");
    run.signal(Signal::INT);
    assert_snapshot!(run.said());
    assert!(!world.path("cleaned").exists());
}

#[test]
fn a_cancelled_builder_that_cleans_up_is_told_of_and_a_second_interrupt_ends_it() {
    let world = World::with(&[STAGE]).pipe("swept").template(SLOW);
    let run = waiting(&world);
    run.signal(Signal::INT);
    run.until_said("Waiting up to 10 min for packer-plugin-stage to clean up; Ctrl-C ends it now");
    run.signal(Signal::INT);
    assert_snapshot!(run.said());
    assert!(!world.path("cleaned").exists());
}

// host.cancel-grace
#[test]
fn a_cancelled_builder_that_cleans_up_slowly_is_waited_for() {
    let world = World::with(&[STAGE]).pipe("swept").template(SLOW);
    let run = waiting(&world);
    run.signal(Signal::INT);
    run.until_said("Waiting up to 10 min");
    write(&world, "swept");
    assert_snapshot!(run.said());
    assert_eq!(world.read("cleaned"), "all of it");
}
