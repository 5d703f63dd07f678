//! One template with every kind of component, run by the plugins of this repository.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::rig::{FILE, LOCAL, NULL, SHELL, World};

const RELEASE: &str = r#"{"version": "1.2.3", "steps": ["echo step one", "echo step two"]}"#;

/// A server on this machine that answers as many requests as there are, with the release; its port.
fn serving() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // It ends with the process of the tests.
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0; 4096];
            let _read = connection.read(&mut request);
            let length = RELEASE.len();
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{RELEASE}");
            drop(connection.write_all(answer.as_bytes()));
        }
    });
    port
}

#[test]
fn one_template_uses_every_kind() {
    let template = r#"{
  "data": {"release": {"type": "http", "url": "http://127.0.0.1:PORT/release.json"}},
  "builders": [
    {"type": "file", "name": "note", "content": "{{data `release` `/json/version`}}\n", "target": "note.txt"},
    {"type": "null", "name": "machine", "communicator": "local"}
  ],
  "provisioners": [
    {"type": "shell", "only": ["machine"], "inline": "{{data `release` `/json/steps`}}"},
    {"type": "shell", "only": ["machine"], "inline": ["echo over {{build `ConnType`}}"]}
  ],
  "hooks": {
    "packwire_build_started": ["timings"],
    "packwire_provisioner_started": ["timings"],
    "packwire_provisioner_finished": ["timings"],
    "packwire_post_processor_started": ["timings"],
    "packwire_post_processor_finished": ["timings"],
    "packwire_build_finished": ["timings"]
  },
  "post-processors": [
    {"type": "checksum", "checksum_types": ["sha256"], "output": "{{data `release` `/json/version`}}.{{ .ChecksumType }}"}
  ]
}"#;
    let plugins = [
        FILE,
        NULL,
        LOCAL,
        SHELL,
        "packer-data-source-http",
        "packer-hook-timings",
        "packer-post-processor-checksum",
    ];
    let world = World::with(&plugins).template(&template.replace("PORT", &serving().to_string()));
    let said = world.run("build template.json");
    assert_eq!(said.ended, "exit 0", "{said}");
    assert_eq!(world.read("note.txt"), "1.2.3\n");
    assert!(world.read("1.2.3.sha256").ends_with("\tnote.txt\n"), "{}", world.read("1.2.3.sha256"));
    let lines = [
        "    machine: step two",
        "    machine: over local",
        "==> note: Running post-processor: checksum",
        "==> note: Where ",
        "    machine: provisioner shell ",
        "    note: post-processor checksum ",
        "--> note: ",
    ];
    for line in lines {
        assert!(said.stdout.contains(line), "no {line:?} in {said}");
    }
}
