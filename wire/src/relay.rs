//! What a host lends in place of another plugin's capability (`host.wraps-lent`): an object of its own that hands on
//! every call, as long as it is lent, and stands before whatever else passes with the calls.
//!
//! It knows no interface. Where the host has something of its own to do between two plugins, a trait of this crate is
//! implemented before a handle instead, as [`Forward`](crate::place::Forward) does.
use std::{ops::Deref, rc::Rc};

use capnp::{
    any_pointer,
    capability::{DispatchCallResult, FromClientHook, FromServer, Params, Promise, Results, Server},
    private::{capability::ClientHook, layout::CapTable},
    traits::{Imbue as _, ImbueMut as _},
};
use capnp_rpc::new_client;
use tokio::sync::oneshot;

use crate::{
    link::LinkState,
    place::{Place, answered, revoked, send, size},
    room::{Adopted, spawn_here},
};

/// An object of ours at `place` that stands before what a peer has lent us.
pub(crate) fn before<C: FromClientHook>(peers: Adopted<C>, place: &Place) -> C {
    let Adopted { client, link } = peers;
    relayed(client.into_client_hook(), &link, place).cast_to()
}

fn relayed(inner: Box<dyn ClientHook>, owner: &Rc<LinkState>, place: &Place) -> Client {
    new_client(Relay { inner, owner: owner.clone(), place: place.clone() })
}

/// Stands before one object.
struct Relay {
    inner: Box<dyn ClientHook>,
    /// The link that the object came over.
    owner: Rc<LinkState>,
    /// Where the relay stands: on the link of whoever calls it.
    place: Place,
}

impl Relay {
    /// Sends a call on, now and in order; what it yields brings the answer back.
    ///
    /// What the caller lends in it is lent on until the owner has answered.
    fn forward(
        &self,
        interface: u64,
        method: u16,
        params: &Params<any_pointer::Owned>,
        mut results: Results<any_pointer::Owned>,
    ) -> Result<impl Future<Output = capnp::Result<()>> + use<>, capnp::Error> {
        let entered = self.place.enter(size(params))?;
        let (lent, loan) = Place::lent(&self.owner);
        let mut request = self.inner.new_call(interface, method, None);
        carry(params.hook.get()?, request.hook.get(), &self.place.link, &lent)?;
        let sent = send(request).map_err(|trouble| capnp::Error::failed(trouble.told()))?;
        let (answer, answers) = oneshot::channel();
        // It stays open when the caller is gone: a host abandons no call.
        spawn_here(async move {
            let answered = sent.await;
            drop(loan);
            drop(answer.send(answered));
        });
        let (owner, place) = (self.owner.clone(), self.place.clone());
        Ok(async move {
            let _entered = entered;
            let answer = tokio::select! {
                biased;
                () = place.revoked.cancelled() => return Err(revoked()),
                answer = answers => answer.map_err(|_| capnp::Error::disconnected("the RPC thread ends".to_owned()))??,
            };
            carry(answer.hook.get()?, results.hook.get()?, &owner, &place)?;
            answered(results)
        })
    }
}

/// Copies what one side says for the other; in place of each capability in it stands a relay at `place`.
fn carry(
    from: any_pointer::Reader<'_>,
    mut to: any_pointer::Builder<'_>,
    owner: &Rc<LinkState>,
    place: &Place,
) -> capnp::Result<()> {
    let mut message = capnp::message::Builder::new_default();
    let mut capabilities = CapTable::new();
    let mut root: any_pointer::Builder<'_> = message.get_root()?;
    root.imbue_mut(&mut capabilities);
    root.set_as(from)?;
    for capability in capabilities.iter_mut().flatten() {
        *capability = relayed(capability.add_ref(), owner, place).into_client_hook();
    }
    let mut root: any_pointer::Reader<'_> = message.get_root_as_reader()?;
    root.imbue(&capabilities);
    to.set_as(root)
}

/// A relay as its callers have it: of no interface.
struct Client(Box<dyn ClientHook>);

impl FromClientHook for Client {
    fn new(hook: Box<dyn ClientHook>) -> Self {
        Self(hook)
    }

    fn into_client_hook(self) -> Box<dyn ClientHook> {
        self.0
    }

    fn as_client_hook(&self) -> &dyn ClientHook {
        self.0.as_ref()
    }
}

impl FromServer<Relay> for Client {
    type Dispatch = Dispatch;

    fn from_server(relay: Rc<Relay>) -> Dispatch {
        Dispatch(relay)
    }
}

#[derive(Clone)]
struct Dispatch(Rc<Relay>);

impl Deref for Dispatch {
    type Target = Relay;

    fn deref(&self) -> &Relay {
        &self.0
    }
}

impl Server for Dispatch {
    fn dispatch_call(
        self,
        interface: u64,
        method: u16,
        params: Params<any_pointer::Owned>,
        results: Results<any_pointer::Owned>,
    ) -> DispatchCallResult {
        let promise = match self.forward(interface, method, &params, results) {
            Ok(forwarded) => Promise::from_future(forwarded),
            Err(error) => Promise::err(error),
        };
        DispatchCallResult::new(promise, false)
    }

    fn as_ptr(&self) -> usize {
        Rc::as_ptr(&self.0).cast::<u8>().addr()
    }
}
