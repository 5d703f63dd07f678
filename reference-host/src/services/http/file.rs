//! One request → the file it asks for, or a status.

use std::io;
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt as _, Either, Empty, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, HeaderValue, RANGE};
use hyper::{Method, Request, Response, StatusCode};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, Take};
use tokio_util::io::ReaderStream;

type Body = Either<Empty<Bytes>, http_body_util::combinators::UnsyncBoxBody<Bytes, io::Error>>;

/// What to send.
pub(super) async fn answer<B>(root: &Path, request: &Request<B>) -> Response<Body> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = status(StatusCode::METHOD_NOT_ALLOWED);
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let Some(path) = path(request.uri().path()) else { return status(StatusCode::NOT_FOUND) };
    let Ok((file, length)) = open(root, &path).await else { return status(StatusCode::NOT_FOUND) };
    let range = request.headers().get(RANGE).and_then(|range| range.to_str().ok());
    let part = match range.map_or(Part::Whole, |range| Part::of(range, length)) {
        Part::Outside => {
            let mut refused = status(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut refused, CONTENT_RANGE, format!("bytes */{length}"));
            return refused;
        }
        part => part,
    };
    send(file, length, part, request.method() == Method::HEAD).await
}

async fn send(mut file: File, length: u64, part: Part, head: bool) -> Response<Body> {
    let (first, end, code) = match part {
        Part::Range { first, end } => (first, end, StatusCode::PARTIAL_CONTENT),
        Part::Whole | Part::Outside => (0, length, StatusCode::OK),
    };
    if file.seek(io::SeekFrom::Start(first)).await.is_err() {
        return status(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let body = if head { Either::Left(Empty::new()) } else { Either::Right(stream(file.take(end - first))) };
    let mut sent = Response::new(body);
    *sent.status_mut() = code;
    set(&mut sent, CONTENT_LENGTH, (end - first).to_string());
    set(&mut sent, ACCEPT_RANGES, "bytes".to_owned());
    if code == StatusCode::PARTIAL_CONTENT {
        set(&mut sent, CONTENT_RANGE, format!("bytes {first}-{}/{length}", end.saturating_sub(1)));
    }
    sent
}

fn stream(file: Take<File>) -> http_body_util::combinators::UnsyncBoxBody<Bytes, io::Error> {
    use futures::StreamExt as _;
    StreamBody::new(ReaderStream::with_capacity(file, 64 * 1024).map(|read| read.map(Frame::data)))
        .boxed_unsync()
}

fn status(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Either::Left(Empty::new()));
    *response.status_mut() = code;
    response
}

fn set(response: &mut Response<Body>, name: hyper::header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(name, value);
    }
}

/// The relative path that a URL's path means; `None` for one that no honest client sends.
fn path(url: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in url.strip_prefix('/')?.split('/') {
        let part = decoded(part)?;
        if part == ".." || part.contains(['/', '\0']) {
            return None;
        }
        if !part.is_empty() && part != "." {
            path.push(part);
        }
    }
    Some(path)
}

/// `%41` is `A`; what is half an escape, or no UTF-8, is nothing.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// The file below `root`, whatever links lead to it, and how long it is.
async fn open(root: &Path, path: &Path) -> io::Result<(File, u64)> {
    let real = tokio::fs::canonicalize(root.join(path)).await?;
    // Before it is opened: a pipe would wait for its writer.
    if !real.starts_with(root) || !tokio::fs::metadata(&real).await?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let file = File::open(real).await?;
    let length = file.metadata().await?.len();
    Ok((file, length))
}

/// Which bytes are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// From `first` up to `end`, which is not in it.
    Range {
        first: u64,
        end: u64,
    },
    Outside,
}

impl Part {
    /// What a `Range` header asks for. Several ranges, and what is no range, mean the whole, as RFC 9110 allows.
    fn of(header: &str, length: u64) -> Self {
        let Some((first, last)) = header.strip_prefix("bytes=").and_then(|range| range.split_once('-'))
        else {
            return Self::Whole;
        };
        let number = |text: &str| -> Option<u64> {
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
        };
        match (number(first), number(last)) {
            (Some(first), _) if first >= length => Self::Outside,
            (Some(first), Some(last)) if first <= last => {
                Self::Range { first, end: last.saturating_add(1).min(length) }
            }
            (Some(first), None) if last.is_empty() => Self::Range { first, end: length },
            (None, Some(0)) if first.is_empty() => Self::Outside,
            (None, Some(_)) if first.is_empty() && length == 0 => Self::Outside,
            (None, Some(last)) if first.is_empty() => {
                Self::Range { first: length.saturating_sub(last), end: length }
            }
            _ => Self::Whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_within_the_file_or_refused() {
        let range = |first, end| Part::Range { first, end };
        assert_eq!(Part::of("bytes=0-3", 10), range(0, 4));
        assert_eq!(Part::of("bytes=8-99", 10), range(8, 10));
        assert_eq!(Part::of("bytes=4-", 10), range(4, 10));
        assert_eq!(Part::of("bytes=-3", 10), range(7, 10));
        assert_eq!(Part::of("bytes=-30", 10), range(0, 10));
        for outside in ["bytes=10-", "bytes=10-11", "bytes=-0"] {
            assert_eq!(Part::of(outside, 10), Part::Outside, "{outside}");
        }
        for whole in
            ["bytes=", "bytes=-", "bytes=3-2", "bytes=0-1,3-4", "lines=0-1", "bytes=+1-2", "bytes=a-"]
        {
            assert_eq!(Part::of(whole, 10), Part::Whole, "{whole}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_range_is_within_the_file(header in "bytes=[0-9]{0,20}-[0-9]{0,20}", length in 0_u64..) {
            if let Part::Range { first, end } = Part::of(&header, length) {
                proptest::prop_assert!(first < end && end <= length);
            }
        }

        #[test]
        fn no_path_leads_up(url in "(/|%2e|%2f|\\.|%00|a|%|%c3|\u{e9}){0,12}") {
            if let Some(path) = path(&format!("/{url}")) {
                let plain = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
                proptest::prop_assert!(plain, "{}", path.display());
            }
        }
    }
}
