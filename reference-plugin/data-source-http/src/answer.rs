//! What templates get.
use std::collections::BTreeMap;

use reqwest::{Url, header::HeaderMap};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// What a server answered.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Answer {
    /// Who answered: the `url` of the configuration, or where redirects led to.
    url: String,
    /// The status, such as 200.
    status: u16,
    /// The headers of the answer by their names in lower case. Several of one name are joined with a comma.
    headers: BTreeMap<String, String>,
    /// The body.
    body: String,
    /// What the body says, where it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
}

impl Answer {
    pub(crate) fn new(url: &Url, status: u16, headers: &HeaderMap, body: String) -> Self {
        let json = serde_json::from_str(&body).ok();
        Self { url: url.to_string(), status, headers: joined(headers), body, json }
    }
}

fn joined(headers: &HeaderMap) -> BTreeMap<String, String> {
    let value = |name| {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        values.collect::<Vec<_>>().join(", ")
    };
    headers.keys().map(|name| (name.to_string(), value(name))).collect()
}
