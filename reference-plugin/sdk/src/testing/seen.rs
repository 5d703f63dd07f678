//! What a host under test sees of what a component says, and of the hook that it calls.
use packwire_wire::{Hook, HookRun, OfferedProgress, Outcome, Progress, Reply, Ui};

use super::Host;

impl Ui for Host {
    async fn say(&self, text: String) {
        self.note("say", &text);
    }

    async fn message(&self, text: String) {
        self.note("message", &text);
    }

    async fn error(&self, text: String) {
        self.note("error", &text);
    }

    async fn machine(&self, category: String, args: Vec<String>) {
        self.note("machine", &format!("{category} {}", args.join(",")));
    }

    async fn ask(&self, query: String, _: bool) -> Reply {
        self.note("ask", &query);
        Reply::Refused("nobody is there".to_owned())
    }

    async fn progress(&self, label: String, total: u64) -> OfferedProgress {
        self.note("progress", &format!("{label}, {total} bytes"));
        OfferedProgress::new(Unseen)
    }

    async fn mask(&self, _: String) {
        self.note("mask", "a secret");
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
        self.note("hook", &format!("{} {machine} a machine, {}", run.event, run.data));
        self.provisioning.clone().unwrap_or(Outcome::Done)
    }
}
