//! What the user writes, and what it becomes when it is in order.
use std::{collections::BTreeMap, ops::RangeInclusive, path::Path, time::Duration};

use packwire_plugin::{Context, Diagnostic};
use reqwest::{
    Certificate, Url,
    header::{AUTHORIZATION, HeaderMap},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::credentials::{BasicAuth, Credentials, Given, Secret, below, header};

/// Statuses that say that all went well.
const SUCCESS: RangeInclusive<u16> = 200..=299;

/// At most one of `bearer_token` and `basic_auth` is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("examples" = [
    {"url": "https://api.example.com/images/latest", "request_headers": {"Accept": "application/json"}},
    {"url": "http://127.0.0.1:8080/ready", "expected_status": [200, 204], "retries": 5, "retry_delay_seconds": 2},
]))]
pub(crate) struct Config {
    /// What is asked for: `http` or `https`, without a user and a password.
    #[schemars(length(min = 1))]
    url: String,
    /// How it is asked for.
    #[serde(default)]
    method: Method,
    /// Headers of the request, for all to see.
    #[serde(default)]
    request_headers: BTreeMap<String, String>,
    /// Headers of the request whose values are secrets, such as `X-Api-Key`.
    #[serde(default)]
    secret_headers: BTreeMap<String, Secret>,
    /// A secret that is sent as `Authorization: Bearer …`.
    bearer_token: Option<Secret>,
    /// A user's name and password.
    basic_auth: Option<BasicAuth>,
    /// What is sent with the request.
    request_body: Option<String>,
    /// The statuses that are no failure; each of 200 to 299 where it is missing.
    #[schemars(length(min = 1), inner(range(min = 100, max = 599)))]
    expected_status: Option<Vec<u16>>,
    /// How long one attempt may take, redirects and the whole body included.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 3600))]
    timeout_seconds: u64,
    /// How long connecting may take.
    #[serde(default = "default_connect_timeout")]
    #[schemars(range(min = 1, max = 3600))]
    connect_timeout_seconds: u64,
    /// How often the request is repeated, whatever its method, after what may pass.
    #[serde(default)]
    #[schemars(range(max = 100))]
    retries: u32,
    /// How long to wait before it is repeated.
    #[serde(default = "default_retry_delay")]
    #[schemars(range(max = 3600))]
    retry_delay_seconds: u64,
    /// How many redirects are followed; with 0 a redirect is an answer like others.
    #[serde(default = "default_max_redirects")]
    #[schemars(range(max = 20))]
    max_redirects: usize,
    /// How long the body of the answer may be: at most 2 MiB.
    #[serde(default = "default_max_body_bytes")]
    #[schemars(range(min = 1, max = 2_097_152))]
    max_body_bytes: usize,
    /// A PEM file with certificates to trust beside those of this machine, relative to the host's working directory.
    #[schemars(length(min = 1))]
    ca_file: Option<String>,
}

impl Config {
    /// A body that most servers drop (RFC 9110, 9.3.1).
    pub(crate) fn needless(&self) -> Option<Diagnostic> {
        let told = "a request without a method that takes a body: most servers do not look at it";
        let bare = matches!(self.method, Method::Get | Method::Head);
        (bare && self.request_body.is_some()).then(|| Diagnostic::warning(told).at("/request_body"))
    }
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Patch,
}

impl From<Method> for reqwest::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Head => Self::HEAD,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Delete => Self::DELETE,
            Method::Options => Self::OPTIONS,
            Method::Patch => Self::PATCH,
        }
    }
}

fn default_timeout() -> u64 {
    30
}

fn default_connect_timeout() -> u64 {
    10
}

fn default_retry_delay() -> u64 {
    1
}

fn default_max_redirects() -> usize {
    10
}

fn default_max_body_bytes() -> usize {
    1 << 20
}

/// A request that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) url: Url,
    pub(crate) method: reqwest::Method,
    pub(crate) headers: HeaderMap,
    pub(crate) credentials: Credentials,
    pub(crate) body: Option<String>,
    expected_status: Option<Vec<u16>>,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) retry_delay: Duration,
    pub(crate) max_redirects: usize,
    pub(crate) max_body_bytes: usize,
    pub(crate) trusted: Vec<Certificate>,
}

impl Request {
    pub(crate) fn of(config: Config, context: &Context) -> Result<Self, Vec<Diagnostic>> {
        let Config {
            url,
            method,
            request_headers,
            secret_headers,
            bearer_token,
            basic_auth,
            request_body,
            ..
        } = config;
        let has_authorization = bearer_token.is_some() || basic_auth.is_some();
        let mut problems = Vec::new();
        let url = checked(&mut problems, parsed(&url).map_err(|why| vec![Diagnostic::error(why).at("/url")]));
        let headers = checked(&mut problems, headers(&request_headers, has_authorization));
        let given = Given { bearer_token, basic_auth, secret_headers };
        let credentials = checked(&mut problems, Credentials::of(given));
        let trusted = config.ca_file.map(|file| certificates(&Path::new(&context.working_dir).join(file)));
        let trusted = trusted.unwrap_or(Ok(Vec::new()));
        let trusted = trusted.map_err(|why| vec![Diagnostic::error(why).at("/ca_file")]);
        let trusted = checked(&mut problems, trusted);
        match (url, headers, credentials, trusted) {
            (Some(url), Some(headers), Some(credentials), Some(trusted)) => Ok(Self {
                url,
                method: method.into(),
                headers,
                credentials,
                body: request_body,
                expected_status: config.expected_status,
                timeout: Duration::from_secs(config.timeout_seconds),
                connect_timeout: Duration::from_secs(config.connect_timeout_seconds),
                retries: config.retries,
                retry_delay: Duration::from_secs(config.retry_delay_seconds),
                max_redirects: config.max_redirects,
                max_body_bytes: config.max_body_bytes,
                trusted,
            }),
            _ => Err(problems),
        }
    }

