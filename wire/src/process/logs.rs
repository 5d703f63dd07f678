//! What a plugin prints: both its streams are logs, read always, line by line, so that it never blocks on them.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::session::Output;
use super::tail::Tail;

/// A longer line is cut here, in bytes.
const LONGEST_LINE: usize = 64 * 1024;
const CUT: &str = " … (cut after 64 KiB)";
const READ_AT_ONCE: usize = 16 * 1024;

/// One line of a plugin's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Where it was printed.
    pub stream: LogStream,
    /// What the line says of itself by beginning with `[TRACE]` to `[ERROR]`.
    pub level: Option<Level>,
    /// The line as it was printed, level and all, without its end. Untrusted: it may hold control characters.
    pub text: String,
}

/// The stream on which a line was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output: a log as well, though stderr is the place for it.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How important a line calls itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `[TRACE]`
    Trace,
    /// `[DEBUG]`
    Debug,
    /// `[INFO]`
    Info,
    /// `[WARN]`
    Warn,
    /// `[ERROR]`
    Error,
}

/// Who takes the lines.
pub trait LogSink: Send + Sync {
    /// Takes one line. It must not block: until it returns, no other line of that stream is read.
    fn line(&self, line: &LogLine);
}

/// The two readers of a session's output. Dropping it ends them.
#[derive(Debug)]
pub struct Logs {
    readers: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    stdout: Arc<Mutex<Tail>>,
    stderr: Arc<Mutex<Tail>>,
}

impl Logs {
    /// Reads both streams to their ends, on the tokio runtime around it, which needs I/O and time.
    ///
    /// # Errors
    /// The pipes cannot be watched.
    pub fn follow(output: Output, sink: Arc<dyn LogSink>) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (stdout, stderr) = <(Arc<Mutex<Tail>>, Arc<Mutex<Tail>>)>::default();
        let printer = |stream, tail: &Arc<Mutex<Tail>>| Printer {
            stream,
            tail: Arc::clone(tail),
            sink: Arc::clone(&sink),
            lines: Lines::default(),
        };
        let readers = vec![
            reader(output.stdout, printer(LogStream::Stdout, &stdout), stopped.clone())?,
            reader(output.stderr, printer(LogStream::Stderr, &stderr), stopped)?,
        ];
        Ok(Self { readers, stop, stdout, stderr })
    }

    /// Waits until both streams have ended and every line was delivered, for `within` at most: whoever
    /// inherited a stream may hold it for ever. What was read by then is delivered, the rest is not.
    pub async fn finish(&mut self, within: Duration) {
        let ended = tokio::time::timeout(within, wait(&mut self.readers)).await;
        if ended.is_err() {
            self.stop.send_replace(true);
            wait(&mut self.readers).await;
        }
    }

    /// The last lines, at most 20 and 8 KiB: those of stderr, or, if it was silent, those of stdout.
    pub fn last_lines(&self) -> Vec<String> {
        let errors = lines(&self.stderr);
        if errors.is_empty() { lines(&self.stdout) } else { errors }
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.readers.iter().for_each(JoinHandle::abort);
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl LogLine {
    fn read(stream: LogStream, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        Self { stream, level: Level::of(&text), text }
    }
}

impl Level {
    fn of(text: &str) -> Option<Self> {
        let (level, _) = text.strip_prefix('[')?.split_once(']')?;
        match level {
            "TRACE" => Some(Self::Trace),
            "DEBUG" => Some(Self::Debug),
            "INFO" => Some(Self::Info),
            "WARN" => Some(Self::Warn),
            "ERROR" => Some(Self::Error),
            _ => None,
        }
    }
}

/// Waits for the readers in turn; those that have ended are forgotten, so that it can be cancelled.
async fn wait(readers: &mut Vec<JoinHandle<()>>) {
    while let Some(reader) = readers.last_mut() {
        // A reader that panicked has nothing more to say.
        drop(reader.await);
        readers.pop();
    }
}

fn lines(tail: &Mutex<Tail>) -> Vec<String> {
    tail.lock().unwrap_or_else(PoisonError::into_inner).lines()
}

fn reader(pipe: OwnedFd, printer: Printer, stopped: watch::Receiver<bool>) -> io::Result<JoinHandle<()>> {
    let pipe = Receiver::from_owned_fd(pipe)?;
    Ok(tokio::spawn(drain(pipe, printer, stopped)))
}

async fn drain(mut pipe: Receiver, mut printer: Printer, mut stopped: watch::Receiver<bool>) {
    let mut buffer = vec![0; READ_AT_ONCE];
    loop {
        let read = tokio::select! {
            read = pipe.read(&mut buffer) => read,
            _ = stopped.wait_for(|&stop| stop) => break,
        };
        match read {
            Ok(0) | Err(_) => break,
            Ok(count) => printer.print(&buffer[..count]),
        }
    }
    printer.finish();
}

/// Hands the lines of one stream to sink and tail.
struct Printer {
    stream: LogStream,
    tail: Arc<Mutex<Tail>>,
    sink: Arc<dyn LogSink>,
    lines: Lines,
}

impl Printer {
    fn print(&mut self, bytes: &[u8]) {
        let Self { stream, tail, sink, lines } = self;
        lines.push(bytes, |line| deliver(*stream, line, tail, sink.as_ref()));
    }

    fn finish(mut self) {
        let Self { stream, tail, sink, lines } = &mut self;
        lines.finish(|line| deliver(*stream, line, tail, sink.as_ref()));
    }
}

fn deliver(stream: LogStream, line: &[u8], tail: &Mutex<Tail>, sink: &dyn LogSink) {
    let line = LogLine::read(stream, line);
    tail.lock().unwrap_or_else(PoisonError::into_inner).push(&line.text);
    sink.line(&line);
}

/// Cuts bytes into lines, holding at most one line of [`LONGEST_LINE`].
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
    /// The line was too long and is delivered: the rest of it goes.
    skipping: bool,
}

