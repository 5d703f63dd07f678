//! A plugin for tests of the host: a component of each kind, which does what its configuration says.

mod command;
mod data;
mod hook;
mod lent;
mod machine;
mod thing;
mod unplugged;

use std::process::ExitCode;

use packwire_plugin::Plugin;

fn main() -> ExitCode {
    if let Some(status) = unplugged::main() {
        return status;
    }
    Plugin::new("packer-plugin-stage", env!("CARGO_PKG_VERSION"))
        .builder("stage", machine::Stage)
        .provisioner("stage", machine::Step)
        .post_processor("stage", thing::Stage)
        .data_source("stage", data::Stage)
        .hook("stage", "Tells of each event", hook::Telling)
        .hook("stage-failing", "Fails at each event", hook::Failing)
        .hook("stage-waiting", "Waits at each event until it is cancelled", hook::Waiting)
        .command("stage", command::Stage)
        .serve()
}
