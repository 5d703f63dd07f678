//! The plugin as a process, ended in every way, while it tells where the time went.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]
use packwire_plugin::{
    Stop,
    testing::{
        Ended, Halt, Host, Process,
        process::{End, Running},
    },
};
use serde_json::json;

/// A plugin that waits until the host has heard the first line for programs.
struct Busy {
    plugin: Process,
    host: Host,
    running: Running<()>,
    halt: Halt,
}

async fn busy() -> Busy {
    let plugin = Process::attach(env!("CARGO_BIN_EXE_packer-hook-timings")).await.unwrap();
    let host = Host::new();
    let mut halt = host.halt_at("machine: timing");
    let data = json!({"BuildName": "web", "PackerRunUUID": "u", "BuilderType": "null", "Outcome": "done"});
    plugin.call_hook(&host, "packwire_build_started", data.clone()).await.unwrap();
    let running = plugin.call_hook(&host, "packwire_build_finished", data);
    halt.reached().await;
    Busy { plugin, host, running, halt }
}

#[tokio::test]
async fn a_build_is_told_at_its_end() {
    let busy = busy().await;
    drop(busy.halt);
    busy.running.await.unwrap();
    let told = busy.host.told();
    assert!(told[0].starts_with("say: Where ") && told[0].ends_with(" went:"), "{told:?}");
    assert!(told.last().unwrap().starts_with("machine: timing web,builder null,"), "{told:?}");
    assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn a_cancelled_event_ends_and_the_plugin_stays() {
    let busy = busy().await;
    busy.host.cancel();
    assert_eq!(busy.running.await, Err(Stop::Cancelled));
    busy.plugin.call_hook(&Host::new(), "acme_event", json!({})).await.unwrap();
    assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn whatever_ends_the_session_ends_the_event() {
    for end in End::ALL {
        busy().await.plugin.end(end).await.unwrap();
    }
}
