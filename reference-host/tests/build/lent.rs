//! What the host lends to runs, through a real plugin and between hosts.

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::rig::{STAGE, World, until};

fn world() -> World {
    World::with(&[STAGE])
}

// host.services-end, host.key-pair-private
#[test]
fn a_run_is_lent_everything_and_gives_it_back() {
    assert_snapshot!(world().run("stage lent"));
}

// host.cache-exclusive
#[test]
fn a_key_of_the_cache_is_held_by_one_host_at_a_time() {
    let world = world();
    let holder = world.start("stage hold");
    holder.until_said("holding");
    let taker = world.start("stage take");
    taker.until_said("asking");
    holder.signal(Signal::INT);
    assert_eq!(holder.said().ended, "exit 130");
    let said = taker.said();
    assert!(said.stdout.contains("taken: whole"), "{said}");
}

#[test]
fn a_lease_ends_with_a_host_that_is_killed() {
    let world = world();
    let holder = world.start("stage hold");
    holder.until_said("holding");
    let taker = world.start("stage take");
    taker.until_said("asking");
    holder.signal(Signal::KILL);
    holder.said();
    let said = taker.said();
    assert_eq!(said.ended, "exit 0", "{said}");
    assert!(said.stdout.contains("taken: "), "{said}");
}

// host.services-end
#[test]
fn a_lease_ends_with_a_plugin_that_is_killed() {
    let world = world();
    let holder = world.start("stage hold");
    holder.until_said("holding");
    world.process(STAGE).signal(Signal::KILL);
    assert_eq!(holder.said().ended, "exit 1");
    assert_eq!(world.run("stage take").ended, "exit 0");
}

// host.services-cancel
#[test]
fn who_waits_for_a_lease_can_be_interrupted() {
    let world = world();
    let holder = world.start("stage hold");
    holder.until_said("holding");
    let taker = world.start("stage take");
    taker.until_said("asking");
    taker.signal(Signal::INT);
    let said = taker.said();
    assert_ne!(said.ended, "exit 0");
    assert!(!said.stdout.contains("taken"), "{said}");
    holder.signal(Signal::INT);
    holder.said();
}

// host.temp-dir-ledger
#[test]
fn a_directory_that_was_lent_goes_with_the_run_or_is_recovered() {
    let world = world();
    let run = world.start("stage wait-in-a-directory");
    run.until_said("in a directory");
    assert_eq!(world.left_behind().len(), 1);
    run.signal(Signal::STOP);
    world.process(STAGE).signal(Signal::KILL);
    run.signal(Signal::KILL);
    run.said();
    until("the plugin is gone", || world.find_process(STAGE).is_none());
    assert_eq!(world.left_behind().len(), 1);
    assert_snapshot!(world.run("recover"));
    assert!(world.left_behind().is_empty() && world.ledger_files().is_empty());
}
