//! What a fault makes of the host's bytes, before the RPC library sees them.
use std::{
    io,
    time::{Duration, Instant},
};

use capnp::message::ReaderOptions;
use capnp_rpc::rpc_capnp::{call, message, message_target};
use rustix::process::{Signal, getpid, kill_process};

use crate::fault::Fault;

/// What the RPC library refuses.
const MOST_SEGMENTS: u64 = 512;
const MOST_BYTES: u64 = 64 << 20;
/// It has never sent as many capabilities as this.
const MOST_EXPORTS: u32 = 1000;

/// Reads the messages of the host beside the RPC library.
pub(crate) struct Below {
    fault: Option<Fault>,
    waiting: Vec<u8>,
    since: Option<Instant>,
}

impl Below {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        let below = [
            Fault::SegfaultOnGarbage,
            Fault::AllocatesHeader,
            Fault::AbortsOnUnknownMessage,
            Fault::PanicsOnBadId,
            Fault::FrameReadTimeout,
            Fault::BreaksOnResolve,
        ];
        let fault = fault.filter(|fault| below.contains(fault));
        Self { fault, waiting: Vec::new(), since: None }
    }

    /// Looks at bytes that have come.
    ///
    /// # Errors
    /// A fault ends the link here.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(fault) = self.fault else { return Ok(()) };
        if fault == Fault::FrameReadTimeout && self.is_late() {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        self.waiting.extend_from_slice(bytes);
        while let Some(length) = length(&self.waiting) {
            let Ok(length) = length else { return self.garbage(fault) };
            if length > self.waiting.len() {
                break;
            }
            self.since = None;
            let message: Vec<u8> = self.waiting.drain(..length).collect();
            look(&message, fault)?;
        }
        if !self.waiting.is_empty() {
            self.since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    fn is_late(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() > Duration::from_secs(1))
    }

    /// What comes is no message.
    fn garbage(&mut self, fault: Fault) -> io::Result<()> {
        match fault {
            Fault::SegfaultOnGarbage => {
                // Rust's own handler, which looks for stack overflows, takes the first and none after it.
                kill_process(getpid(), Signal::SEGV)?;
                kill_process(getpid(), Signal::SEGV)?;
            }
            Fault::AllocatesHeader => {
                // Most of what was claimed; each page has to be touched to be there.
                let claimed = std::hint::black_box(vec![1_u8; 256 << 20]);
                std::thread::sleep(Duration::from_millis(200));
                drop(claimed);
            }
            _ => {}
        }
        self.waiting.clear();
        Ok(())
    }
}

/// What a fault does with one message.
fn look(message: &[u8], fault: Fault) -> io::Result<()> {
    let Ok(message) = capnp::serialize::read_message(message, ReaderOptions::new()) else { return Ok(()) };
    let kind = message.get_root::<message::Reader<'_>>().map(message::Reader::which);
    match (fault, kind) {
        (Fault::AbortsOnUnknownMessage, Ok(Err(_))) => Err(io::Error::other("an unknown message")),
        (Fault::BreaksOnResolve, Ok(Ok(message::Resolve(_)))) => Err(io::Error::other("a resolve")),
        (Fault::PanicsOnBadId, Ok(Ok(message::Call(Ok(call))))) if is_bad(call) => {
            Ok(kill_process(getpid(), Signal::ABORT)?)
        }
        _ => Ok(()),
    }
}

fn is_bad(call: call::Reader<'_>) -> bool {
    let target = call.get_target().map(message_target::Reader::which);
    matches!(target, Ok(Ok(message_target::ImportedCap(id))) if id > MOST_EXPORTS)
}

/// The length of the message that begins these bytes, if enough of it is there to tell; an error, if it is none.
fn length(bytes: &[u8]) -> Option<Result<usize, ()>> {
    let word = |at: usize| {
        let four = bytes.get(at..at + 4)?;
        Some(u64::from(u32::from_le_bytes([four[0], four[1], four[2], four[3]])))
    };
    let segments = word(0)? + 1;
    if segments > MOST_SEGMENTS {
        return Some(Err(()));
    }
    let head = usize::try_from(4 + 4 * segments).ok()?;
    let words = (4..head).step_by(4).map(word).sum::<Option<u64>>()?;
    let total = head.next_multiple_of(8) as u64 + 8 * words;
    Some(
        usize::try_from(total)
            .map_err(drop)
            .and_then(|total| if total as u64 > MOST_BYTES { Err(()) } else { Ok(total) }),
    )
}
