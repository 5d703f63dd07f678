//! The data source against servers on this machine: every answer, and every way to have none.
mod server;

use packwire_plugin::{Stop, testing::Host};
use serde_json::{Value, json};

use crate::http::Http;
use server::{Event, Server};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello\n";

async fn query(host: &Host, config: Value) -> Result<Value, Stop> {
    host.query(Http::new(), config).await
}

/// What the user reads, with a placeholder for the server's address.
async fn failure(server: &Server, config: Value) -> String {
    told(query(&Host::new(), config).await.unwrap_err()).replace(&server.address.to_string(), "SERVER")
}

fn told(stop: Stop) -> String {
    let Stop::Failed(diagnostics) = stop else { panic!("{stop:?}") };
    let lines = diagnostics.into_iter().map(|one| format!("{}: {}\n{}", one.path, one.summary, one.detail));
    lines.collect::<String>().trim_end().to_owned()
}

#[tokio::test]
async fn an_answer_is_told_whole() {
    let answer =
        "HTTP/1.1 203 Fine\r\nContent-Type: text/x\r\nX-Two: a\r\nX-Two: b\r\n\r\n{\"latest\": [1, \"ü\"]}";
    let server = Server::answering([answer]).await;
    let found = query(&Host::new(), json!({"url": server.url("/images?x=1")})).await.unwrap();
    let url = server.url("/images?x=1");
    let headers = json!({"content-type": "text/x", "x-two": "a, b"});
    let (body, json) = ("{\"latest\": [1, \"ü\"]}", json!({"latest": [1, "ü"]}));
    let expected = json!({"url": url, "status": 203, "headers": headers, "body": body, "json": json});
    assert_eq!(found, expected);
    assert_eq!(server.heard(), ["GET /images?x=1 HTTP/1.1\n"]);
}

#[tokio::test]
async fn a_request_is_sent_as_it_was_written_and_its_secrets_are_masked_before() {
    let server = Server::answering([OK]).await;
    let host = Host::new();
    let config = json!({
        "url": server.url("/"), "method": "POST", "request_headers": {"Content-Type": "text/x", "X-A": "1"},
        "secret_headers": {"X-Key": "hunter2"}, "basic_auth": {"username": "me", "password": "hunter3"},
        "request_body": "body\n",
    });
    let found = query(&host, config).await.unwrap();
    assert_eq!((&found["body"], found.get("json")), (&json!("hello\n"), None));
    let mut heard: Vec<_> = server.heard()[0].lines().map(str::to_owned).collect();
    heard[1..].sort();
    insta::assert_snapshot!(heard.join("\n"));
    assert_eq!(host.told(), ["mask: a secret"; 3]);
    assert!(!found.to_string().contains("hunter"));
}

#[tokio::test]
async fn a_status_that_nobody_expects_is_a_failure_with_the_servers_words() {
    let server = Server::answering(["HTTP/1.1 404 Not Found\r\n\r\nno such image\n"]).await;
    insta::assert_snapshot!(failure(&server, json!({"url": server.url("/a?token=b")})).await);
    let both = json!({"url": server.url("/"), "expected_status": [200, 404]});
    assert_eq!(query(&Host::new(), both).await.unwrap()["status"], 404);
    let server = Server::answering([OK]).await;
    let other = json!({"url": server.url("/"), "method": "HEAD", "expected_status": [204, 404]});
    insta::assert_snapshot!(failure(&server, other).await);
}

