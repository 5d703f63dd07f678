//! A host with one plugin, to be killed.
use std::{env, process::ExitCode, sync::Arc};

use packwire_wire::{
    Room,
    process::{Launch, LogLine, LogSink, Offer, Program, inherited_environment},
};
use tokio::runtime::Handle;

/// Starts this program again as a plugin with these arguments, says its id, and waits for ever.
pub(crate) async fn run(arguments: Vec<String>) -> ExitCode {
    let program = Program {
        executable: env::current_exe().unwrap(),
        arguments: arguments.into_iter().map(Into::into).collect(),
        environment: inherited_environment(&["SECRET"]),
        directory: None,
    };
    let room = Room::open(Handle::current()).unwrap();
    let launch = Launch::new(program, Offer::of(&[1]).unwrap(), Arc::new(Echo));
    let attached = launch.start(&room).unwrap().attach().await.unwrap();
    println!("plugin {}", attached.id());
    std::future::pending().await
}

/// Prints what the plugin prints.
struct Echo;

impl LogSink for Echo {
    fn line(&self, line: &LogLine) {
        println!("{line}");
    }
}
