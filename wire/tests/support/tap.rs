//! Who listens in between a host and its plugin, hands on what they say, and notes what a host must not.
//!
//! Every session of these tests goes through one, which ends the test when its host has called what was not answered
//! yet (`host.never-pipelines`), or has given a call up before its answer (`host.awaits-every-call`).
use std::{
    collections::HashSet,
    io,
    sync::{Arc, Mutex},
};

use capnp::{message::ReaderOptions, serialize};
use capnp_rpc::rpc_capnp::{message, message_target};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, split},
    sync::watch,
};

/// One listener. Dropping it checks what it has heard.
pub(crate) struct Tap {
    heard: Arc<Mutex<Heard>>,
    is_open: watch::Sender<bool>,
}

#[derive(Default)]
struct Heard {
    /// The host's calls that the plugin has not answered, by question.
    open: HashSet<u32>,
    /// How many calls the host has made.
    calls: usize,
    wrong: Vec<String>,
}

impl Tap {
    /// Listens in between the far ends of the host's connection and of the plugin's.
    pub(crate) fn between(host: DuplexStream, plugin: DuplexStream) -> Self {
        let tap = Self { heard: Arc::default(), is_open: watch::Sender::new(true) };
        let (from_host, to_host) = split(host);
        let (from_plugin, to_plugin) = split(plugin);
        let (hosts, plugins) = (tap.heard.clone(), tap.heard.clone());
        drop(tokio::spawn(carry(from_host, to_plugin, tap.is_open.subscribe(), move |said| {
            hosts.lock().unwrap().host_says(said)
        })));
        let always = watch::Sender::new(true);
        drop(tokio::spawn(carry(from_plugin, to_host, always.subscribe(), move |said| {
            plugins.lock().unwrap().plugin_says(said)
        })));
        tap
    }

    /// Hands on nothing more of what the host says, and takes nothing more of it: it can say no more.
    pub(crate) fn hold(&self) {
        self.is_open.send_replace(false);
    }

    /// Goes on.
    pub(crate) fn let_go(&self) {
        self.is_open.send_replace(true);
    }

    /// How many calls the host has made.
    pub(crate) fn calls(&self) -> usize {
        self.heard.lock().unwrap().calls
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.heard.lock().unwrap().wrong, Vec::<String>::new());
        }
    }
}

impl Heard {
    fn host_says(&mut self, said: message::Reader<'_>) -> capnp::Result<()> {
        match said.which()? {
            message::Call(call) => {
                let call = call?;
                self.calls += 1;
                self.open.insert(call.get_question_id());
                if let message_target::PromisedAnswer(_) = call.get_target()?.which()? {
                    let (interface, method) = (call.get_interface_id(), call.get_method_id());
                    self.wrong.push(format!(
                        "method {method} of {interface:#x} was called on what was not answered yet"
                    ));
                }
            }
            message::Finish(finish) => self.host_finishes(finish?.get_question_id()),
            _ => {}
        }
        Ok(())
    }

    fn host_finishes(&mut self, question: u32) {
        if self.open.contains(&question) {
            self.wrong.push("a call was given up before its answer".to_owned());
        }
    }

    fn plugin_says(&mut self, said: message::Reader<'_>) -> capnp::Result<()> {
        if let message::Return(answer) = said.which()? {
            self.open.remove(&answer?.get_answer_id());
        }
        Ok(())
    }
}

/// Hands messages on, each heard before, until either end is gone.
async fn carry(
    mut from: ReadHalf<DuplexStream>,
    mut to: WriteHalf<DuplexStream>,
    mut is_open: watch::Receiver<bool>,
    mut hear: impl FnMut(message::Reader<'_>) -> capnp::Result<()>,
) -> io::Result<()> {
    loop {
        drop(is_open.wait_for(|is_open| *is_open).await);
        let Ok(frame) = frame(&mut from).await else { break };
        let read = serialize::read_message(&frame[..], ReaderOptions::new()).unwrap();
        hear(read.get_root().unwrap()).unwrap();
        to.write_all(&frame).await?;
    }
    to.shutdown().await
}

/// One message with its head: how many segments, less one, and how many words each has.
async fn frame(from: &mut ReadHalf<DuplexStream>) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    from.read_exact(&mut frame).await?;
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap()) as usize;
    let segments = number(&frame) + 1;
    frame.resize((4 + 4 * segments).next_multiple_of(8), 0);
    from.read_exact(&mut frame[4..]).await?;
    let words: usize = frame[4..].chunks(4).take(segments).map(number).sum();
    let head = frame.len();
    frame.resize(head + 8 * words, 0);
    from.read_exact(&mut frame[head..]).await?;
    Ok(frame)
}
