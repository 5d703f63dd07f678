//! The user's end: a Ui that was lent to us.
use std::{rc::Rc, sync::Arc};

use packwire_schema::ui_capnp::{progress, ui as schema};

use crate::{
    broken::{Broken, Trouble},
    limits,
    link::LinkState,
    place::{remote, send},
    read,
    room::{Adopted, Remote, spawn_here},
    ui::{
        Reply,
        lines::{Kind, Lines, send_lines},
    },
};

/// A Ui that was lent to us.
///
/// Lines are sent in order, one call under way at a time; those that wait meanwhile are joined, so that a chatty
/// component costs few calls. A served run waits for all of them before it answers (`stream.outcome-after-output`).
#[derive(Clone, Debug)]
pub struct RemoteUi {
    pub(super) remote: Remote<schema::Client>,
    lines: Arc<Lines>,
}

impl RemoteUi {
    pub(crate) fn adopt(link: &Rc<LinkState>, client: schema::Client) -> Self {
        Self { remote: Remote::adopt(link, client), lines: Arc::default() }
    }

    /// Says a headline. Waits while the host is far behind; an error may be that of an earlier line.
    pub async fn say(&self, text: impl Into<String>) -> Result<(), Broken> {
        self.queue(Kind::Say, text.into()).await
    }

    /// Says a detail; else as [`RemoteUi::say`].
    pub async fn message(&self, text: impl Into<String>) -> Result<(), Broken> {
        self.queue(Kind::Message, text.into()).await
    }

    /// Says what went wrong; else as [`RemoteUi::say`].
    pub async fn error(&self, text: impl Into<String>) -> Result<(), Broken> {
        self.queue(Kind::Error, text.into()).await
    }

    /// Says a line for programs.
    pub async fn machine(&self, category: impl Into<String>, args: Vec<String>) -> Result<(), Broken> {
        self.flush().await?;
        let category = category.into();
        self.remote
            .acknowledged("Ui.machine", None, move |client| {
                let mut request = client.machine_request();
                request.get().set_category(category);
                let mut list = request.get().init_args(crate::value::len(&args));
                for (at, arg) in (0..).zip(&args) {
                    list.set(at, arg);
                }
                send(request)
            })
            .await
    }

    /// Asks the person who builds; `secret` answers are not echoed. May take as long as they think.
    pub async fn ask(&self, query: impl Into<String>, secret: bool) -> Result<Reply, Broken> {
        self.flush().await?;
        let query = query.into();
        self.remote
            .call("Ui.ask", None, move |Adopted { client, .. }| {
                let mut request = client.ask_request();
                request.get().set_query(query);
                request.get().set_secret(secret);
                let sent = send(request);
                async move { Reply::read(sent?.await?.get()?.get_reply()?) }
            })
            .await
    }

    /// Shows something that takes time: `total` bytes, 0 where that is unknown.
    pub async fn progress(&self, label: impl Into<String>, total: u64) -> Result<RemoteProgress, Broken> {
        self.flush().await?;
        let label = label.into();
        self.remote
            .call("Ui.progress", Some(limits::QUICK_WITHIN), move |Adopted { client, link }| {
                let mut request = client.progress_request();
                request.get().set_label(label);
                request.get().set_total(total);
                let sent = send(request);
                async move {
                    let answer = sent?.await?;
                    let answer = answer.get()?;
                    let progress =
                        read::required(answer.has_progress(), || answer.get_progress(), "progress")?;
                    Ok(RemoteProgress(Remote::adopt(&link, progress)))
                }
            })
            .await
    }

    /// Has a text of at least 4 bytes hidden in this run's output.
    pub async fn mask(&self, secret: impl Into<String>) -> Result<(), Broken> {
        self.flush().await?;
        let secret = secret.into();
        self.remote
            .acknowledged("Ui.mask", Some(limits::QUICK_WITHIN), move |client| {
                let mut request = client.mask_request();
                request.get().set_secret(secret);
                send(request)
            })
            .await
    }

    /// Waits until the host has answered every line.
    pub async fn flush(&self) -> Result<(), Broken> {
        self.lines.wait_until(|state| !state.sending).await
    }

    async fn queue(&self, kind: Kind, text: String) -> Result<(), Broken> {
        self.lines.wait_until(|state| state.bytes < limits::UI_WAITING_BYTES).await?;
        if self.lines.push(kind, text) {
            let (remote, lines) = (self.remote.clone(), self.lines.clone());
            self.remote.room().tell(move || match remote.here() {
                Some(adopted) => spawn_here(send_lines(adopted.client, lines)),
                None => lines.settle(Err(Trouble::from(capnp::Error::disconnected(String::new())))),
            });
        }
        Ok(())
    }
}

remote! {
    /// Something that takes time, shown by the host.
    RemoteProgress: progress::Client
}

impl RemoteProgress {
    /// So many bytes are done; never fewer than before.
    pub async fn update(&self, done: u64) -> Result<(), Broken> {
        self.0
            .acknowledged("Progress.update", Some(limits::QUICK_WITHIN), move |client| {
                let mut request = client.update_request();
                request.get().set_done(done);
                send(request)
            })
            .await
    }

    /// It is over.
    pub async fn finish(&self) -> Result<(), Broken> {
        self.0
            .acknowledged("Progress.finish", Some(limits::QUICK_WITHIN), |client| {
                send(client.finish_request())
            })
            .await
    }
}
