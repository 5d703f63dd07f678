//! The plugin as a process, ended in every way, while its machine is provisioned.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]
use packwire_plugin::{
    Stop,
    testing::{
        Ended, Finished, Halt, Host, Machine, Process,
        process::{End, Running},
    },
};
use serde_json::json;

/// A plugin whose machine is being provisioned.
struct Busy {
    plugin: Process,
    host: Host,
    machine: Machine,
    running: Running<Finished>,
    _halt: Halt,
}

async fn attach() -> Process {
    Process::attach(env!("CARGO_BIN_EXE_packer-builder-null")).await.unwrap()
}

async fn busy() -> Busy {
    let (plugin, machine) = (attach().await, Machine::new());
    let host = Host::new().with_communicator("ssh", &machine);
    let mut halt = host.halt_at("hook: packer_provision");
    let running = plugin.build(&host, json!({"ssh_host": "h"}));
    halt.reached().await;
    assert!(!machine.is_closed());
    Busy { plugin, host, machine, running, _halt: halt }
}

#[tokio::test]
async fn a_build_yields_its_artifact_and_closes_the_machine() {
    let (plugin, machine) = (attach().await, Machine::new());
    let host = Host::new().with_communicator("ssh", &machine);
    let finished = plugin.build(&host, json!({"ssh_host": "h"})).await.unwrap();
    assert_eq!(finished.describe().await.unwrap().id, "Null");
    assert_eq!(finished.generated_data["User"], "root");
    assert!(machine.is_closed());
    assert_eq!(plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn a_cancelled_build_cleans_up_and_closes_the_machine_and_the_plugin_stays() {
    let busy = busy().await;
    busy.host.cancel();
    assert_eq!(busy.running.await.unwrap_err(), Stop::Cancelled);
    assert!(busy.host.told()[2].starts_with("hook: packer_cleanup_provision with a machine"));
    assert!(busy.machine.is_closed());
    let host = Host::new();
    busy.plugin.build(&host, json!({"communicator": "none"})).await.unwrap();
    assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn whatever_ends_the_session_closes_the_machine() {
    for end in End::ALL {
        let busy = busy().await;
        busy.plugin.end(end).await.unwrap();
        assert_eq!(busy.machine.is_closed(), end != End::HostLost, "{end:?}");
    }
}
