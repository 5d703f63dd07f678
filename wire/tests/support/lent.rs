//! What a host lends in tests, which remembers what was said.
use std::sync::{Arc, Mutex};

use packwire_wire::{
    BuildLent, Environment, Hook, HookRun, OfferedCommunicator, OfferedEnvironment, OfferedHook,
    OfferedProgress, OfferedUi, Outcome, Progress, Reply, Ui,
};
use tokio_util::sync::CancellationToken;

/// What a test's host lends: it remembers what was said.
#[derive(Clone, Default)]
pub(crate) struct Lent {
    pub(crate) said: Arc<Mutex<Vec<String>>>,
    pub(crate) cancellation: CancellationToken,
}

impl Lent {
    pub(crate) fn build<H, R>(&self, hook: H) -> BuildLent
    where
        H: Fn(HookRun) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        BuildLent {
            ui: OfferedUi::new(self.clone()),
            hook: OfferedHook::new(FnHook(hook)),
            environment: OfferedEnvironment::new(Bare),
            cancellation: self.cancellation.clone(),
        }
    }

    pub(crate) fn plain(&self) -> BuildLent {
        self.build(|_| async { Outcome::Done })
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.said.lock().unwrap().iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
    }
}

struct FnHook<H>(H);

impl<H, R> Hook for FnHook<H>
where
    H: Fn(HookRun) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    async fn run(&self, run: HookRun) -> Outcome {
        (self.0)(run).await
    }
}

/// Lends no service.
struct Bare;

impl Environment for Bare {
    async fn communicator(
        &self,
        kind: String,
        _: String,
    ) -> Result<OfferedCommunicator, Vec<packwire_wire::Diagnostic>> {
        Err(vec![packwire_wire::Diagnostic::error(format!("no {kind} here"))])
    }
}

impl Ui for Lent {
    async fn say(&self, text: String) {
        self.said.lock().unwrap().push(text);
    }
    async fn message(&self, text: String) {
        self.said.lock().unwrap().push(text);
    }
    async fn error(&self, text: String) {
        self.said.lock().unwrap().push(text);
    }
    async fn machine(&self, category: String, args: Vec<String>) {
        self.said.lock().unwrap().push(format!("{category} {args:?}"));
    }
    async fn ask(&self, query: String, _: bool) -> Reply {
        Reply::Answer(format!("answer to {query}"))
    }
    async fn progress(&self, label: String, total: u64) -> OfferedProgress {
        self.said.lock().unwrap().push(format!("progress {label} of {total}"));
        OfferedProgress::new(self.clone())
    }
    async fn mask(&self, secret: String) {
        self.said.lock().unwrap().push(format!("mask {secret}"));
    }
}

impl Progress for Lent {
    async fn update(&self, done: u64) {
        self.said.lock().unwrap().push(format!("progress {done}"));
    }
    async fn finish(&self) {
        self.said.lock().unwrap().push("finished".to_owned());
    }
}
