//! Secrets that go with a request, and nowhere else.
use std::{collections::BTreeMap, fmt};

use base64::{Engine, prelude::BASE64_STANDARD};
use packwire_plugin::Diagnostic;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;

/// A text that nobody may see.
#[derive(Clone, Deserialize, JsonSchema)]
#[schemars(inline, extend("writeOnly" = true))]
pub(crate) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }
}

/// A user's name and password.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct BasicAuth {
    /// The user's name, without a colon.
    #[schemars(regex(pattern = "^[^:]*$"))]
    username: String,
    /// The password.
    password: Secret,
}

/// What a configuration says of secrets.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) bearer_token: Option<Secret>,
    pub(crate) basic_auth: Option<BasicAuth>,
    pub(crate) secret_headers: BTreeMap<String, Secret>,
}

/// The headers that are secret, and all texts that are to be masked.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    headers: HeaderMap,
    secrets: Vec<Secret>,
}

impl Credentials {
    /// What was given, or all that is wrong with it.
    pub(crate) fn of(given: Given) -> Result<Self, Vec<Diagnostic>> {
        let Given { bearer_token, basic_auth, secret_headers } = given;
        let mut made = Self::default();
        let mut problems = Vec::new();
        if bearer_token.is_some() && basic_auth.is_some() {
            let both = "`bearer_token` and `basic_auth` exclude each other";
            problems.push(Diagnostic::error(both).at("/basic_auth"));
        }
        if let Some(Secret(token)) = bearer_token {
            let place = "/bearer_token".to_owned();
            problems.extend(made.add(place, AUTHORIZATION.as_str(), &format!("Bearer {token}")));
            made.secrets.push(Secret(token));
        }
        if let Some(BasicAuth { username, password: Secret(password) }) = basic_auth {
            let encoded = BASE64_STANDARD.encode(format!("{username}:{password}"));
            let place = "/basic_auth".to_owned();
            problems.extend(made.add(place, AUTHORIZATION.as_str(), &format!("Basic {encoded}")));
            made.secrets.extend([Secret(password), Secret(encoded)]);
        }
        for (name, Secret(value)) in secret_headers {
            problems.extend(made.add(below("secret_headers", &name), &name, &value));
            made.secrets.push(Secret(value));
        }
        if problems.is_empty() { Ok(made) } else { Err(problems) }
    }

    /// Adds a header, or says what is wrong with it.
    fn add(&mut self, place: String, name: &str, value: &str) -> Option<Diagnostic> {
        match header(name, value) {
            Ok((name, mut value)) => {
                value.set_sensitive(true);
                drop(self.headers.insert(name, value));
                None
            }
            Err(why) => Some(Diagnostic::error(why).at(place)),
        }
    }

    /// The headers to send, none of which is to be seen.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// What is to be masked.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|Secret(text)| text.as_str()).filter(|text| !text.is_empty())
    }
}

/// What the client writes itself: another value would make the request another than it says.
const OWN: [&str; 4] = ["connection", "content-length", "te", "transfer-encoding"];

/// A header as it is sent; the error never tells its value, which may be a secret.
pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "this is no name of a header")?;
    if OWN.contains(&name.as_str()) {
        return Err("this header is made for each request; it cannot be given");
    }
    let value = HeaderValue::from_str(value).map_err(|_| "a header's value is one line of text")?;
    Ok((name, value))
}

/// The JSON Pointer of a member of an option.
pub(crate) fn below(option: &str, key: &str) -> String {
    format!("/{option}/{}", key.replace('~', "~0").replace('/', "~1"))
}
