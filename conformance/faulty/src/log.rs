//! The plugin's log: stderr, one line at a time. A host that has gone never makes it fail.
use std::io::{self, Write};

use crate::{fault::Fault, manner::Manner};

/// Writes one line, with its level.
pub(crate) fn line(manner: Manner, text: &str) {
    match manner.fault() {
        Some(Fault::AnsiOnPipe) => write(format!("\x1b[36m[INFO]\x1b[0m {text}\n").as_bytes()),
        Some(Fault::Latin1Log) => write(&[b"[INFO] d\xe9marr\xe9: ", text.as_bytes(), b"\n"].concat()),
        _ => write(format!("[INFO] {text}\n").as_bytes()),
    }
}

/// Writes one line as it is: what has a grammar of its own.
pub(crate) fn bare(text: &str) {
    write(format!("{text}\n").as_bytes());
}

fn write(bytes: &[u8]) {
    match io::stderr().write_all(bytes) {
        Ok(()) | Err(_) => {}
    }
}
