//! What one plugin each shows of data sources, hooks and commands: `http`, `timings` and `docs`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use insta::assert_snapshot;

use crate::rig::{FILE, LOCAL, NULL, SHELL, World};

const DOCS: &str = "packer-command-docs";
const HTTP: &str = "packer-data-source-http";
const TIMINGS: &str = "packer-hook-timings";

/// A server that gives one answer and is gone: its port.
fn answering(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        stream.write_all(answer.as_bytes()).unwrap();
    }));
    port
}

fn asking(port: u16) -> World {
    let template = format!(
        r#"{{
  "data": {{"latest": {{"type": "http", "url": "http://127.0.0.1:{port}/latest", "bearer_token": "correct horse"}}}},
  "builders": [{{"type": "file", "target": "made.txt", "content": "{{{{data `latest` `/json/version`}}}}"}}]
}}"#
    );
    World::with(&[FILE, HTTP]).template(&template)
}

#[test]
fn a_server_says_what_is_built() {
    let world = asking(answering("HTTP/1.1 200 OK\r\n\r\n{\"version\": \"1.2.3\"}"));
    assert_snapshot!(world.run("build template.json"));
    assert_eq!(world.read("made.txt"), "1.2.3");
}

#[test]
fn a_server_that_refuses_ends_the_run_and_tells_no_secret() {
    let port = answering("HTTP/1.1 403 Forbidden\r\n\r\ncorrect horse may not\n");
    let said = asking(port).run("build template.json").to_string();
    assert_snapshot!(said.replace(&port.to_string(), "PORT"));
}

#[test]
fn a_build_tells_where_its_time_went_also_when_it_failed() {
    let events = ["build", "provisioner", "post_processor"].map(|what| {
        format!(r#""packwire_{what}_started": ["timings"], "packwire_{what}_finished": ["timings"]"#)
    });
    let template = format!(
        r#"{{
  "builders": [
    {{"type": "null", "name": "a", "communicator": "local"}},
    {{"type": "null", "name": "b", "communicator": "local"}}
  ],
  "hooks": {{{}}},
  "provisioners": [
    {{"type": "shell", "inline": ["true"]}},
    {{"type": "shell", "only": ["b"], "inline": ["exit 7"]}}
  ]
}}"#,
        events.join(", ")
    );
    let world = World::with(&[NULL, LOCAL, SHELL, TIMINGS]).template(&template);
    let said = world.run("build template.json");
    assert_eq!(said.ended, "exit 1");
    let shares: Vec<_> = said.stdout.lines().filter_map(share).collect();
    let of =
        |build: &str| shares.iter().filter(|share| share.starts_with(build)).cloned().collect::<Vec<_>>();
    assert_eq!(
        of("a: "),
        [
            "a: builder null before provisioning, ",
            "a: provisioner shell, ",
            "a: builder null after provisioning, "
        ]
    );
    assert_eq!(
        of("b: "),
        [
            "b: builder null before provisioning, ",
            "b: provisioner shell, ",
            "b: provisioner shell, failed",
            "b: builder null after provisioning, ",
        ]
    );
}

/// A line of the table: what, and how it ended.
fn share(line: &str) -> Option<String> {
    let (what, rest) = line.trim_start().split_once("  ")?;
    let (_, ended) = rest.split_once(" %")?;
    Some(format!("{what}, {}", ended.trim()))
}

#[test]
fn what_there_is_and_how_it_is_used_is_told() {
    let world = World::with(&[DOCS, HTTP, TIMINGS]);
    assert_snapshot!(world.run("docs"));
    assert_snapshot!(world.run("docs data-source htpt"));
    let schema = world.run("docs --template-schema");
    let schema: serde_json::Value = serde_json::from_str(&schema.stdout).unwrap();
    assert_eq!(schema["$defs"]["data-source"]["properties"]["type"]["enum"], serde_json::json!(["http"]));
}