impl Lines {
    fn push(&mut self, mut bytes: &[u8], mut deliver: impl FnMut(&[u8])) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.extend(&bytes[..end], &mut deliver);
            if !self.skipping {
                deliver(self.begun.strip_suffix(b"\r").unwrap_or(&self.begun));
            }
            self.begun.clear();
            self.skipping = false;
            bytes = &bytes[end + 1..];
        }
        self.extend(bytes, &mut deliver);
    }

    fn extend(&mut self, bytes: &[u8], deliver: &mut impl FnMut(&[u8])) {
        if self.skipping {
            return;
        }
        let room = LONGEST_LINE - self.begun.len();
        self.begun.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            self.begun.extend_from_slice(CUT.as_bytes());
            deliver(&self.begun);
            self.begun.clear();
            self.skipping = true;
        }
    }

    /// Delivers a last line that has no end.
    fn finish(&mut self, mut deliver: impl FnMut(&[u8])) {
        if !self.begun.is_empty() {
            deliver(&self.begun);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut lines, mut delivered) = (Lines::default(), Vec::new());
        pieces.iter().for_each(|piece| lines.push(piece, |line| delivered.push(line.to_vec())));
        lines.finish(|line| delivered.push(line.to_vec()));
        delivered
    }

    #[test]
    fn lines_end_at_line_feeds_wherever_the_pieces_end() {
        assert_eq!(cut(&[b"a\nb", b"c\r", b"\n\nlast"]), [b"a".as_slice(), b"bc", b"", b"last"]);
    }

    #[test]
    fn a_line_is_cut_after_64_kib_and_the_next_is_whole() {
        let long = vec![b'x'; LONGEST_LINE];
        assert_eq!(cut(&[&long, b"\nnext\n"]), [long.as_slice(), b"next"]);
        let marked = [long.as_slice(), CUT.as_bytes()].concat();
        assert_eq!(cut(&[&long, b"yyy", b"yyy\nnext\n"]), [marked.as_slice(), b"next"]);
        assert_eq!(cut(&[&long, &long, &long]), [marked]);
    }

    #[test]
    fn a_line_tells_its_level_only_at_its_beginning() {
        let level = |text: &str| LogLine::read(LogStream::Stderr, text.as_bytes()).level;
        assert_eq!(level("[TRACE] x"), Some(Level::Trace));
        assert_eq!(level("[DEBUG] x"), Some(Level::Debug));
        assert_eq!(level("[INFO]x"), Some(Level::Info));
        assert_eq!(level("[WARN] x"), Some(Level::Warn));
        assert_eq!(level("[ERROR]"), Some(Level::Error));
        for plain in ["", "x", " [INFO] x", "[info] x", "[FATAL] x", "[INFO x", "INFO] x"] {
            assert_eq!(level(plain), None, "{plain:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(LogLine::read(LogStream::Stdout, b"a\xffb").text, "a\u{fffd}b");
    }

    proptest! {
        #[test]
        fn short_lines_are_delivered_whole_however_they_arrive(
            lines in proptest::collection::vec("[a-z ]{0,20}", 1..20), at in proptest::collection::vec(1_usize..30, 1..20),
        ) {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let (mut pieces, mut rest) = (Vec::new(), text.as_bytes());
            for size in at.iter().cycle() {
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                pieces.push(piece);
                rest = after;
                if rest.is_empty() { break }
            }
            let expected: Vec<Vec<u8>> = lines.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(cut(&pieces), expected);
        }
    }
}
