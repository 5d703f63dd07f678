//! The plugin behind a connection that a test cuts: as `packer-plugin-stage unplugged CUT` it starts itself, carries
//! what host and plugin say to each other, and hangs up on both when the pipe CUT was read to its end. What the host
//! has said is in CUT.heard.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::net::Shutdown;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const ADDRESS: &str = "PACKER_PLUGIN_ADDRESS";

/// Its exit status, which is the plugin's; `None` if it was not asked for.
pub(crate) fn main() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let is_asked_for = arguments.next().is_some_and(|first| first == "unplugged");
    let cut = PathBuf::from(arguments.next()?);
    is_asked_for.then(|| run(&cut).unwrap_or(ExitCode::FAILURE))
}

#[expect(clippy::disallowed_methods, reason = "it is this very program, which is waited for")]
fn run(cut: &Path) -> io::Result<ExitCode> {
    let address = std::env::var_os(ADDRESS).unwrap_or_default();
    let path = address.as_bytes().strip_prefix(b"unix:").unwrap_or_default();
    let host = UnixStream::connect(Path::new(std::ffi::OsStr::from_bytes(path)))?;
    let own = cut.with_extension(std::process::id().to_string());
    let listener = UnixListener::bind(&own)?;
    let mut child =
        Command::new(std::env::current_exe()?).env(ADDRESS, format!("unix:{}", own.display())).spawn()?;
    let plugin = listener.accept()?.0;
    std::fs::remove_file(&own)?;
    let heard = File::create(cut.with_extension("heard"))?;
    carry(&host, &plugin, heard)?;
    carry(&plugin, &host, io::sink())?;
    cut_when_told(cut.to_owned(), [host, plugin]);
    let status = child.wait()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Each end is handed on; what is said is noted before.
fn carry(from: &UnixStream, to: &UnixStream, mut heard: impl Write + Send + 'static) -> io::Result<()> {
    let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
    drop(std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if heard.write_all(&bytes[..count]).and_then(|()| to.write_all(&bytes[..count])).is_err() {
                break;
            }
        }
        to.shutdown(Shutdown::Write)
    }));
    Ok(())
}

fn cut_when_told(cut: PathBuf, ends: [UnixStream; 2]) {
    drop(std::thread::spawn(move || {
        drop(std::fs::read(cut));
        ends.map(|end| end.shutdown(Shutdown::Both))
    }));
}
