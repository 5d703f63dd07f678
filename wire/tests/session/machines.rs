//! A machine that the plugin lends to the host's hook: commands, files, streams.
use std::{sync::Mutex, time::Duration};

use packwire_wire::{
    BuildOutcome, CommandIo, Communicator, CommunicatorInfo, Exit, FileInfo, HookLent, OfferedCancellation,
    OfferedCommunicator, Outcome, PROVISION, RemoteCancellation, RemoteCommand, StreamReceiver, StreamSender,
    TunnelIo, pipe,
};
use tokio_util::sync::CancellationToken;

use crate::support::{Lent, failed, failure, pair};

/// A machine that is a file and a command that copies its input.
#[derive(Default)]
struct Machine {
    file: Mutex<Vec<u8>>,
}

impl Communicator for Machine {
    async fn info(&self) -> CommunicatorInfo {
        CommunicatorInfo {
            kind: "test".to_owned(),
            features: vec!["tree".to_owned()],
            ..CommunicatorInfo::default()
        }
    }

    async fn run(&self, command: RemoteCommand, mut io: CommandIo) -> Exit {
        if let Some(stdin) = &mut io.stdin {
            while let Ok(Some(bytes)) = stdin.next().await {
                io.stdout.write(bytes).await.unwrap();
            }
        }
        io.stderr.write(command.line).await.unwrap();
        assert_eq!(io.stdout.end().await.unwrap(), Outcome::Done);
        assert_eq!(io.stderr.end().await.unwrap(), Outcome::Done);
        Exit::Status(7)
    }

    async fn upload(&self, path: String, file: FileInfo, mut content: StreamReceiver) -> Outcome {
        let Ok(bytes) = content.collect(usize::MAX).await else { return Outcome::Cancelled };
        if file.size.is_some_and(|size| size != bytes.len() as u64) {
            return Outcome::failed(format!("{path}: {} bytes came", bytes.len()));
        }
        *self.file.lock().unwrap() = bytes;
        Outcome::Done
    }

    async fn download(
        &self,
        _: String,
        mut content: StreamSender,
        _: RemoteCancellation,
    ) -> (Outcome, FileInfo) {
        let bytes = self.file.lock().unwrap().clone();
        let file = FileInfo { size: Some(bytes.len() as u64), mode: Some(0o644), modified: None };
        content.write(bytes).await.unwrap();
        (content.end().await.unwrap(), file)
    }

    /// What is at the other end sends back what it gets, and says first where it is.
    async fn dial(&self, host: String, port: u16, io: TunnelIo) -> Outcome {
        let TunnelIo { mut outgoing, mut incoming, .. } = io;
        incoming.write(format!("{host}:{port} ")).await.unwrap();
        while let Ok(Some(bytes)) = outgoing.next().await {
            incoming.write(bytes).await.unwrap();
        }
        outgoing.finish(Outcome::Done);
        incoming.end().await.unwrap()
    }
}

/// Has the plugin lend a machine to the host's hook, which does `work` with it.
async fn with_machine<R: Future<Output = Outcome> + Send + 'static>(
    work: impl Fn(packwire_wire::RemoteCommunicator) -> R + Send + Sync + 'static,
) -> String {
    let pair = pair(|run| async move {
        let lent = HookLent {
            ui: Some((&run.ui).into()),
            communicator: Some(OfferedCommunicator::new(Machine::default())),
            data: "{}".to_owned(),
            environment: None,
            cancellation: run.cancellation.offer(),
        };
        match run.hook.run(PROVISION, lent).await.unwrap() {
            Outcome::Done => BuildOutcome::Nothing.into(),
            other => failed(format!("{other:?}")),
        }
    })
    .await;
    let lent = Lent::default();
    let built = pair
        .prepare()
        .await
        .run(lent.build(move |run| {
            assert_eq!(run.event, PROVISION);
            work(run.communicator.unwrap())
        }))
        .await
        .unwrap();
    failure(built)
}

fn never() -> OfferedCancellation {
    OfferedCancellation::from(CancellationToken::new())
}

#[tokio::test]
async fn megabytes_go_to_a_machine_and_back_unchanged() {
    let outcome = with_machine(|machine| async move {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
        let info = FileInfo { size: Some(3_000_000), ..FileInfo::default() };
        let mut content = machine.upload("/x", info).await.unwrap();
        content.write(bytes.clone()).await.unwrap();
        assert_eq!(content.end().await.unwrap(), Outcome::Done);
        let (offered, mut receiver) = pipe();
        let reading = tokio::spawn(async move {
            let bytes = receiver.collect(usize::MAX).await.unwrap();
            receiver.finish(Outcome::Done);
            bytes
        });
        let (outcome, file) = machine.download("/x", offered, never()).await.unwrap();
        assert_eq!((outcome, file.mode), (Outcome::Done, Some(0o644)));
        assert!(reading.await.unwrap() == bytes);
        assert_eq!(machine.info().await.unwrap().features, ["tree"]);
        Outcome::Done
    })
    .await;
    assert_eq!(outcome, "nothing");
}

