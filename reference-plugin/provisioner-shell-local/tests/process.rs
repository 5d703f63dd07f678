//! The plugin as a process, ended in every way, with a script under way.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]
use std::path::{Path, PathBuf};

use packwire_plugin::{
    Stop,
    testing::{
        Ended, Host, Process,
        process::{Running, lives, until},
    },
};
use serde_json::json;

/// A plugin with a script under way, which has a child.
struct Busy {
    plugin: Process,
    host: Host,
    running: Running<()>,
    /// The file that the script was made, and the id of its child.
    script: PathBuf,
    child: u32,
}

async fn busy() -> Busy {
    let plugin = Process::attach(env!("CARGO_BIN_EXE_packer-provisioner-shell-local")).await.unwrap();
    assert!(!plugin.components()[0].needs_communicator);
    let host = Host::new().working_in(Path::new("/"));
    let config = json!({"inline": ["sleep 1000 &", "echo $0 $!", "wait"]});
    let running = plugin.provision_nothing(&host, config);
    let shown = || host.told().iter().find_map(|line| Some(line.strip_prefix("message: ")?.to_owned()));
    until(|| shown().is_some()).await.unwrap();
    let line = shown().unwrap();
    let (script, child) = line.split_once(' ').unwrap();
    let (script, child) = (PathBuf::from(script), child.parse().unwrap());
    assert!(lives(child) && script.exists());
    Busy { plugin, host, running, script, child }
}

#[tokio::test]
async fn a_cancelled_script_ends_with_its_children_and_its_file() {
    let busy = busy().await;
    busy.host.cancel();
    assert_eq!(busy.running.await, Err(Stop::Cancelled));
    assert!(!lives(busy.child) && !busy.script.exists());
    assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn leave_ends_the_script_and_exits_with_0() {
    let busy = busy().await;
    assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
    assert!(!lives(busy.child));
    assert_eq!(busy.running.await, Err(Stop::Cancelled), "the answer came before the plugin went");
}

#[tokio::test]
async fn sigterm_and_the_end_of_the_host_do_the_same_and_the_status_is_4() {
    let terminated = busy().await;
    assert_eq!(terminated.plugin.terminate().await, Ok(Ended::Exited(4)));
    assert!(!lives(terminated.child));
    let left_alone = busy().await;
    assert_eq!(left_alone.plugin.lose_host().await, Ok(Ended::Exited(4)));
    assert!(!lives(left_alone.child));
}

#[tokio::test]
async fn the_script_of_a_killed_plugin_ends_with_its_session() {
    let busy = busy().await;
    busy.plugin.kill().await.unwrap();
    assert!(matches!(busy.running.await, Err(Stop::Failed(_))));
    assert!(!lives(busy.child));
}
