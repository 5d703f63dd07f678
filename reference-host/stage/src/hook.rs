//! Hooks that tell of events, fail at them, and wait at them.

use packwire_plugin::{Hook, HookRun, Outcome};

/// Tells of each event.
pub(crate) struct Telling;

impl Hook for Telling {
    async fn run(&self, run: HookRun) -> Outcome {
        if let Some(ui) = run.ui {
            drop(ui.say(format!("hook at {}: {}", run.event, run.data)).await);
        }
        Outcome::Done
    }
}

/// Fails at each event.
pub(crate) struct Failing;

impl Hook for Failing {
    async fn run(&self, run: HookRun) -> Outcome {
        Outcome::failed(format!("no {} today", run.event))
    }
}

/// Waits at each event until it is cancelled.
pub(crate) struct Waiting;

impl Hook for Waiting {
    async fn run(&self, run: HookRun) -> Outcome {
        if let Some(ui) = run.ui {
            drop(ui.say(format!("waiting at {}", run.event)).await);
        }
        run.cancellation.cancelled().await;
        Outcome::Cancelled
    }
}
