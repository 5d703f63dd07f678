//! The plugin's one builder, whose configuration is the name of a [`Task`].
use futures::future::join_all;
use packwire_wire::{
    Build, BuildOutcome, BuildRun, Builder, Built, Context, Diagnostic, HookLent, OfferedArtifact,
    OfferedCancellation, PROVISION, Prepared,
};
use tokio_util::sync::CancellationToken;

use crate::behaviour::Task;

pub(crate) struct Tasks;

impl Builder for Tasks {
    type Build = Task;

    async fn prepare(&self, config: String, _: Context) -> Prepared<Task> {
        config.parse().map_err(|unknown: String| vec![Diagnostic::error(unknown)]).into()
    }
}

impl Build for Task {
    async fn run(self, run: BuildRun) -> Built<OfferedArtifact> {
        match self {
            Task::Nothing => {}
            Task::Panics => panics(),
            Task::Waits => {
                run.ui.say("running").await.unwrap();
                run.cancellation.cancelled().await;
                eprintln!("it was cancelled");
                return BuildOutcome::Cancelled.into();
            }
            Task::Hangs => {
                eprintln!("[WARN] it will hang");
                run.ui.say("running").await.unwrap();
                std::future::pending().await
            }
            Task::Exits => exits(),
            Task::CallsOften => {
                let answers = join_all((0..100).map(|_| run.hook.run(PROVISION, bare()))).await;
                run.ui.say(answers.iter().filter(|answer| answer.is_ok()).count().to_string()).await.unwrap();
            }
        }
        BuildOutcome::Nothing.into()
    }
}

fn bare() -> HookLent {
    let cancellation = OfferedCancellation::from(CancellationToken::new());
    HookLent { ui: None, communicator: None, data: "{}".to_owned(), environment: None, cancellation }
}

#[expect(clippy::panic, reason = "it is what the tests are to see")]
fn panics() {
    panic!("out of cheese");
}

#[expect(clippy::disallowed_methods, reason = "a plugin that breaks off is what the tests are to see")]
fn exits() {
    eprintln!("[ERROR] out of disk");
    std::process::exit(9);
}