#[tokio::test]
async fn a_body_that_is_too_long_or_no_text_is_a_failure() {
    let server = Server::answering([OK]).await;
    let config = |limit: usize| json!({"url": server.url("/"), "max_body_bytes": limit});
    insta::assert_snapshot!(failure(&server, config(5)).await);
    assert_eq!(query(&Host::new(), config(6)).await.unwrap()["body"], "hello\n");
    let server = Server::answering_bytes(b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe\0").await;
    insta::assert_snapshot!(failure(&server, json!({"url": server.url("/")})).await);
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_failure() {
    let server = Server::answering(["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"]).await;
    insta::assert_snapshot!(failure(&server, json!({"url": server.url("/")})).await);
    let server = Server::answering(["SSH-2.0-OpenSSH\r\n"]).await;
    insta::assert_snapshot!(failure(&server, json!({"url": server.url("/")})).await);
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_a_failure() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let stop = query(&Host::new(), json!({"url": format!("http://{address}/")})).await.unwrap_err();
    insta::assert_snapshot!(told(stop).replace(&address.to_string(), "SERVER"));
}

#[tokio::test]
async fn a_host_without_an_address_is_a_failure() {
    // No resolver asks the network for a label that is longer than labels are.
    let url = format!("http://{}.test/", "x".repeat(64));
    let told = told(query(&Host::new(), json!({"url": url})).await.unwrap_err());
    assert!(told.starts_with(&format!("/url: GET {url}: the host is not found: ")), "{told}");
}

#[tokio::test]
async fn a_server_is_trusted_when_somebody_says_so() {
    let server = Server::secret(OK).await;
    let url = format!("https://localhost:{}/", server.address.port());
    let told = failure(&server, json!({"url": url})).await.replace(&url, "URL");
    insta::assert_snapshot!(told);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ca.pem"), server.certificate.as_ref().unwrap()).unwrap();
    let host = Host::new().working_in(directory.path());
    let found = query(&host, json!({"url": url, "ca_file": "ca.pem"})).await.unwrap();
    assert_eq!(found["body"], "hello\n");
    std::fs::write(directory.path().join("ca.pem"), "nonsense").unwrap();
    let stop = query(&host, json!({"url": url, "ca_file": "ca.pem"})).await.unwrap_err();
    let place = directory.path().display().to_string();
    insta::assert_snapshot!(self::told(stop).replace(&place, "DIRECTORY"));
}

#[tokio::test]
async fn what_may_pass_is_tried_again_as_often_as_it_may() {
    let busy = "HTTP/1.1 503 Busy\r\n\r\n";
    let server = Server::answering([busy, busy, OK]).await;
    let host = Host::new();
    let config = |retries: u32| json!({"url": server.url("/"), "retries": retries, "retry_delay_seconds": 0});
    assert_eq!(query(&host, config(2)).await.unwrap()["status"], 200);
    assert_eq!(server.heard().len(), 3);
    insta::assert_snapshot!(host.told().join("\n").replace(&server.address.to_string(), "SERVER"));
    let server = Server::answering([busy, busy, OK]).await;
    let config = json!({"url": server.url("/"), "retries": 1, "retry_delay_seconds": 0});
    assert!(failure(&server, config).await.contains("503"));
    let server = Server::answering(["HTTP/1.1 403 Forbidden\r\n\r\n"]).await;
    drop(failure(&server, json!({"url": server.url("/"), "retries": 9})).await);
    assert_eq!(server.heard().len(), 1, "a refusal does not pass");
}

#[tokio::test]
async fn redirects_are_followed_and_take_no_secret_to_another_server() {
    let other = Server::answering([OK]).await;
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\n\r\n", other.url("/there"));
    let server =
        Server::answering(["HTTP/1.1 301 Moved\r\nLocation: /here\r\n\r\n", redirect.as_str()]).await;
    let secrets = json!({"X-Key": "hunter2"});
    let headers = json!({"X-A": "1", "Cookie": "hunter3"});
    let config = json!({
        "url": server.url("/"), "bearer_token": "hunter4", "secret_headers": secrets, "request_headers": headers,
    });
    let found = query(&Host::new(), config).await.unwrap();
    assert_eq!(found["url"], other.url("/there"));
    let [first, second] = &server.heard()[..] else { panic!("{:?}", server.heard()) };
    assert!(first.contains("hunter2") && first.contains("hunter3") && first.contains("Bearer hunter4"));
    assert_eq!(second.replace("/here", "/"), *first, "the same server gets the same");
    assert_eq!(other.heard(), ["GET /there HTTP/1.1\nx-a: 1\n"]);
}

#[tokio::test]
async fn redirects_end_somewhere() {
    let circle = Server::answering(["HTTP/1.1 307 Again\r\nLocation: /\r\n\r\n"]).await;
    insta::assert_snapshot!(failure(&circle, json!({"url": circle.url("/"), "max_redirects": 2})).await);
    assert_eq!(circle.heard().len(), 3);
    for config in [
        json!({"url": circle.url("/"), "max_redirects": 0, "expected_status": [307]}),
        json!({"url": circle.url("/"), "expected_status": [307]}),
    ] {
        assert_eq!(query(&Host::new(), config).await.unwrap()["headers"]["location"], "/");
    }
}

#[tokio::test]
async fn a_silent_server_meets_the_deadline() {
    let mut server = Server::answering([""]).await;
    insta::assert_snapshot!(failure(&server, json!({"url": server.url("/"), "timeout_seconds": 1})).await);
    assert_eq!((server.event().await, server.event().await), (Event::Asked, Event::Left));
}

#[tokio::test]
async fn a_cancelled_request_ends_at_once() {
    let mut server = Server::answering([""]).await;
    let host = Host::new();
    let url = server.url("/");
    let asking = tokio::spawn({
        let host = host.clone();
        async move { query(&host, json!({"url": url, "timeout_seconds": 3600, "retries": 9})).await }
    });
    assert_eq!(server.event().await, Event::Asked);
    host.cancel();
    assert_eq!(asking.await.unwrap().unwrap_err(), Stop::Cancelled);
    assert_eq!(server.event().await, Event::Left);
    assert_eq!(server.heard().len(), 1);
}
