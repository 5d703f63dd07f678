//! Output of remote commands, which comes in chunks of bytes, as lines of a build.

use super::build::BuildUi;

/// A longer line is cut here, after secrets were looked for.
const LONGEST: usize = 64 << 10;

/// Which of the command's two outputs this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Stdout,
    Stderr,
}

/// Joins chunks to lines and prints each as soon as it is whole. [`RemoteOutput::end`] prints the last one.
#[derive(Debug)]
pub struct RemoteOutput {
    ui: BuildUi,
    output: Output,
    line: Vec<u8>,
    cut: bool,
}

impl RemoteOutput {
    /// Standard output: details.
    #[must_use]
    pub fn stdout(ui: BuildUi) -> Self {
        Self { ui, output: Output::Stdout, line: Vec::new(), cut: false }
    }

    /// Standard error: errors, as Packer shows it.
    #[must_use]
    pub fn stderr(ui: BuildUi) -> Self {
        Self { ui, output: Output::Stderr, line: Vec::new(), cut: false }
    }

    /// Takes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        if let Some(first) = pieces.next() {
            self.extend(first);
        }
        for piece in pieces {
            self.print();
            self.extend(piece);
        }
    }

    /// Prints what came without a line end.
    pub fn end(mut self) {
        if !self.line.is_empty() {
            self.print();
        }
    }

    /// Keeps enough beyond the cut to know a secret that lies across it.
    fn extend(&mut self, bytes: &[u8]) {
        let room = (LONGEST + self.ui.terminal().secrets().longest()).saturating_sub(self.line.len());
        self.cut |= bytes.len() > room;
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn print(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        let overwritten = text.rfind('\r').map_or(0, |last| last + 1);
        let mut text = self.ui.terminal().secrets().masked(&text[overwritten..]);
        if std::mem::take(&mut self.cut) || text.len() > LONGEST {
            text.truncate(text.floor_char_boundary(LONGEST));
            text.push_str(" … (cut)");
        }
        match self.output {
            Output::Stdout => self.ui.message(&text),
            Output::Stderr => self.ui.error(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::tests::terminal;
    use super::*;

    fn shown(chunks: &[&[u8]], secret: Option<&str>) -> String {
        let (terminal, recorder) = terminal(false);
        secret.into_iter().for_each(|secret| terminal.secrets().add(secret).unwrap());
        let mut output = RemoteOutput::stdout(BuildUi::new(terminal, "b", 0));
        chunks.iter().for_each(|chunk| output.write(chunk));
        output.end();
        recorder.text()
    }

    #[test]
    fn lines_are_joined_across_chunks() {
        assert_eq!(
            shown(&[b"  one\nt", b"w", b"o\n\nlast"], None),
            "    b:   one\n    b: two\n    b:\n    b: last\n"
        );
        assert_eq!(shown(&[b"a\xc3", b"\xa9\n\xff\n"], None), "    b: aé\n    b: \u{fffd}\n");
        assert_eq!(shown(&[], None), "");
    }

    #[test]
    fn only_the_last_state_of_an_overwritten_line_is_shown() {
        assert_eq!(shown(&[b"10%\r50%\r100%\r\nnext\r\n"], None), "    b: 100%\n    b: next\n");
    }

    #[test]
    fn a_secret_across_chunks_and_across_the_cut_is_masked() {
        assert_eq!(shown(&[b"hunt", b"er22\n"], Some("hunter22")), "    b: <sensitive>\n");
        let mut long = vec![b'x'; LONGEST - 4];
        long.extend(b"hunter22");
        long.extend(vec![b'y'; 3 * LONGEST]);
        let text = shown(&[&long], Some("hunter22"));
        assert!(text.ends_with("xx<sen … (cut)\n"), "{}", &text[text.len() - 40..]);
    }

    #[test]
    fn stderr_is_shown_as_errors() {
        let (terminal, recorder) = terminal(false);
        let mut output = RemoteOutput::stderr(BuildUi::new(terminal, "b", 0));
        output.write(b"oops\n");
        output.end();
        assert_eq!(recorder.text(), "==> b: oops\n");
    }
}
