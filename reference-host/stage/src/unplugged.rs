//! The plugin behind a connection that a test cuts: as `packer-plugin-stage unplugged CUT` it starts itself, carries
//! what host and plugin say to each other, and hangs up on both when the pipe CUT was read to its end. What the host
//! has said is in CUT.heard. As `packer-plugin-stage unplugged CUT SAID HEARD` it has the host hear the word HEARD where
//! the plugin said SAID, which is as long.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const ADDRESS: &str = "PACKER_PLUGIN_ADDRESS";

/// Its exit status, which is the plugin's; `None` if it was not asked for.
pub(crate) fn main() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let is_asked_for = arguments.next().is_some_and(|first| first == "unplugged");
    let cut = PathBuf::from(arguments.next()?);
    let words = arguments.next().zip(arguments.next());
    let words = words.map(|(said, heard)| [said, heard].map(OsString::into_vec));
    is_asked_for.then(|| run(&cut, words).unwrap_or(ExitCode::FAILURE))
}

#[expect(clippy::disallowed_methods, reason = "it is this very program, which is waited for")]
fn run(cut: &Path, words: Option<[Vec<u8>; 2]>) -> io::Result<ExitCode> {
    let address = std::env::var_os(ADDRESS).unwrap_or_default();
    let path = address.as_bytes().strip_prefix(b"unix:").unwrap_or_default();
    let host = UnixStream::connect(Path::new(std::ffi::OsStr::from_bytes(path)))?;
    let own = cut.with_extension(std::process::id().to_string());
    let listener = UnixListener::bind(&own)?;
    let mut child =
        Command::new(std::env::current_exe()?).env(ADDRESS, format!("unix:{}", own.display())).spawn()?;
    let plugin = listener.accept()?.0;
    std::fs::remove_file(&own)?;
    let mut heard = File::create(cut.with_extension("heard"))?;
    carry(&host, &plugin, move |said| heard.write_all(said))?;
    carry(&plugin, &host, move |said| {
        words.iter().for_each(|words| mishear(said, words));
        Ok(())
    })?;
    cut_when_told(cut.to_owned(), [host, plugin]);
    let status = child.wait()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Each end is handed on; what is said is heard before.
fn carry(
    from: &UnixStream,
    to: &UnixStream,
    mut hear: impl FnMut(&mut [u8]) -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
    drop(std::thread::spawn(move || {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let said = &mut bytes[..count];
            if hear(said).and_then(|()| to.write_all(said)).is_err() {
                break;
            }
        }
        to.shutdown(Shutdown::Write)
    }));
    Ok(())
}

/// Puts one word in the place of another.
fn mishear(said: &mut [u8], [word, other]: &[Vec<u8>; 2]) {
    for at in 0..said.len() {
        if said[at..].starts_with(word) {
            said[at..at + word.len()].copy_from_slice(other);
        }
    }
}

fn cut_when_told(cut: PathBuf, ends: [UnixStream; 2]) {
    drop(std::thread::spawn(move || {
        drop(std::fs::read(cut));
        ends.map(|end| end.shutdown(Shutdown::Both))
    }));
}
