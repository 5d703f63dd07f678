//! What commands print, line by line, wherever it comes from.
use crate::Ui;

/// Bytes of one line; a longer one is told in parts.
const LINE_BYTES: usize = 64 << 10;

/// A line that a command printed, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// To its standard output.
    Stdout(String),
    /// To its standard error.
    Stderr(String),
}

/// Shows a line of output: standard output as a detail, standard error as an error.
pub(crate) async fn show(ui: &Ui, line: Line) {
    // A Ui that fails fails the run's other calls as well; the command is not to blame.
    drop(match line {
        Line::Stdout(text) => ui.message(shown(&text)).await,
        Line::Stderr(text) => ui.error(shown(&text)).await,
    });
}

/// Where output comes from.
pub(crate) trait Chunks {
    type Chunk: AsRef<[u8]>;

    /// Some bytes; `None` after the last. May be dropped and asked again.
    fn chunk(&mut self) -> impl Future<Output = Option<Self::Chunk>> + Send;

    /// All of it came.
    fn ended(self);
}

/// Tells the lines of both streams until both have ended.
pub(crate) async fn listen<T, F>(stdout: impl Chunks, stderr: impl Chunks, mut tell: T)
where
    T: FnMut(Line) -> F,
    F: Future<Output = ()>,
{
    let (mut stdout, mut stderr) = (Lines::of(stdout), Lines::of(stderr));
    loop {
        let line = tokio::select! {
            Some(line) = stdout.next() => Line::Stdout(line),
            Some(line) = stderr.next() => Line::Stderr(line),
            else => return,
        };
        tell(line).await;
    }
}

/// The lines of one stream.
struct Lines<S> {
    /// `None` once it has ended.
    stream: Option<S>,
    pending: Vec<u8>,
}

impl<S: Chunks> Lines<S> {
    fn of(stream: S) -> Self {
        Self { stream: Some(stream), pending: Vec::new() }
    }

    /// The next line; `None` after the last. May be dropped and asked again.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.take_line() {
                return Some(line);
            }
            match self.stream.as_mut()?.chunk().await {
                Some(bytes) => self.pending.extend_from_slice(bytes.as_ref()),
                None => {
                    if let Some(stream) = self.stream.take() {
                        stream.ended();
                    }
                }
            }
        }
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.pending.iter().position(|&byte| byte == b'\n');
        let (length, skipped) = match end {
            Some(end) => (end.min(LINE_BYTES), usize::from(end <= LINE_BYTES)),
            None if self.pending.len() > LINE_BYTES => (LINE_BYTES, 0),
            // The last line may have no end.
            None if self.stream.is_none() && !self.pending.is_empty() => (self.pending.len(), 0),
            None => return None,
        };
        let rest = self.pending.split_off(length + skipped);
        let line = std::mem::replace(&mut self.pending, rest);
        Some(String::from_utf8_lossy(&line[..length]).into_owned())
    }
}

/// A line as a terminal would have left it: what a carriage return overwrote is gone, and so is trailing space.
fn shown(line: &str) -> String {
    let line = line.trim_end();
    line.rsplit_once('\r').map_or(line, |(_, last)| last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Chunks for Nothing {
        type Chunk = [u8; 0];

        async fn chunk(&mut self) -> Option<[u8; 0]> {
            None
        }

        fn ended(self) {}
    }

    fn lines(pending: impl Into<Vec<u8>>) -> Vec<String> {
        let mut lines = Lines::<Nothing> { stream: None, pending: pending.into() };
        std::iter::from_fn(|| lines.take_line()).collect()
    }

    #[test]
    fn lines_end_where_they_end_and_the_last_one_needs_no_end() {
        assert_eq!(lines("a\n\nb"), ["a", "", "b"]);
        assert_eq!(lines(b"\xff\n"), ["\u{fffd}"]);
        assert!(lines("").is_empty());
    }

    #[test]
    fn an_endless_line_is_told_in_parts() {
        let long = vec![b'x'; 2 * LINE_BYTES + 1];
        let told: Vec<_> = lines(long).iter().map(String::len).collect();
        assert_eq!(told, [LINE_BYTES, LINE_BYTES, 1]);
    }

    #[test]
    fn what_was_overwritten_is_not_shown() {
        assert_eq!(shown("10%\r20%\r  30% \r\n"), "  30%");
    }
}
