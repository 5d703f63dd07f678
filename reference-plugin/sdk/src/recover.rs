//! What removes the things that crashed runs of a component left.
use packwire_wire::{
    Context, Diagnostic, OfferedRecovery, Outcome, Recovery, RecoveryRun, Remembered, RemoteCancellation,
    RemoteEnvironment, RemoteUi,
};

use crate::{
    Stop,
    config::{Config, Reader},
};

/// Removes what crashed runs of a component left: what they had told the host to
/// [remember](crate::Environment::remember), and did not settle any more.
pub trait Recover: Send + Sync + 'static {
    /// The configuration of the component.
    type Config: Config + Sync;

    /// Removes what one entry speaks of; the host strikes it out when this succeeds, and tries again another time when it
    /// does not. Also where nothing had been made yet, or it is gone already: that is success.
    fn recover(
        &self,
        remembered: &str,
        recovering: &Recovering<Self::Config>,
    ) -> impl Future<Output = Result<(), Stop>> + Send;
}

/// What a recovery may use.
#[derive(Debug)]
pub struct Recovering<C> {
    /// The configuration that the component had, made anew from the template.
    pub config: C,
    /// Where it was used.
    pub context: Context,
    /// Where to say what happens.
    pub ui: RemoteUi,
    /// The host's services.
    pub environment: RemoteEnvironment,
    /// When to stop.
    pub cancellation: RemoteCancellation,
}

pub(crate) struct ServedRecovery<R: Recover> {
    recover: R,
    config: Reader<R::Config>,
}

impl<R: Recover> ServedRecovery<R> {
    pub(crate) fn offer(recover: R) -> OfferedRecovery {
        OfferedRecovery::new(Self { recover, config: Reader::new() })
    }

    /// Deals with every entry, also after one that could not be dealt with.
    async fn each(&self, entries: Vec<Remembered>, recovering: &Recovering<R::Config>) -> Result<(), Stop> {
        let mut left = Vec::new();
        for Remembered { text, entry } in entries {
            match self.recover.recover(&text, recovering).await {
                Ok(()) => entry.settle().await?,
                Err(Stop::Failed(diagnostics)) => left.extend(diagnostics),
                Err(Stop::Cancelled) => return Err(Stop::Cancelled),
            }
        }
        if left.is_empty() { Ok(()) } else { Err(Stop::Failed(left)) }
    }
}

impl<R: Recover> Recovery for ServedRecovery<R> {
    async fn recover(&self, run: RecoveryRun) -> Outcome {
        let RecoveryRun { config, context, entries, ui, environment, cancellation } = run;
        let prepared = self.config.prepare(&config, &context, |_, _| Vec::new(), |config, _| Ok(config));
        let Some(config) = prepared.object else { return Outcome::Failed(unusable(prepared.diagnostics)) };
        let recovering = Recovering { config, context, ui, environment, cancellation };
        crate::stop::outcome(self.each(entries, &recovering).await)
    }
}

fn unusable(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let told = |one: Diagnostic| {
        let summary = format!("the configuration for the recovery cannot be used: {}", one.summary);
        Diagnostic::error(summary).with_detail(one.detail).at(one.path)
    };
    diagnostics.into_iter().map(told).collect()
}
