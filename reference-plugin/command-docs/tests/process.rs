//! The plugin as a process, ended in every way, while it waits for the components of others.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]
use packwire_plugin::{
    Hook, HookRun, Outcome, Plugin,
    testing::{
        Ended, Halt, Host, Process,
        process::{End, Running},
    },
};

struct Silent;

impl Hook for Silent {
    async fn run(&self, _: HookRun) -> Outcome {
        Outcome::Done
    }
}

fn known() -> Plugin {
    Plugin::new("packer-plugin-acme", "1.0.0").hook("audit", "Writes down what happens", Silent)
}

async fn attach() -> Process {
    Process::attach(env!("CARGO_BIN_EXE_packer-command-docs")).await.unwrap()
}

/// A plugin whose host does not tell what there is.
struct Busy {
    plugin: Process,
    host: Host,
    running: Running<i32>,
    _halt: Halt,
}

async fn busy() -> Busy {
    let (plugin, host) = (attach().await, Host::new());
    let mut halt = host.halt_at("components");
    let running = plugin.run_command(&host, &["hook"], known());
    halt.reached().await;
    Busy { plugin, host, running, _halt: halt }
}

#[tokio::test]
async fn what_there_is_is_told() {
    let (plugin, host) = (attach().await, Host::new());
    assert_eq!(plugin.run_command(&host, &["hook"], known()).await, Ok(0));
    assert_eq!(host.told(), ["message: hook", "message:   audit  Writes down what happens"]);
    assert_eq!(plugin.run_command(&host, &["hook", "none"], known()).await, Ok(1));
    assert_eq!(plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn a_cancelled_command_has_the_status_of_an_interrupted_one_and_the_plugin_stays() {
    let busy = busy().await;
    busy.host.cancel();
    assert_eq!(busy.running.await, Ok(130));
    assert_eq!(busy.plugin.run_command(&Host::new(), &["--help"], known()).await, Ok(0));
    assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn whatever_ends_the_session_ends_the_command() {
    for end in End::ALL {
        busy().await.plugin.end(end).await.unwrap();
    }
}
