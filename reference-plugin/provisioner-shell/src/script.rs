//! What is to be run.
use std::path::PathBuf;

use packwire_plugin::Stop;

/// One script.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Script {
    Inline(String),
    File(PathBuf),
}

impl Script {
    /// What the user knows it by.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Inline(_) => "the inline script".to_owned(),
            Self::File(path) => format!("the script {}", path.display()),
        }
    }

    /// What is sent to the machine.
    pub(crate) async fn read(&self, binary: bool) -> Result<Vec<u8>, Stop> {
        let content = match self {
            Self::Inline(text) => text.clone().into_bytes(),
            Self::File(path) => tokio::fs::read(path)
                .await
                .map_err(|error| Stop::failed(format!("{} cannot be read: {error}", path.display())))?,
        };
        Ok(if binary { content } else { with_unix_line_ends(&content) })
    }
}

fn with_unix_line_ends(content: &[u8]) -> Vec<u8> {
    let mut rest = content.iter().copied().peekable();
    let mut kept = Vec::with_capacity(content.len());
    while let Some(byte) = rest.next() {
        if byte != b'\r' || rest.peek() != Some(&b'\n') {
            kept.push(byte);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_line_ends_change() {
        assert_eq!(with_unix_line_ends(b"a\r\nb\rc\r\r\n\r"), b"a\nb\rc\r\n\r");
    }
}
