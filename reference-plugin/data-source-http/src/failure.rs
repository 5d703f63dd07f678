//! Why there is no answer: one sentence, with what to do about it.
use std::time::Duration;

use packwire_plugin::{Diagnostic, Stop};
use reqwest::{Method, StatusCode, Url};
use thiserror::Error;

use crate::{exchange::causes, http::seconds};

/// A request that failed.
#[derive(Debug, Error)]
#[error("{method} {url}: {reason}")]
pub(crate) struct Failure {
    method: Method,
    /// Without its query, which may hold a secret.
    url: String,
    reason: Reason,
}

/// What went wrong with a request.
#[derive(Debug, Error)]
pub(crate) enum Reason {
    #[error("the host is not found: {0}")]
    UnknownHost(String),
    #[error("no connection: {0}")]
    Unreachable(String),
    #[error("no connection in time")]
    NotConnectedInTime,
    #[error("the server is not trusted: {0}")]
    Untrusted(String),
    #[error("no whole answer within {}", seconds(*.0))]
    TimedOut(Duration),
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the answer is {status}, not {expected}")]
    Status { status: StatusCode, expected: String, body: String },
    #[error("more than {0} redirects")]
    TooManyRedirects(usize),
    #[error("a redirect that cannot be followed: {0}")]
    BadRedirect(String),
    #[error("a redirect from https to http, which is not followed")]
    Downgrade,
    #[error("the body of the answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("the body of the answer, {0} bytes, is no UTF-8 text")]
    NoText(usize),
}

impl Failure {
    pub(crate) fn of(method: Method, url: &Url, reason: impl Into<Reason>) -> Self {
        let mut shown = url.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        Self { method, url: shown.to_string(), reason: reason.into() }
    }

    /// Whether it may be gone when the same is tried again.
    pub(crate) fn may_pass(&self) -> bool {
        match &self.reason {
            Reason::UnknownHost(_)
            | Reason::Unreachable(_)
            | Reason::NotConnectedInTime
            | Reason::TimedOut(_)
            | Reason::Broken(_) => true,
            Reason::Status { status, .. } => status.is_server_error() || matches!(status.as_u16(), 408 | 429),
            Reason::Untrusted(_)
            | Reason::TooManyRedirects(_)
            | Reason::BadRedirect(_)
            | Reason::Downgrade
            | Reason::TooLong(_)
            | Reason::NoText(_) => false,
        }
    }
}

impl From<&reqwest::Error> for Reason {
    fn from(error: &reqwest::Error) -> Self {
        let causes = causes(error);
        if let Some(tls) = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
            return Self::Untrusted(tls.to_string());
        }
        let why = causes.last().map_or_else(|| error.to_string(), ToString::to_string);
        match () {
            () if error.is_connect() && error.is_timeout() => Self::NotConnectedInTime,
            // The resolver's own error has no type of its own.
            () if causes.iter().any(|cause| cause.to_string() == "dns error") => Self::UnknownHost(why),
            () if error.is_connect() => Self::Unreachable(why),
            () => Self::Broken(why),
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        let diagnostic = Diagnostic::error(failure.to_string());
        let diagnostic = match &failure.reason {
            Reason::UnknownHost(_) | Reason::Unreachable(_) | Reason::Broken(_) => diagnostic.at("/url"),
            Reason::NotConnectedInTime => diagnostic.at("/connect_timeout_seconds"),
            Reason::TimedOut(_) => diagnostic.at("/timeout_seconds"),
            Reason::Untrusted(_) => diagnostic
                .at("/url")
                .with_detail("`ca_file` names certificates to trust beside those of this machine."),
            Reason::Status { body, .. } if body.is_empty() => diagnostic.at("/expected_status"),
            Reason::Status { body, .. } => {
                diagnostic.at("/expected_status").with_detail(format!("The server says:\n{body}"))
            }
            Reason::TooManyRedirects(_) | Reason::BadRedirect(_) | Reason::Downgrade => {
                diagnostic.at("/max_redirects")
            }
            Reason::TooLong(_) => diagnostic.at("/max_body_bytes"),
            Reason::NoText(_) => {
                diagnostic.at("/url").with_detail("Templates use text: bytes cannot be data.")
            }
        };
        diagnostic.into()
    }
}
