//! One build with every kind of component and every service of the host, run by the plugins of this repository.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use insta::assert_snapshot;

use crate::rig::{LOCAL, NULL, SHELL, STAGE, World};

pub(crate) const ROOTFS: &str = "packer-builder-rootfs";
const DOCS: &str = "packer-command-docs";

/// A machine of its own, a machine that is this one, and a builder that uses what else the host lends.
const TEMPLATE: &str = r#"{
  "data": {"release": {"type": "http", "url": "http://127.0.0.1:PORT/release.json"}},
  "builders": [
    {
      "type": "rootfs",
      "name": "system",
      "output": "system.tar",
      "mounts": [
        {"source": "/bin", "target": "/bin", "read_only": true},
        {"source": "/lib", "target": "/lib", "read_only": true},
        {"source": "/lib64", "target": "/lib64", "read_only": true, "optional": true},
        {"source": "/usr", "target": "/usr", "read_only": true}
      ]
    },
    {"type": "null", "name": "machine", "communicator": "local"},
    {"type": "stage", "name": "lender", "target": "lent.txt", "content": "lent\n", "uses_lent": true}
  ],
  "provisioners": [
    {"type": "file", "only": ["system"], "source": "motd", "destination": "/motd"},
    {"type": "shell", "only": ["system"], "inline": ["cat /motd", "echo {{data `release` `/json/version`}} > /release"]},
    {"type": "shell", "only": ["machine"], "inline": "{{data `release` `/json/steps`}}"},
    {"type": "shell-local", "only": ["machine"], "inline": ["echo over {{build `ConnType`}}"]},
    {"type": "stage", "only": ["lender"], "say": ["on {{build `ID`}}"], "open": "local", "grant": ["communicator"]}
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
    [
      {"type": "compress", "only": ["system"], "output": "system.tar.xz", "keep_input_artifact": true},
      {"type": "checksum", "only": ["system"], "checksum_types": ["sha256"], "output": "system.{{ .ChecksumType }}"},
      {"type": "manifest", "only": ["system"], "output": "manifest.json", "strip_path": true}
    ]
  ]
}"#;

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

fn world() -> World {
    let plugins = [
        ROOTFS,
        NULL,
        STAGE,
        LOCAL,
        SHELL,
        DOCS,
        "packer-data-source-http",
        "packer-provisioner-file",
        "packer-provisioner-shell-local",
        "packer-post-processor-checksum",
        "packer-post-processor-compress",
        "packer-post-processor-manifest",
        "packer-hook-timings",
    ];
    let template = TEMPLATE.replace("PORT", &serving().to_string());
    World::with(&plugins).template(&template).file("motd", "Welcome.\n")
}

#[test]
fn one_build_uses_every_kind_and_every_service() {
    let world = world();
    let said = world.run("build -parallel-builds=1 template.json");
    assert_snapshot!(constant(&said.to_string()));
    assert_eq!(world.read("lent.txt"), "lent\n");
    assert!(world.read("system.sha256").ends_with("\tsystem.tar.xz\n"), "{}", world.read("system.sha256"));
    assert_eq!(world.run("validate template.json").ended, "exit 0");
    assert_snapshot!(world.run("docs"));
}

/// What differs from run to run and between machines: what share of the time a part has, and how a tree is entered.
fn constant(said: &str) -> String {
    said.lines().map(constant_line).collect::<Vec<_>>().join("\n")
}

fn constant_line(line: &str) -> String {
    if line.starts_with("==> system: Commands run") {
        return "==> system: [isolation]".to_owned();
    }
    if let Some((build, _)) = line.split_once(": Where ") {
        return format!("{build}: Where [time] went:");
    }
    let Some((what, rest)) = line.trim_start().split_once("  ") else { return line.to_owned() };
    match rest.split_once(" %") {
        Some((_, ended)) => format!("    {what}: [share] {}", ended.trim()).trim_end().to_owned(),
        None => line.to_owned(),
    }
}
