//! Where plugins dial: a private socket, or a port of the loopback for who asks for it.

use crate::rig::{FILE, World};

const NOTE: &str = r#"{"builders": [{"type": "file", "content": "x", "target": "note.txt"}]}"#;

fn world() -> World {
    World::with(&[]).noting(FILE, "PACKER_PLUGIN_ADDRESS", "dialled").template(NOTE)
}

fn dialled(world: &World) -> String {
    let said = world.run("build template.json");
    assert_eq!(said.ended, "exit 0", "{said}");
    assert_eq!(world.read("note.txt"), "x");
    world.read("dialled")
}

// host.tcp-is-opt-in
#[test]
fn plugins_dial_a_port_of_the_range_where_the_user_asks_for_it() {
    let world = world()
        .variable("PACKER_PLUGIN_TRANSPORT", "tcp")
        .variable("PACKER_PLUGIN_MIN_PORT", "20000")
        .variable("PACKER_PLUGIN_MAX_PORT", "60000");
    let dialled = dialled(&world);
    let port: u16 = dialled.trim().strip_prefix("tcp:127.0.0.1:").unwrap().parse().unwrap();
    assert!((20_000..=60_000).contains(&port), "{port}");
}

// host.tcp-is-opt-in
#[test]
fn ports_alone_ask_for_nothing() {
    let dialled = dialled(&world().variable("PACKER_PLUGIN_MIN_PORT", "20000"));
    assert!(dialled.starts_with("unix:/"), "{dialled}");
}
