//! `Cancellation`: what the lender of work uses to stop it, and the worker waits on.
use std::rc::Rc;

use capnp_rpc::new_client;
use packwire_schema::work_capnp::cancellation as schema;
use tokio_util::sync::CancellationToken;

use crate::{
    broken::Trouble,
    link::LinkState,
    place::{Place, Seed, offered, revoked, send},
    room::spawn_here,
};

offered! {
    /// A cancellation that we lend.
    ///
    /// When its token is cancelled, the worker's `wait` is answered. When the work has answered first, `wait`
    /// fails and is never answered (`cancel.revoked-is-not-cancel`).
    OfferedCancellation: schema::Client
}

impl From<CancellationToken> for OfferedCancellation {
    fn from(token: CancellationToken) -> Self {
        Self(Seed::new(move |place| {
            Some(new_client(ServedCancellation { token: token.clone(), place: place.clone() }))
        }))
    }
}

struct ServedCancellation {
    token: CancellationToken,
    place: Place,
}

impl schema::Server for ServedCancellation {
    async fn wait(self: Rc<Self>, _: schema::WaitParams, _: schema::WaitResults) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        tokio::select! {
            biased;
            () = self.place.revoked.cancelled() => Err(revoked()),
            () = self.token.cancelled() => Ok(()),
        }
    }
}

/// A cancellation that the caller of our work lent to it.
///
/// It is cancelled when the lender says so, and when the plugin has to leave or the link is gone: then nobody waits
/// for the work any more.
/// A lender's refusal to answer once the work is over is neither.
#[derive(Clone, Debug)]
pub struct RemoteCancellation {
    token: CancellationToken,
}

impl RemoteCancellation {
    /// A cancellation without a lender: for tests, and for work that we start ourselves.
    pub fn local(token: CancellationToken) -> Self {
        Self { token }
    }

    /// Begins to wait at once, so that the answer is never missed.
    pub(crate) fn adopt(link: &Rc<LinkState>, client: Option<schema::Client>) -> Self {
        let token = link.stopping.child_token();
        if let Some(client) = client {
            spawn_here(wait(client, token.clone()));
        }
        Self { token }
    }

    /// Resolves when the work is to stop: undo what is half done and answer `cancelled`.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// Whether the work is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// The same as a token, to hand on within the process.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// The same to lend on with a part of the work.
    pub fn offer(&self) -> OfferedCancellation {
        OfferedCancellation::from(self.token.clone())
    }
}

async fn wait(client: schema::Client, token: CancellationToken) {
    let waited = async { Ok::<_, Trouble>(send(client.wait_request())?.await?) };
    match waited.await {
        Ok(_) => token.cancel(),
        Err(Trouble::Raised(error)) if error.kind == capnp::ErrorKind::Disconnected => token.cancel(),
        Err(_) => {}
    }
}
