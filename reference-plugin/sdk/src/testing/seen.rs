//! What a host under test sees of what a component says, and of the hook that it calls.
use packwire_wire::{Hook, HookRun, OfferedProgress, Outcome, Progress, Reply, Ui};

use super::Host;

impl Ui for Host {
    async fn say(&self, text: String) {
        self.seen("say", &text).await;
    }

    async fn message(&self, text: String) {
        self.seen("message", &text).await;
    }

    async fn error(&self, text: String) {
        self.seen("error", &text).await;
    }

    async fn machine(&self, category: String, args: Vec<String>) {
        self.seen("machine", &format!("{category} {}", args.join(","))).await;
    }

    async fn ask(&self, query: String, _: bool) -> Reply {
        self.seen("ask", &query).await;
        Reply::Refused("nobody is there".to_owned())
    }

    async fn progress(&self, label: String, total: u64) -> OfferedProgress {
        self.seen("progress", &format!("{label}, {total} bytes")).await;
        OfferedProgress::new(Unseen)
    }

    async fn mask(&self, _: String) {
        self.seen("mask", "a secret").await;
    }
}

/// Progress, which nobody looks at.
struct Unseen;

impl Progress for Unseen {
    async fn update(&self, _: u64) {}
    async fn finish(&self) {}
}

impl Hook for Host {
    async fn run(&self, run: HookRun) -> Outcome {
        let machine = if run.communicator.is_some() { "with" } else { "without" };
        let told = format!("{} {machine} a machine, {}", run.event, run.data);
        tokio::select! {
            biased;
            () = self.seen("hook", &told) => self.provisioning.clone().unwrap_or(Outcome::Done),
            () = run.cancellation.cancelled() => Outcome::Cancelled,
        }
    }
}
