//! Where a capability of ours stands: on which link, and for how long it is lent; and how it gets there.
use std::{rc::Rc, sync::Arc};

use capnp::capability::{FromClientHook, Params, Request, Response, Results};
use tokio_util::sync::CancellationToken;

use crate::{
    broken::Trouble,
    limits,
    link::{Entered, LinkState},
    relay,
    room::{Panicked, Remote, Room},
};

/// Where a served object stands.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) link: Rc<LinkState>,
    /// Cancelled when the call that lent the object has answered, or its link has ended.
    pub(crate) revoked: CancellationToken,
}

impl Place {
    /// For what lives until it is closed or the link ends: components, prepared objects, artifacts.
    pub(crate) fn lasting(link: &Rc<LinkState>) -> Self {
        Self { link: link.clone(), revoked: link.ended.clone() }
    }

    /// For what is lent in one call; the loan ends when the guard is dropped.
    pub(crate) fn lent(link: &Rc<LinkState>) -> (Self, Loan) {
        let revoked = link.ended.child_token();
        (Self { link: link.clone(), revoked: revoked.clone() }, Loan(revoked))
    }

    /// Begins a call of the peer; refused once what it calls is revoked.
    pub(crate) fn enter(&self, bytes: usize) -> Result<Entered, capnp::Error> {
        if self.revoked.is_cancelled() {
            return Err(revoked());
        }
        self.link.enter(bytes)
    }

    pub(crate) fn room(&self) -> &Room {
        self.link.room()
    }

    /// Runs author's code for a call that has no place for a diagnostic: a panic is an exception there.
    pub(crate) async fn ask_author<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, capnp::Error> {
        self.room()
            .on_authors(work)
            .await
            .map_err(|Panicked(text)| capnp::Error::failed(format!("the implementation panicked: {text}")))
    }
}

/// What a peer hears that uses a thing after the call that lent it has answered.
pub(crate) fn revoked() -> capnp::Error {
    capnp::Error::failed("revoked: the call that lent this has answered".to_owned())
}

/// The time for which something is lent. Dropping it revokes all that was lent in its place.
pub(crate) struct Loan(CancellationToken);

impl Drop for Loan {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// How a capability of ours comes into being, once its place is known. It may be put there more than once.
pub(crate) struct Seed<C>(Arc<Planting<C>>);

type Planting<C> = dyn Fn(&Place) -> Option<C> + Send + Sync;

impl<C> Clone for Seed<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> Seed<C> {
    pub(crate) fn new(make: impl Fn(&Place) -> Option<C> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// For an owner's implementation, which every place shares.
    pub(crate) fn serving<T: Send + Sync + 'static>(
        owned: Arc<T>,
        serve: impl Fn(Arc<T>, Place) -> C + Send + Sync + 'static,
    ) -> Self {
        Self::new(move |place| Some(serve(owned.clone(), place.clone())))
    }

    /// For what was lent to us, and is lent on: by a plugin as it is, by a host as an object of its own.
    pub(crate) fn passing(remote: &Remote<C>) -> Self
    where
        C: FromClientHook + Clone + 'static,
    {
        let remote = remote.clone();
        Self::new(move |place| {
            let adopted = remote.here()?;
            Some(if place.link.is_a_hosts() { relay::before(adopted, place) } else { adopted.client })
        })
    }

    /// The capability for this place; `None` where it was a peer's and that peer's link is gone.
    pub(crate) fn at(&self, place: &Place) -> Option<C> {
        (self.0)(place)
    }
}

/// Stands between two peers: implements what it holds a peer's handle to, so that the one can be lent to the other and
/// be taken back.
pub(crate) struct Forward<R>(pub(crate) R);

/// Declares the public, plain type of a capability that we offer.
macro_rules! offered {
    ($(#[$doc:meta])* $name:ident: $client:ty) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(pub(crate) $crate::place::Seed<$client>);

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}
pub(crate) use offered;

/// Declares the public, plain handle to a peer's capability.
macro_rules! remote {
    ($(#[$doc:meta])* $name:ident: $client:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(pub(crate) $crate::room::Remote<$client>);
    };
}
pub(crate) use remote;

/// Puts the capabilities that a call lends into its parameters.
macro_rules! lend {
    ($params:ident at $place:expr; $($set:ident: $offered:expr),+ $(,)?) => {$(
        // A peer's that is gone is lent as null.
        if let Some(client) = $offered.0.at($place) {
            $params.$set(client);
        }
    )+};
}
pub(crate) use lend;

/// Sends a request, unless its message would be larger than a peer accepts.
pub(crate) fn send<P, R>(
    mut request: Request<P, R>,
) -> Result<impl Future<Output = Result<Response<R>, capnp::Error>> + 'static, Trouble>
where
    P: capnp::traits::Owned,
    R: capnp::traits::Pipelined + capnp::traits::Owned + Unpin + 'static,
    <R as capnp::traits::Pipelined>::Pipeline: capnp::capability::FromTypelessPipeline,
{
    let bytes = request.hook.get().target_size()?.word_count * 8;
    if bytes > limits::MESSAGE_BYTES {
        return Err(Trouble::TooLarge(bytes));
    }
    // Only the promise is kept: a host never pipelines on a plugin's answer.
    Ok(request.send().promise)
}

/// The last step of a served method: refuses an answer that is larger than a peer accepts.
pub(crate) fn answered<R>(mut results: Results<R>) -> Result<(), capnp::Error> {
    let bytes = results.hook.get()?.target_size()?.word_count * 8;
    if bytes > limits::MESSAGE_BYTES {
        return Err(capnp::Error::failed(format!(
            "the answer would have {bytes} bytes, and {} is the limit",
            limits::MESSAGE_BYTES
        )));
    }
    Ok(())
}

/// The size of a call's parameters, which counts towards what its peer may have open.
pub(crate) fn size<P>(params: &Params<P>) -> usize {
    let words = params.hook.get().and_then(|params| params.target_size()).map_or(0, |size| size.word_count);
    usize::try_from(words * 8).unwrap_or(usize::MAX)
}
