use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// A directory to serve, and something beside it that nobody may see.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("served/deep er")).unwrap();
    fs::write(folder.path().join("served/deep er/file"), "0123456789").unwrap();
    fs::write(folder.path().join("served/empty"), "").unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    symlink("deep er/file", folder.path().join("served/inside")).unwrap();
    symlink("../secret", folder.path().join("served/outside")).unwrap();
    symlink("..", folder.path().join("served/up")).unwrap();
    folder
}

async fn start(folder: &TempDir) -> Server {
    Server::start(&folder.path().join("served"), "127.0.0.1").await.unwrap()
}

/// Status and body.
async fn ask(server: &Server, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    let request = format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

// host.serve-read-only
#[tokio::test]
async fn files_are_read_and_nothing_else() {
    let folder = folder();
    let server = start(&folder).await;
    let (head, body) = ask(&server, "GET /deep%20er/file HTTP/1.1").await;
    assert!(head.starts_with("http/1.1 200") && head.contains("content-length: 10"), "{head}");
    assert_eq!(body, "0123456789");
    assert_eq!(ask(&server, "GET /inside HTTP/1.1").await.1, "0123456789");
    let (head, body) = ask(&server, "HEAD /inside HTTP/1.1").await;
    assert!(head.contains("content-length: 10") && body.is_empty(), "{head}");
    assert!(ask(&server, "GET /empty HTTP/1.1").await.0.starts_with("http/1.1 200"));
    let (head, _) = ask(&server, "PUT /new HTTP/1.1").await;
    assert!(head.starts_with("http/1.1 405") && head.contains("allow: get, head"), "{head}");
    for nothing in ["/", "/deep%20er", "/deep%20er/", "/none"] {
        let (head, _) = ask(&server, &format!("GET {nothing} HTTP/1.1")).await;
        assert!(head.starts_with("http/1.1 404"), "{nothing}: {head}");
    }
    server.end().await;
}

// host.serve-read-only
#[tokio::test]
async fn no_way_leads_out_of_the_directory() {
    let folder = folder();
    let server = start(&folder).await;
    let ways = [
        "/../secret",
        "/%2e%2e/secret",
        "/%2E./secret",
        "/deep%20er/../../secret",
        "/..%2fsecret",
        "/%2e%2e%2fsecret",
        "//etc/hostname",
        "/%2fetc/hostname",
        "/outside",
        "/up/secret",
        "/a%00b",
    ];
    for way in ways {
        let (head, body) = ask(&server, &format!("GET {way} HTTP/1.1")).await;
        assert!(head.starts_with("http/1.1 40") && body.is_empty(), "{way}: {head}\n{body}");
    }
    server.end().await;
}

#[tokio::test]
async fn parts_of_files_are_sent() {
    let folder = folder();
    let server = start(&folder).await;
    let (head, body) = ask(&server, "GET /inside HTTP/1.1\r\nRange: bytes=2-4").await;
    assert!(head.starts_with("http/1.1 206") && head.contains("content-range: bytes 2-4/10"), "{head}");
    assert_eq!(body, "234");
    let (head, _) = ask(&server, "GET /inside HTTP/1.1\r\nRange: bytes=10-").await;
    assert!(head.starts_with("http/1.1 416") && head.contains("content-range: bytes */10"), "{head}");
    server.end().await;
}

#[tokio::test]
async fn nobody_is_served_after_the_end() {
    let folder = folder();
    let server = start(&folder).await;
    let port = server.port();
    let mut open = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    server.end().await;
    drop(open.write_all(b"GET /inside HTTP/1.1\r\nHost: x\r\n\r\n").await);
    let mut answer = Vec::new();
    drop(open.read_to_end(&mut answer).await);
    assert!(answer.is_empty());
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_with_a_reason() {
    let folder = folder();
    let served = folder.path().join("served");
    for (directory, bind, why) in [
        (served.clone(), "localhost", "`localhost` is no IP address"),
        (PathBuf::from("served"), "127.0.0.1", "served is not absolute"),
        (folder.path().join("none"), "127.0.0.1", "cannot be served"),
        (folder.path().join("secret"), "127.0.0.1", "cannot be served"),
        (served, "192.0.2.1", "nothing can be served on 192.0.2.1"),
    ] {
        let refused = Server::start(&directory, bind).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}
