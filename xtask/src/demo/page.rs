//! A page on a web server of this machine: the demo needs no network.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long somebody may take to ask.
const ASKED_WITHIN: Duration = Duration::from_secs(5);

/// A page that is served until this is dropped.
#[derive(Debug)]
pub(super) struct Page {
    address: SocketAddr,
    taken_down: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl Page {
    /// Serves `text`, JSON, on a port of the system's choice.
    pub(super) fn put_up(text: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let taken_down = Arc::new(AtomicBool::new(false));
        let down = taken_down.clone();
        let serving = std::thread::spawn(move || {
            for asked in listener.incoming() {
                if down.load(Ordering::Relaxed) {
                    return;
                }
                // Who does not ask properly has no answer; the next one may.
                drop(asked.and_then(|stream| answer(stream, text)));
            }
        });
        Ok(Self { address, taken_down, serving: Some(serving) })
    }

    /// Where it is.
    pub(super) fn url(&self) -> String {
        format!("http://{}/release.json", self.address)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.taken_down.store(true, Ordering::Relaxed);
        // The server looks up when somebody comes.
        let came = TcpStream::connect(self.address).is_ok();
        if let Some(serving) = self.serving.take().filter(|_| came) {
            drop(serving.join());
        }
    }
}

/// Reads one question, whatever it is, and answers it with the page.
fn answer(mut stream: TcpStream, text: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(ASKED_WITHIN))?;
    let mut asked = BufReader::new(stream.try_clone()?).lines();
    while asked.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    )
}
