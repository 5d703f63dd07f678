//! A plugin attaches, once, and can be called.
use packwire_wire::process::{Address, Ended, Launch, LogStream, Transport};

use crate::{
    behaviour::{Behaviour, Task},
    lent::Lent,
    rig::{LONG, lives},
    stage::{Left, Stage, leave, plugin, prepare, run, told, wrapper},
};

#[tokio::test]
async fn a_plugin_attaches_is_called_and_leaves() {
    let stage = Stage::new();
    let (attached, left) = stage.watched(plugin(Behaviour::Good)).await;
    assert_eq!(attached.hello().name, "test");
    let built = run(&attached, Task::Nothing, Lent::default().plain()).await.await.unwrap().unwrap();
    assert_eq!(told(&built), "nothing");
    let departure = leave(attached).await;
    assert_eq!(departure.ended, Ended::Exited(0));
    assert_eq!(departure.last_lines, ["it is Good", "it was told to leave"]);
    left.assert_nothing();
}

// host.token-once
#[tokio::test]
async fn door_and_directory_are_gone_when_the_plugin_has_attached() {
    let stage = Stage::new();
    let launched = stage.start(Behaviour::Good);
    let (left, address) = (Left::of(&launched), launched.address().clone());
    let attached = launched.attach().await.unwrap();
    left.assert_no_file();
    assert!(packwire_wire::process::Socket::dial(&address).await.is_err());
    leave(attached).await;
}

#[tokio::test]
async fn a_plugin_may_dial_a_port() {
    let stage = Stage::new();
    let launch = stage.launch(plugin(Behaviour::Good));
    let launched =
        Launch { transport: Transport::Tcp(20_000..=60_000), ..launch }.start(&stage.room).unwrap();
    let address = launched.address().clone();
    assert!(matches!(address, Address::Tcp(_)), "{address}");
    let attached = launched.attach().await.unwrap();
    prepare(&attached, "Nothing").await;
    assert_eq!(leave(attached).await.ended, Ended::Exited(0));
    assert!(packwire_wire::process::Socket::dial(&address).await.is_err(), "nobody listens any more");
}

// host.second-attach
#[tokio::test]
async fn a_second_attach_fails_and_the_first_stands() {
    let stage = Stage::new();
    let attached = stage.attached(Behaviour::AttachesTwice).await;
    stage
        .says("the second failed: remote exception: attach was called before: the first session stands")
        .await;
    assert_eq!(leave(attached).await.ended, Ended::Exited(0));
}

// host.token-once
#[tokio::test]
async fn of_two_links_one_is_the_session() {
    let stage = Stage::new();
    let attached = stage.attached(Behaviour::DialsTwice).await;
    stage.says("one link ended: true").await;
    prepare(&attached, "Nothing").await;
    assert_eq!(leave(attached).await.ended, Ended::Exited(0));
}

// host.drains-logs
#[tokio::test]
async fn noise_on_stdout_disturbs_nothing() {
    let stage = Stage::new();
    let attached = stage.attached(Behaviour::Noisy).await;
    prepare(&attached, "Nothing").await;
    let departure = leave(attached).await;
    assert_eq!(departure.last_lines, ["it is Noisy", "it was told to leave"]);
    let noise = stage.seen.lines().into_iter().filter(|line| line.stream == LogStream::Stdout).count();
    assert_eq!(noise, 1024);
}

#[tokio::test]
async fn a_wrapper_script_whose_child_does_the_work_is_a_plugin() {
    let stage = Stage::new();
    let program = wrapper(r#"echo wrapped >&2; "$0" Good & echo "child $!" >&2; wait "$!""#);
    let (attached, left) = stage.watched(program).await;
    prepare(&attached, "Nothing").await;
    let child = stage.number("child").await;
    assert_eq!(leave(attached).await.ended, Ended::Exited(0));
    assert!(!lives(child));
    left.assert_nothing();
}

#[tokio::test]
async fn after_attach_the_link_decides_and_not_the_wrapper() {
    let stage = Stage::new();
    // It ends with its child attached, and the child holds its stderr.
    let program = wrapper(
        r#""$0" Good & echo "child $!" >&2; while [ -e "${PACKER_PLUGIN_ADDRESS#unix:}" ]; do sleep 0.01; done; exit 6"#,
    );
    let attached = stage.launch(program).start(&stage.room).unwrap().attach().await.unwrap();
    let child = stage.number("child").await;
    crate::rig::until("the wrapper's end", || (crate::rig::state(attached.id()) == Some('Z')).then_some(()))
        .await;
    prepare(&attached, "Nothing").await;
    assert!(!attached.gone().is_cancelled());
    let departure = tokio::time::timeout(LONG, leave(attached)).await.unwrap();
    assert_eq!(departure.ended, Ended::Exited(6), "exit codes are only reported");
    assert!(!lives(child));
}