#[tokio::test]
async fn a_command_reads_its_input_and_its_output_ends_before_it_answers() {
    let outcome = with_machine(|machine| async move {
        let command = RemoteCommand { stdin: true, ..RemoteCommand::new("cat") };
        let (process, stdin) = machine.command(command).await.unwrap();
        let mut stdin = stdin.unwrap();
        stdin.write("before the run").await.unwrap();
        let ((out, output), (err, errors)) = (pipe(), pipe());
        let feeding = tokio::spawn(async move { stdin.end().await });
        let read = |mut receiver: StreamReceiver| async move {
            let bytes = receiver.collect(100).await.unwrap();
            receiver.finish(Outcome::Done);
            String::from_utf8(bytes).unwrap()
        };
        let reading = tokio::spawn(async move { tokio::join!(read(output), read(errors)) });
        assert_eq!(process.run(out, err, never()).await.unwrap(), Exit::Status(7));
        assert_eq!(reading.await.unwrap(), ("before the run".to_owned(), "cat".to_owned()));
        assert_eq!(feeding.await.unwrap().unwrap(), Outcome::Done);
        Outcome::Done
    })
    .await;
    assert_eq!(outcome, "nothing");
}

#[tokio::test]
async fn a_short_upload_is_told_in_the_answer_to_its_end() {
    let outcome = with_machine(|machine| async move {
        let info = FileInfo { size: Some(5), ..FileInfo::default() };
        let mut content = machine.upload("/x", info).await.unwrap();
        content.write("abc").await.unwrap();
        content.end().await.unwrap()
    })
    .await;
    assert_eq!(
        outcome,
        "Failed([Diagnostic { severity: Error, summary: \"/x: 3 bytes came\", detail: \"\", path: \"\" }])"
    );
}

// host.stream-too-many
#[tokio::test]
async fn more_streams_than_may_be_open_fail_in_their_end() {
    let outcome = with_machine(|machine| async move {
        let mut open = Vec::new();
        for _ in 0..64 {
            open.push(machine.upload("/x", FileInfo::default()).await.unwrap());
        }
        let mut one_more = machine.upload("/x", FileInfo::default()).await.unwrap();
        one_more.write("dropped").await.unwrap();
        one_more.end().await.unwrap()
    })
    .await;
    assert!(outcome.contains("more than 64 streams are open on this link"), "{outcome}");
}

// host.stream-bounds
#[tokio::test]
async fn a_receiver_that_does_not_read_is_not_flooded() {
    let outcome = with_machine(|machine| async move {
        let (offered, receiver) = pipe();
        let mut content = machine.upload("/x", FileInfo::default()).await.unwrap();
        content.write(vec![1; 4 << 20]).await.unwrap();
        content.end().await.unwrap();
        let downloading = machine.download("/x", offered, never());
        // The window is full long before four megabytes are through.
        assert!(tokio::time::timeout(Duration::from_millis(300), downloading).await.is_err());
        drop(receiver);
        Outcome::Done
    })
    .await;
    assert_eq!(outcome, "nothing");
}

#[tokio::test]
async fn a_tunnel_carries_bytes_both_ways_and_runs_once() {
    let pair = pair(|run| async move {
        let lent = HookLent {
            ui: None,
            communicator: Some(OfferedCommunicator::new(Machine::default())),
            data: String::new(),
            environment: None,
            cancellation: run.cancellation.offer(),
        };
        run.hook.run(PROVISION, lent).await.unwrap();
        BuildOutcome::Nothing.into()
    })
    .await;
    let lent = Lent::default().build(|run| async move {
        let (tunnel, mut outgoing) = run.communicator.unwrap().dial("db", 5432).await.unwrap();
        let (offered, mut incoming) = pipe();
        let cancellation = || OfferedCancellation::from(CancellationToken::new());
        let running = tokio::spawn({
            let (tunnel, cancellation) = (tunnel.clone(), cancellation());
            async move { tunnel.run(offered, cancellation).await.unwrap() }
        });
        outgoing.write("select 1").await.unwrap();
        assert_eq!(outgoing.end().await.unwrap(), Outcome::Done);
        assert_eq!(incoming.collect(100).await.unwrap(), b"db:5432 select 1");
        incoming.finish(Outcome::Done);
        assert_eq!(running.await.unwrap(), Outcome::Done);
        let again = tunnel.run(pipe().0, cancellation()).await.unwrap();
        assert_eq!(again, Outcome::failed("a tunnel runs once: dial again"));
        tunnel.close().await.unwrap();
        Outcome::Done
    });
    let built = pair.prepare().await.run(lent).await.unwrap();
    assert!(matches!(built.outcome, BuildOutcome::Nothing), "{built:?}");
}
