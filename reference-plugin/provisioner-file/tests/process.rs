//! The plugin as a process, ended in every way, with an upload under way.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]
use packwire_plugin::{
    Cancellation, CommandIo, Communicator, CommunicatorInfo, Exit, FileInfo, Outcome, RemoteCommand, Stop,
    StreamReceiver, StreamSender,
    testing::{Ended, Host, Process, process::Running},
};
use serde_json::json;
use tokio::sync::mpsc;

/// A plugin that uploads what has no end.
struct Busy {
    plugin: Process,
    host: Host,
    running: Running<()>,
    /// How each upload ended, as the machine saw it.
    ends: mpsc::UnboundedReceiver<Seen>,
    _directory: tempfile::TempDir,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Begun,
    Aborted,
    Ended,
}

async fn busy(source: &str) -> Busy {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("tree")).unwrap();
    std::fs::File::create(directory.path().join("tree/endless")).unwrap().set_len(1 << 42).unwrap();
    let plugin = Process::attach(env!("CARGO_BIN_EXE_packer-provisioner-file")).await.unwrap();
    let host = Host::new().working_in(directory.path());
    let (seen, mut ends) = mpsc::unbounded_channel();
    let running = plugin.provision(&host, json!({"source": source, "destination": "/srv/"}), Machine(seen));
    assert_eq!(ends.recv().await, Some(Seen::Begun));
    Busy { plugin, host, running, ends, _directory: directory }
}

#[tokio::test]
async fn a_cancelled_upload_is_aborted_and_the_plugin_stays() {
    for source in ["tree/endless", "tree", "tree/"] {
        let mut busy = busy(source).await;
        busy.host.cancel();
        assert_eq!(busy.running.await, Err(Stop::Cancelled));
        assert_eq!(busy.ends.recv().await, Some(Seen::Aborted));
        assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
    }
}

#[tokio::test]
async fn leave_aborts_the_upload_and_exits_with_0() {
    let mut busy = busy("tree").await;
    assert_eq!(busy.plugin.leave().await, Ok(Ended::Exited(0)));
    assert_eq!(busy.running.await, Err(Stop::Cancelled), "the answer came before the plugin went");
    assert_eq!(busy.ends.recv().await, Some(Seen::Aborted));
}

#[tokio::test]
async fn sigterm_and_the_end_of_the_host_abort_the_upload_and_the_status_is_4() {
    let mut terminated = busy("tree").await;
    assert_eq!(terminated.plugin.terminate().await, Ok(Ended::Exited(4)));
    assert_eq!(terminated.ends.recv().await, Some(Seen::Aborted));
    assert_eq!(busy("tree").await.plugin.lose_host().await, Ok(Ended::Exited(4)));
}

#[tokio::test]
async fn the_upload_of_a_killed_plugin_is_aborted() {
    for source in ["tree/endless", "tree"] {
        let mut busy = busy(source).await;
        busy.plugin.kill().await.unwrap();
        assert!(matches!(busy.running.await, Err(Stop::Failed(_))));
        assert_eq!(busy.ends.recv().await, Some(Seen::Aborted));
    }
}

/// A machine that takes what comes and keeps nothing.
struct Machine(mpsc::UnboundedSender<Seen>);

impl Machine {
    async fn take(&self, mut content: StreamReceiver) -> Outcome {
        self.0.send(Seen::Begun).unwrap();
        loop {
            match content.next().await {
                Ok(Some(_)) => {}
                Ok(None) => break self.0.send(Seen::Ended).unwrap(),
                Err(_) => break drop(self.0.send(Seen::Aborted)),
            }
        }
        Outcome::Done
    }
}

impl Communicator for Machine {
    async fn info(&self) -> CommunicatorInfo {
        CommunicatorInfo {
            kind: "sink".to_owned(),
            features: vec!["tree".to_owned()],
            ..CommunicatorInfo::default()
        }
    }

    async fn run(&self, _: RemoteCommand, io: CommandIo) -> Exit {
        drop(tokio::join!(io.stdout.end(), io.stderr.end()));
        Exit::Status(0)
    }

    async fn upload(&self, _: String, _: FileInfo, content: StreamReceiver) -> Outcome {
        self.take(content).await
    }

    async fn upload_tree(&self, _: String, archive: StreamReceiver) -> Outcome {
        self.take(archive).await
    }

    async fn download(&self, _: String, _: StreamSender, _: Cancellation) -> (Outcome, FileInfo) {
        (Outcome::failed("there is nothing"), FileInfo::default())
    }
}
