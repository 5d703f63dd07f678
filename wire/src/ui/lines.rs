//! The lines that wait for the host: sent in order, one call under way at a time, neighbours of a kind joined.
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use packwire_schema::ui_capnp::ui as schema;
use tokio::sync::Notify;

use crate::{
    broken::{Broken, Trouble},
    limits,
    place::send,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Say,
    Message,
    Error,
}

/// The lines that wait for the one call under way.
#[derive(Debug, Default)]
pub(super) struct Lines {
    state: Mutex<LinesState>,
    moved: Notify,
}

#[derive(Debug, Default)]
pub(super) struct LinesState {
    waiting: VecDeque<(Kind, String)>,
    pub(super) bytes: usize,
    pub(super) sending: bool,
    broken: Option<Broken>,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, LinesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn wait_until(&self, ready: impl Fn(&LinesState) -> bool) -> Result<(), Broken> {
        loop {
            let mut moved = std::pin::pin!(self.moved.notified());
            let _registered = moved.as_mut().enable();
            {
                let state = self.lock();
                if let Some(broken) = &state.broken {
                    return Err(broken.clone());
                }
                if ready(&state) {
                    return Ok(());
                }
            }
            moved.await;
        }
    }

    /// Queues a line; whether the sending has to be begun.
    pub(super) fn push(&self, kind: Kind, text: String) -> bool {
        let mut state = self.lock();
        state.bytes += text.len();
        state.waiting.push_back((kind, text));
        !std::mem::replace(&mut state.sending, true)
    }

    /// What goes out next: the first line with those of its kind behind it. `None` ends the sending.
    fn join(&self) -> Option<(Kind, String)> {
        let mut state = self.lock();
        let Some((kind, mut text)) = state.waiting.pop_front() else {
            state.sending = false;
            drop(state);
            self.moved.notify_waiters();
            return None;
        };
        state.bytes -= text.len();
        while let Some((next, more)) = state.waiting.front() {
            if *next != kind || text.len() + more.len() > limits::UI_JOIN_BYTES {
                break;
            }
            text.push('\n');
            text.push_str(more);
            state.bytes -= more.len();
            drop(state.waiting.pop_front());
        }
        Some((kind, text))
    }

    pub(super) fn settle(&self, sent: Result<(), Trouble>) {
        if let Err(trouble) = sent {
            let mut state = self.lock();
            state.broken = Some(trouble.during("Ui.say"));
            state.sending = false;
            state.waiting.clear();
        }
        self.moved.notify_waiters();
    }
}

pub(super) async fn send_lines(client: schema::Client, lines: Arc<Lines>) {
    while let Some((kind, text)) = lines.join() {
        let sent = send_line(&client, kind, &text).await;
        let failed = sent.is_err();
        lines.settle(sent);
        if failed {
            return;
        }
    }
}

async fn send_line(client: &schema::Client, kind: Kind, text: &str) -> Result<(), Trouble> {
    match kind {
        Kind::Say => {
            let mut request = client.say_request();
            request.get().set_text(text);
            drop(send(request)?.await?);
        }
        Kind::Message => {
            let mut request = client.message_request();
            request.get().set_text(text);
            drop(send(request)?.await?);
        }
        Kind::Error => {
            let mut request = client.error_request();
            request.get().set_text(text);
            drop(send(request)?.await?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(lines: &[(Kind, &str)]) -> Vec<(Kind, String)> {
        let queue = Lines::default();
        for (kind, text) in lines {
            let _begun = queue.push(*kind, (*text).to_owned());
        }
        std::iter::from_fn(|| queue.join()).collect()
    }

    #[test]
    fn neighbours_of_one_kind_are_joined_in_order() {
        use Kind::{Error, Say};
        let lines = joined(&[(Say, "a"), (Say, "b"), (Error, "c"), (Say, "d")]);
        assert_eq!(lines, [(Say, "a\nb".to_owned()), (Error, "c".to_owned()), (Say, "d".to_owned())]);
    }

    #[test]
    fn joined_lines_stay_below_their_bound() {
        let long = "x".repeat(limits::UI_JOIN_BYTES - 1);
        assert_eq!(joined(&[(Kind::Say, &long), (Kind::Say, "yy")]).len(), 2);
    }
}
