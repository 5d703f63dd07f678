//! A build's lines as a `Ui` that is lent to plugins.

use packwire_wire::{OfferedProgress, OfferedUi, Progress, Reply, Ui};
use tokio_util::sync::CancellationToken;

use super::BuildUi;
use crate::grace::stalled;

/// Where one run prints.
///
/// Output that nobody takes makes the run wait, until it is cancelled: then what cannot be printed is dropped, so that
/// the run can always end.
struct LentUi {
    ui: BuildUi,
    cancelled: CancellationToken,
}

impl BuildUi {
    /// The same lines, lent to a run that ends when `cancelled` says so.
    #[must_use]
    pub fn lend(&self, cancelled: CancellationToken) -> OfferedUi {
        OfferedUi::new(LentUi { ui: self.clone(), cancelled })
    }
}

impl LentUi {
    /// Prints on a thread that may block, as a terminal or a pipe does.
    async fn print(&self, print: impl FnOnce(&BuildUi) + Send + 'static) {
        self.ui.hear();
        let ui = self.ui.clone();
        let printing = tokio::task::spawn_blocking(move || print(&ui));
        tokio::select! {
            printed = printing => drop(printed),
            () = stalled(&self.cancelled) => {}
        }
    }
}

impl Ui for LentUi {
    async fn say(&self, text: String) {
        self.print(move |ui| ui.say(&text)).await;
    }

    async fn message(&self, text: String) {
        self.print(move |ui| ui.message(&text)).await;
    }

    async fn error(&self, text: String) {
        self.print(move |ui| ui.error(&text)).await;
    }

    /// Nobody reads lines for programs yet: this host has no output for them.
    async fn machine(&self, _: String, _: Vec<String>) {}

    async fn ask(&self, _: String, _: bool) -> Reply {
        Reply::Refused("this host asks nobody".to_owned())
    }

    async fn progress(&self, label: String, _: u64) -> OfferedProgress {
        if !label.is_empty() {
            self.message(label).await;
        }
        OfferedProgress::new(Unshown(self.ui.clone()))
    }

    async fn mask(&self, secret: String) {
        if let Err(refused) = self.ui.terminal().secrets().add(&secret) {
            self.error(format!("a plugin's secret is not masked: {refused}")).await;
        }
    }
}

/// Progress in a log file would be noise: only its label is said.
struct Unshown(BuildUi);

impl Progress for Unshown {
    async fn update(&self, _: u64) {
        self.0.hear();
    }

    async fn finish(&self) {
        self.0.hear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::testing::terminal;

    // host.ui-one-question
    #[tokio::test]
    async fn where_nobody_is_asked_every_question_is_refused_at_once() {
        let (terminal, recorder) = terminal(false);
        let lent = LentUi { ui: BuildUi::new(terminal, "note", 0), cancelled: CancellationToken::new() };
        let (one, other) =
            tokio::join!(lent.ask("name?".to_owned(), false), lent.ask("word?".to_owned(), true));
        assert_eq!([one, other], [(); 2].map(|()| Reply::Refused("this host asks nobody".to_owned())));
        assert_eq!(recorder.text(), "");
    }
}
