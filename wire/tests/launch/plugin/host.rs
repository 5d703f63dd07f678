//! Hosts: one with a plugin, to be killed; one that learns how a process ended.
use std::{env, process::ExitCode, sync::Arc, time::Duration};

use packwire_wire::{
    Room,
    process::{Launch, LogLine, LogSink, Offer, Program, Session, inherited_environment},
};
use tokio::runtime::Handle;

/// Starts this program again as a plugin with these arguments, says its id, and waits for ever.
pub(crate) async fn run(arguments: Vec<String>) -> ExitCode {
    println!("host {}", std::process::id());
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

/// Starts a process that ends with 7, and says what it learns of that end.
pub(crate) async fn learn() -> ExitCode {
    println!("SIGCHLD is ignored at first: {}", is_ignored(rustix::process::Signal::CHILD));
    let script = Program {
        executable: "/bin/sh".into(),
        arguments: ["-c", "exit 7"].map(Into::into).into(),
        environment: inherited_environment(&[] as &[&str]),
        directory: None,
    };
    let session = Session::start(&script).unwrap();
    println!("its leader {}", session.exited().await);
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", session.id())).unwrap();
    println!("its state is {}", stat.rsplit_once(") ").unwrap().1.chars().next().unwrap());
    println!("reaped, it {}", session.end(Duration::from_secs(60)).await);
    ExitCode::SUCCESS
}

fn is_ignored(signal: rustix::process::Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    u64::from_str_radix(ignored, 16).unwrap() & (1 << (signal.as_raw() - 1)) != 0
}

/// Prints what the plugin prints.
struct Echo;

impl LogSink for Echo {
    fn line(&self, line: &LogLine) {
        println!("{line}");
    }
}
