//! The data source: attempts, until one has the answer that was expected.
use std::time::Duration;

use packwire_plugin::{Context, DataSource, Diagnostic, Query, QueryRun, Stop, Ui, unless_cancelled};

use crate::{
    answer::Answer,
    config::{Config, Request},
    failure::{Failure, Reason},
};

/// Asks HTTP servers.
pub(crate) struct Http(());

impl Http {
    /// Chooses who encrypts, once for the process.
    pub(crate) fn new() -> Self {
        // It fails where somebody chose before: then that one is used.
        drop(rustls::crypto::ring::default_provider().install_default());
        Self(())
    }
}

impl DataSource for Http {
    type Config = Config;
    type Query = Request;

    const SUMMARY: &'static str = "Yields what an HTTP server answers";
    const DOCUMENTATION: &'static str = "Sends one request to `url` and yields `url`, `status`, `headers`, `body`, \
        and `json` where the body is JSON.\n\n\
        Secrets belong into `bearer_token`, `basic_auth` and `secret_headers`: they are masked, and go to no other \
        server that the first one redirects to. A status that is not among `expected_status` fails, as a body does \
        that is longer than `max_body_bytes` or no UTF-8 text. `retries` repeats the request, whatever its method, \
        after what may pass.\n\n\
        ```json\n{\"url\": \"https://api.example.com/images/latest\", \"bearer_token\": \"{{user `token`}}\", \
        \"retries\": 3}\n```\n";

    fn prepare(&self, config: Config, context: &Context) -> Result<Request, Vec<Diagnostic>> {
        Request::of(config, context)
    }

    fn warnings(&self, config: &Config, _: &Context) -> Vec<Diagnostic> {
        config.needless().into_iter().collect()
    }
}

impl Query for Request {
    type Output = Answer;

    async fn run(self, run: QueryRun) -> Result<Answer, Stop> {
        for secret in self.credentials.secrets() {
            run.ui.mask(secret).await?;
        }
        unless_cancelled(&run.cancellation, self.answer(&run.ui)).await?
    }
}

impl Request {
    async fn answer(&self, ui: &Ui) -> Result<Answer, Stop> {
        let mut left = self.retries;
        loop {
            let failure = match self.attempt().await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if left == 0 || !failure.may_pass() {
                return Err(failure.into());
            }
            ui.say(format!("{failure}; trying again, attempts left: {left}")).await?;
            left -= 1;
            tokio::time::sleep(self.retry_delay).await;
        }
    }

    /// One attempt, redirects and the whole body included.
    async fn attempt(&self) -> Result<Answer, Failure> {
        match tokio::time::timeout(self.timeout, self.exchange()).await {
            Ok(answered) => answered,
            Err(_) => Err(Failure::of(self.method.clone(), &self.url, Reason::TimedOut(self.timeout))),
        }
    }
}

/// How long a duration is, as its option has it.
pub(crate) fn seconds(length: Duration) -> String {
    format!("{} s", length.as_secs_f64())
}
