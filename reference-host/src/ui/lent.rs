//! A build's lines as a `Ui` that is lent to plugins.

use packwire_wire::{OfferedProgress, Progress, Reply, Ui};

use super::BuildUi;

impl Ui for BuildUi {
    async fn say(&self, text: String) {
        Self::say(self, &text);
    }

    async fn message(&self, text: String) {
        Self::message(self, &text);
    }

    async fn error(&self, text: String) {
        Self::error(self, &text);
    }

    /// Nobody reads lines for programs yet: this host has no output for them.
    async fn machine(&self, _: String, _: Vec<String>) {}

    async fn ask(&self, _: String, _: bool) -> Reply {
        Reply::Refused("this host asks nobody".to_owned())
    }

    async fn progress(&self, label: String, total: u64) -> OfferedProgress {
        let _ = total;
        if !label.is_empty() {
            Self::message(self, &label);
        }
        OfferedProgress::new(Unshown)
    }

    async fn mask(&self, secret: String) {
        if let Err(refused) = self.terminal().secrets().add(&secret) {
            Self::error(self, &format!("a plugin's secret is not masked: {refused}"));
        }
    }
}

/// Progress in a log file would be noise: only its label is said.
struct Unshown;

impl Progress for Unshown {
    async fn update(&self, _: u64) {}
    async fn finish(&self) {}
}