    /// Whether an answer with this status is no failure.
    pub(crate) fn expects(&self, status: u16) -> bool {
        self.expected_status.as_ref().map_or(SUCCESS.contains(&status), |expected| expected.contains(&status))
    }

    /// Whether this status was asked for by number.
    pub(crate) fn names(&self, status: u16) -> bool {
        self.expected_status.as_ref().is_some_and(|expected| expected.contains(&status))
    }

    /// What [`Request::expects`] says, in words.
    pub(crate) fn expected(&self) -> String {
        match &self.expected_status {
            None => format!("{} to {}", SUCCESS.start(), SUCCESS.end()),
            Some(expected) => expected.iter().map(u16::to_string).collect::<Vec<_>>().join(" or "),
        }
    }
}

/// What is in order; what is not goes to the problems.
fn checked<T>(problems: &mut Vec<Diagnostic>, result: Result<T, Vec<Diagnostic>>) -> Option<T> {
    result.map_err(|found| problems.extend(found)).ok()
}

fn parsed(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("this is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("a URL of this data source is `http` or `https`, not `{}`", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL is shown: user and password belong into `basic_auth`".to_owned());
    }
    Ok(url)
}

fn headers(given: &BTreeMap<String, String>, has_authorization: bool) -> Result<HeaderMap, Vec<Diagnostic>> {
    let mut headers = HeaderMap::new();
    let mut problems = Vec::new();
    for (key, value) in given {
        match header(key, value) {
            Ok((name, _)) if name == AUTHORIZATION && has_authorization => {
                let twice = "`Authorization` is made of `bearer_token` or `basic_auth`";
                problems.push(Diagnostic::error(twice).at(below("request_headers", key)));
            }
            Ok((name, value)) => drop(headers.insert(name, value)),
            Err(why) => problems.push(Diagnostic::error(why).at(below("request_headers", key))),
        }
    }
    if problems.is_empty() { Ok(headers) } else { Err(problems) }
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, String> {
    let shown = file.display();
    let pem = std::fs::read(file).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(format!("{shown} holds no certificate in PEM form")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(config: &str) -> Result<Request, String> {
        let context = Context { working_dir: "/nowhere".to_owned(), ..Context::default() };
        let read = packwire_plugin::config::read(config).and_then(|config| Request::of(config, &context));
        read.map_err(|problems| {
            problems.iter().map(|one| format!("{}: {}", one.path, one.summary)).collect::<Vec<_>>().join("\n")
        })
    }

    #[test]
    fn a_body_that_nobody_looks_at_is_told() {
        let needless = |config| packwire_plugin::config::read::<Config>(config).unwrap().needless();
        let told = needless(r#"{"url": "http://h/", "request_body": "a"}"#).unwrap();
        assert_eq!((told.path.as_str(), told.is_error()), ("/request_body", false));
        assert_eq!(needless(r#"{"url": "http://h/", "request_body": "a", "method": "POST"}"#), None);
        assert_eq!(needless(r#"{"url": "http://h/"}"#), None);
    }

    #[test]
    fn the_url_alone_is_enough() {
        let request = request(r#"{"url": "https://example.com/a?b=c"}"#).unwrap();
        assert_eq!((request.url.as_str(), request.method.as_str()), ("https://example.com/a?b=c", "GET"));
        assert!(request.expects(204) && !request.expects(304) && !request.names(200));
        assert_eq!((request.expected().as_str(), request.retries), ("200 to 299", 0));
    }

    #[test]
    fn all_problems_are_found_together() {
        let config = r#"{"url": "ftp://example.com", "bearer_token": "hunter22", "ca_file": "ca.pem",
            "basic_auth": {"username": "me", "password": "hunter23"},
            "request_headers": {"a b": "1", "X": "hunter24\n", "Content-Length": "1", "authorization": "hunter25"},
            "secret_headers": {"a/b": "hunter26"}}"#;
        let told = request(config).unwrap_err();
        assert!(!told.contains("hunter"), "a value may be a secret");
        insta::assert_snapshot!(told);
    }

    #[test]
    fn what_the_schema_says_is_refused_before() {
        let config = r#"{"url": "", "method": "get", "expected_status": [99], "timeout_seconds": 0,
            "basic_auth": {"username": "a:b", "password": 7}, "max_body_bytes": 2097153, "header": {}}"#;
        insta::assert_snapshot!(request(config).unwrap_err());
    }

    #[test]
    fn a_url_is_http_and_has_no_password() {
        let told = |url| request(&format!(r#"{{"url": "{url}"}}"#)).unwrap_err();
        insta::assert_snapshot!(
            ["example.com", "https://", "https://me:hunter2@example.com"].map(told).join("\n")
        );
    }

    #[test]
    fn secrets_are_marked_in_the_schema_and_shown_by_nobody() {
        let schema = schemars::schema_for!(Config).to_value();
        for place in
            ["/bearer_token", "/basic_auth/properties/password", "/secret_headers/additionalProperties"]
        {
            let place = format!("/properties{place}/writeOnly");
            assert_eq!(schema.pointer(&place), Some(&true.into()), "{place}\n{schema:#}");
        }
        let config = r#"{"url": "http://h", "bearer_token": "hunter2", "secret_headers": {"X": "hunter3"}}"#;
        let request = request(config).unwrap();
        assert!(!format!("{request:?}").contains("hunter"), "{request:?}");
        assert_eq!(request.credentials.secrets().collect::<Vec<_>>(), ["hunter2", "hunter3"]);
    }
}
