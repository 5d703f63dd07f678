//! One request and its answer, through all redirects.
use std::error::Error as _;

use reqwest::{
    Client, Method, Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, LOCATION},
    redirect::Policy,
};

use crate::{
    answer::Answer,
    config::Request,
    failure::{Failure, Reason},
};

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
/// How much of an unexpected answer is told.
const TOLD_BYTES: usize = 2000;

/// One of the requests to which redirects lead.
#[derive(Clone)]
struct Hop {
    method: Method,
    url: Url,
    body: Option<String>,
}

impl Hop {
    fn failed(&self, reason: impl Into<Reason>) -> Failure {
        Failure::of(self.method.clone(), &self.url, reason)
    }

    /// Where this answer leads to, if it is a redirect.
    fn next(&self, status: StatusCode, headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let (true, Some(location)) = (is_redirect(status), location) else { return Ok(None) };
        let url =
            self.url.join(location).map_err(|error| self.failed(Reason::BadRedirect(error.to_string())))?;
        match (self.url.scheme(), url.scheme()) {
            ("https", "http") => return Err(self.failed(Reason::Downgrade)),
            (_, "http" | "https") => {}
            (_, other) => return Err(self.failed(Reason::BadRedirect(format!("to `{other}`")))),
        }
        let keeps = match status.as_u16() {
            301 | 302 => self.method != Method::POST,
            303 => self.method == Method::HEAD,
            _ => true,
        };
        let next =
            if keeps { self.clone() } else { Self { method: Method::GET, body: None, ..self.clone() } };
        Ok(Some(Self { url, ..next }))
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

impl Request {
    /// Asks, and follows redirects.
    pub(crate) async fn exchange(&self) -> Result<Answer, Failure> {
        let Self { method, url, body, .. } = self;
        let mut hop = Hop { method: method.clone(), url: url.clone(), body: body.clone() };
        for _ in 0..=self.max_redirects {
            let response = self.send(&hop).await?;
            let follows = self.max_redirects > 0 && !self.names(response.status().as_u16());
            match if follows { hop.next(response.status(), response.headers())? } else { None } {
                Some(next) => hop = next,
                None => return self.read(&hop, response).await,
            }
        }
        Err(hop.failed(Reason::TooManyRedirects(self.max_redirects)))
    }

    async fn send(&self, hop: &Hop) -> Result<Response, Failure> {
        let client = self.client(&hop.url).map_err(|error| hop.failed(&error))?;
        let mut request = client.request(hop.method.clone(), hop.url.clone()).headers(self.headers_for(hop));
        if let Some(body) = &hop.body {
            request = request.body(body.clone());
        }
        request.send().await.map_err(|error| hop.failed(&error))
    }

    /// The headers; what is secret goes to the server of the configuration alone.
    fn headers_for(&self, hop: &Hop) -> HeaderMap {
        let mut headers = self.headers.clone();
        if hop.url.origin() == self.url.origin() {
            headers.extend(self.credentials.headers().clone());
        } else {
            drop(headers.remove(AUTHORIZATION));
            drop(headers.remove(COOKIE));
        }
        if hop.body.is_none() {
            drop(headers.remove(CONTENT_TYPE));
        }
        headers
    }

    fn client(&self, url: &Url) -> Result<Client, reqwest::Error> {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .connect_timeout(self.connect_timeout)
            .tls_certs_merge(self.trusted.iter().cloned());
        let client = if is_this_machine(url) { client.no_proxy() } else { client };
        client.build()
    }

    async fn read(&self, hop: &Hop, mut response: Response) -> Result<Answer, Failure> {
        let (status, headers) = (response.status(), response.headers().clone());
        if !self.expects(status.as_u16()) {
            let body = start_of(&mut response).await;
            return Err(hop.failed(Reason::Status { status, expected: self.expected(), body }));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| hop.failed(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > self.max_body_bytes {
                return Err(hop.failed(Reason::TooLong(self.max_body_bytes)));
            }
        }
        match String::from_utf8(body) {
            Ok(body) => Ok(Answer::new(&hop.url, status.as_u16(), &headers, body)),
            Err(error) => Err(hop.failed(Reason::NoText(error.into_bytes().len()))),
        }
    }
}

/// What a server says to an answer that nobody expected; as much as there is.
async fn start_of(response: &mut Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= TOLD_BYTES {
            body.truncate(TOLD_BYTES);
            break;
        }
    }
    String::from_utf8_lossy(&body).trim_end().to_owned()
}

/// No proxy is asked for what runs here.
fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The causes of an error, the outermost first, also those that an I/O error holds.
pub(crate) fn causes(error: &reqwest::Error) -> Vec<&(dyn std::error::Error + 'static)> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause);
        let held = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match held {
            Some(held) => Some(held),
            None => cause.source(),
        };
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirected(method: Method, url: &str, status: u16, location: &str) -> String {
        let hop = Hop { method, url: Url::parse(url).unwrap(), body: Some("b".to_owned()) };
        let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
        match hop.next(StatusCode::from_u16(status).unwrap(), &headers) {
            Ok(Some(Hop { method, url, body })) => format!("{method} {url} {body:?}"),
            Ok(None) => "an answer".to_owned(),
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn redirects_are_followed_as_browsers_do_and_never_to_less_secrecy() {
        let (from, secure) = ("http://a/b/c", "https://a/b");
        insta::assert_snapshot!(
            [
                redirected(Method::POST, from, 302, "../d"),
                redirected(Method::POST, from, 307, "//other/e"),
                redirected(Method::HEAD, from, 301, "https://a/"),
                redirected(Method::GET, from, 304, "/f"),
                redirected(Method::GET, from, 301, "file:///etc/passwd"),
                redirected(Method::GET, from, 301, "http://[::"),
                redirected(Method::GET, secure, 301, "http://a/b"),
            ]
            .join("\n")
        );
    }

    #[test]
    fn no_proxy_is_asked_for_this_machine() {
        let is_this_machine = |url: &str| is_this_machine(&Url::parse(url).unwrap());
        assert!(
            ["http://localhost:1/", "http://127.8.0.1/", "http://[::1]/", "http://a.localhost"]
                .map(is_this_machine)
                == [true; 4]
        );
        assert!(["http://example.com/", "http://10.0.0.1/"].map(is_this_machine) == [false; 2]);
    }
}
