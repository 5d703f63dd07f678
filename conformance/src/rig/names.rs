//! The interfaces and methods of the schema by name, for transcripts.

use capnp::traits::HasTypeId;
use packwire_schema as schema;

/// A method, by the id of its interface and its number, as people write it: `Host.attach`.
pub fn method_name((interface, number): (u64, u16)) -> String {
    let Some((_, name, methods)) = INTERFACES.iter().find(|(id, _, _)| *id == interface) else {
        return format!("interface {interface:#x}, method {number}");
    };
    match methods.get(usize::from(number)) {
        Some(method) => format!("{name}.{method}"),
        None => format!("{name}, method {number}"),
    }
}

const INTERFACES: &[(u64, &str, &[&str])] = &[
    (
        <schema::artifact_capnp::artifact::Client as HasTypeId>::TYPE_ID,
        "Artifact",
        &["describe", "state", "destroy", "close"],
    ),
    (<schema::attach_capnp::host::Client as HasTypeId>::TYPE_ID, "Host", &["attach"]),
    (<schema::builder_capnp::image_builder::Client as HasTypeId>::TYPE_ID, "ImageBuilder", &["prepare"]),
    (<schema::builder_capnp::build::Client as HasTypeId>::TYPE_ID, "Build", &["run", "close"]),
    (
        <schema::communicator_capnp::communicator::Client as HasTypeId>::TYPE_ID,
        "Communicator",
        &["info", "command", "upload", "download", "uploadTree", "downloadTree", "dial", "close"],
    ),
    (
        <schema::communicator_capnp::remote_process::Client as HasTypeId>::TYPE_ID,
        "RemoteProcess",
        &["run", "close"],
    ),
    (<schema::communicator_capnp::tunnel::Client as HasTypeId>::TYPE_ID, "Tunnel", &["run", "close"]),
    (<schema::component_capnp::command::Client as HasTypeId>::TYPE_ID, "Command", &["run"]),
    (<schema::component_capnp::components::Client as HasTypeId>::TYPE_ID, "Components", &["list", "find"]),
    (<schema::connector_capnp::connector::Client as HasTypeId>::TYPE_ID, "Connector", &["prepare"]),
    (<schema::connector_capnp::connection::Client as HasTypeId>::TYPE_ID, "Connection", &["open", "close"]),
    (<schema::data_source_capnp::data_source::Client as HasTypeId>::TYPE_ID, "DataSource", &["prepare"]),
    (<schema::data_source_capnp::query::Client as HasTypeId>::TYPE_ID, "Query", &["run", "close"]),
    (
        <schema::environment_capnp::environment::Client as HasTypeId>::TYPE_ID,
        "Environment",
        &["communicator", "cache", "remember", "tempDir", "port", "serve", "keyPair"],
    ),
    (<schema::environment_capnp::lease::Client as HasTypeId>::TYPE_ID, "Lease", &["close"]),
    (
        <schema::environment_capnp::ledger_entry::Client as HasTypeId>::TYPE_ID,
        "LedgerEntry",
        &["update", "settle"],
    ),
    (<schema::hook_capnp::hook::Client as HasTypeId>::TYPE_ID, "Hook", &["run"]),
    (
        <schema::post_processor_capnp::post_processor::Client as HasTypeId>::TYPE_ID,
        "PostProcessor",
        &["prepare"],
    ),
    (
        <schema::post_processor_capnp::post_process::Client as HasTypeId>::TYPE_ID,
        "PostProcess",
        &["run", "close"],
    ),
    (<schema::provisioner_capnp::provisioner::Client as HasTypeId>::TYPE_ID, "Provisioner", &["prepare"]),
    (<schema::provisioner_capnp::provision::Client as HasTypeId>::TYPE_ID, "Provision", &["run", "close"]),
    (<schema::recovery_capnp::recovery::Client as HasTypeId>::TYPE_ID, "Recovery", &["recover"]),
    (
        <schema::stream_capnp::byte_stream::Client as HasTypeId>::TYPE_ID,
        "ByteStream",
        &["write", "end", "abort"],
    ),
    (
        <schema::ui_capnp::ui::Client as HasTypeId>::TYPE_ID,
        "Ui",
        &["say", "message", "error", "machine", "ask", "progress", "mask"],
    ),
    (<schema::ui_capnp::progress::Client as HasTypeId>::TYPE_ID, "Progress", &["update", "finish"]),
    (<schema::work_capnp::cancellation::Client as HasTypeId>::TYPE_ID, "Cancellation", &["wait"]),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_method_of_the_schema_has_its_name_here() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema/packwire");
        let mut named = 0;
        for file in fs::read_dir(directory).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            let mut interface = None;
            for line in text.lines() {
                if let Some(rest) = line.strip_prefix("interface ") {
                    let mut words = rest.split_whitespace();
                    let name = words.next().unwrap().to_owned();
                    let id = words.next().unwrap().trim_start_matches("@0x").trim_end_matches('{');
                    interface = Some((name, u64::from_str_radix(id, 16).unwrap()));
                }
                let method = line.strip_prefix("  ").filter(|line| line.contains(" @") && line.contains('('));
                if let (Some((name, id)), Some(method)) = (&interface, method)
                    && !method.trim_start().starts_with('#')
                {
                    let mut words = method.split_whitespace();
                    let (word, number) = (words.next().unwrap(), words.next().unwrap());
                    let number =
                        number.trim_start_matches('@').trim_end_matches(|c: char| !c.is_ascii_digit());
                    assert_eq!(method_name((*id, number.parse().unwrap())), format!("{name}.{word}"));
                    named += 1;
                }
                if line.starts_with('}') {
                    interface = None;
                }
            }
        }
        assert_eq!(named, INTERFACES.iter().map(|(_, _, methods)| methods.len()).sum::<usize>());
    }
}
