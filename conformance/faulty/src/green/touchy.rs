//! A builder that crashes on calls that it does not know: below the generated code, which refuses them.
use std::{ops::Deref, rc::Rc};

use capnp::{
    any_pointer,
    capability::{DispatchCallResult, FromClientHook, FromServer, Params, Results, Server},
    private::capability::ClientHook,
    traits::HasTypeId,
};
use packwire_schema::builder_capnp::image_builder;

use super::Builder;

type Dispatch = <image_builder::Client as FromServer<Builder>>::Dispatch;

/// The builder as a capability.
pub(crate) fn client(builder: Builder) -> image_builder::Client {
    let Touchy(client) = capnp_rpc::new_client(builder);
    client
}

struct Touchy(image_builder::Client);

impl FromClientHook for Touchy {
    fn new(hook: Box<dyn ClientHook>) -> Self {
        Self(image_builder::Client::new(hook))
    }

    fn into_client_hook(self) -> Box<dyn ClientHook> {
        self.0.into_client_hook()
    }

    fn as_client_hook(&self) -> &dyn ClientHook {
        self.0.as_client_hook()
    }
}

impl FromServer<Builder> for Touchy {
    type Dispatch = TouchyDispatch;

    fn from_server(builder: Rc<Builder>) -> TouchyDispatch {
        TouchyDispatch(image_builder::Client::from_server(builder))
    }
}

#[derive(Clone)]
struct TouchyDispatch(Dispatch);

impl Deref for TouchyDispatch {
    type Target = Builder;

    fn deref(&self) -> &Builder {
        &self.0
    }
}

impl Server for TouchyDispatch {
    fn dispatch_call(
        self,
        interface: u64,
        method: u16,
        params: Params<any_pointer::Owned>,
        results: Results<any_pointer::Owned>,
    ) -> DispatchCallResult {
        if (interface, method) != (image_builder::Client::TYPE_ID, 0) {
            super::crash("this method");
        }
        self.0.dispatch_call(interface, method, params, results)
    }

    fn as_ptr(&self) -> usize {
        self.0.as_ptr()
    }
}
