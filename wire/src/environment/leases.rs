//! `Lease`: the right to use something of the host's, and what it is for.
use std::{rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::environment_capnp::lease as schema;

use crate::{
    broken::Broken,
    limits,
    place::{Forward, Place, Seed, offered, remote, send},
};

/// The right to use something of the host's, as the host keeps it.
pub trait Lease: Send + Sync + 'static {
    /// The holder has no more use for it: answers when it may be given to somebody else, or is gone.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// Something that is lent until its lease is closed, the run ends, or both.
#[derive(Debug, Clone)]
pub struct Leased<T> {
    /// The thing.
    pub given: T,
    /// The right to it.
    pub lease: OfferedLease,
}

/// Something that was lent to us until we close its lease, or our run ends.
#[derive(Debug, Clone)]
pub struct Held<T> {
    /// The thing.
    pub given: T,
    /// The right to it.
    pub lease: RemoteLease,
}

impl<T> Held<T> {
    /// Gives it back.
    pub async fn close(&self) -> Result<(), Broken> {
        self.lease.close().await
    }
}

/// A key pair in OpenSSH's formats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The public key, one line.
    pub public_key: String,
    /// The file of the private key (0600), absolute.
    pub private_key_path: String,
}

offered! {
    /// A [`Lease`] of ours.
    OfferedLease: schema::Client
}

remote! {
    /// The right to use something of the host's.
    RemoteLease: schema::Client
}

impl OfferedLease {
    /// Gives `lease`.
    pub fn new(lease: impl Lease) -> Self {
        Self::shared(Arc::new(lease))
    }

    /// Gives a lease that its owner keeps, to end it with the run.
    pub fn shared(lease: Arc<impl Lease>) -> Self {
        Self(Seed::serving(lease, |lease, place| new_client(ServedLease { lease, place })))
    }
}

impl From<RemoteLease> for OfferedLease {
    /// Lends on what was lent to us.
    fn from(lease: RemoteLease) -> Self {
        Self::new(Forward(lease))
    }
}

struct ServedLease<L> {
    lease: Arc<L>,
    place: Place,
}

impl<L: Lease> schema::Server for ServedLease<L> {
    async fn close(
        self: Rc<Self>,
        _: schema::CloseParams,
        _: schema::CloseResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let lease = self.lease.clone();
        self.place.ask_author(async move { lease.close().await }).await
    }
}

impl RemoteLease {
    /// Gives back what it is for; answers when somebody else may have it, or it is gone.
    pub async fn close(&self) -> Result<(), Broken> {
        self.0
            .acknowledged("Lease.close", Some(limits::QUICK_WITHIN), |client| send(client.close_request()))
            .await
    }
}

impl Lease for Forward<RemoteLease> {
    async fn close(&self) {
        // A host that is gone has taken everything back.
        drop(self.0.close().await);
    }
}
