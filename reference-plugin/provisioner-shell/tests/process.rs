//! The plugin as a process, ended in every way, while its script runs.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]
use packwire_plugin::{
    Stop,
    testing::{
        Ended, Host, Machine, Process,
        process::{End, Running, until},
    },
};
use serde_json::json;

/// A plugin whose script does not end.
struct Busy {
    plugin: Process,
    host: Host,
    machine: Machine,
    running: Running<()>,
}

async fn attach() -> Process {
    Process::attach(env!("CARGO_BIN_EXE_packer-provisioner-shell")).await.unwrap()
}

fn machine() -> Machine {
    Machine::new().answering("TMPDIR", 0, "/tmp", "")
}

async fn busy() -> Busy {
    let (plugin, host, machine) = (attach().await, Host::new(), machine().hanging("chmod"));
    let running = plugin.provision(&host, json!({"inline": ["sleep 1000"]}), machine.clone());
    until(|| machine.commands().len() == 2).await.unwrap();
    Busy { plugin, host, machine, running }
}

/// Whether the last command removes the script that was sent.
fn is_removed(machine: &Machine) -> bool {
    let script = machine.files().into_keys().next().unwrap();
    machine.commands().last() == Some(&format!("rm -f '{script}'"))
}

#[tokio::test]
async fn a_script_is_sent_run_and_removed() {
    let (plugin, host) = (attach().await, Host::new());
    let machine = machine().answering("chmod", 0, "it runs\n", "");
    plugin.provision(&host, json!({"inline": ["echo it runs"]}), machine.clone()).await.unwrap();
    let sent = machine.files().into_values().next().unwrap();
    assert_eq!(sent.content, b"#!/bin/sh -e\necho it runs\n");
    assert_eq!(host.told(), ["say: Provisioning with the inline script", "message: it runs"]);
    assert!(is_removed(&machine));
    assert_eq!(plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn a_cancelled_script_is_removed_and_the_plugin_stays() {
    let busy = busy().await;
    busy.host.cancel();
    assert_eq!(busy.running.await, Err(Stop::Cancelled));
    assert!(is_removed(&busy.machine));
    assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn whatever_ends_the_session_has_the_script_removed_where_there_is_a_way() {
    for end in End::ALL {
        let busy = busy().await;
        busy.plugin.end(end).await.unwrap();
        assert_eq!(is_removed(&busy.machine), end != End::HostLost, "{end:?}");
    }
}
