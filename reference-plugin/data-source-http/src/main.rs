//! packer-data-source-http: yields what an HTTP server answers.
//!
//! | Option of Packer's `http` data source | Here |
//! | --- | --- |
//! | `url` | done; a user or password in it is refused, since it is shown |
//! | `method` | done: `GET`, `HEAD`, `POST`, `PUT`, `DELETE`, `OPTIONS`, `PATCH`; `GET` where it is missing |
//! | `request_headers` | done, for the request; the headers of the answer are `headers` in the output |
//! | `request_body` | done |
//!
//! | Option of this plugin alone | Does |
//! | --- | --- |
//! | `secret_headers`, `bearer_token`, `basic_auth` | secrets: masked before the request, and not sent to another server that redirects lead to |
//! | `expected_status` | which statuses are no failure; each of 200 to 299 where it is missing |
//! | `timeout_seconds`, `connect_timeout_seconds` | how long one attempt, and its connecting, may take |
//! | `retries`, `retry_delay_seconds` | how often what may pass is tried again: no connection, no answer in time, 408, 429, 5xx |
//! | `max_redirects` | how many redirects are followed, never from https to http |
//! | `max_body_bytes` | how long the body of the answer may be |
//! | `ca_file` | certificates to trust beside those of this machine |
//!
//! The proxies of `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are used, but never for this machine itself.
//! The body is UTF-8 text; what is JSON is there also as `json`, whatever the server calls it.
mod answer;
mod config;
mod credentials;
mod exchange;
mod failure;
mod http;
#[cfg(test)]
mod tests;

packwire_plugin::serve_data_source!("http", http::Http::new());
