//! The hello: who the plugin is and what it offers.
use capnp::capability::Request;
use packwire_schema::attach_capnp::{hello, host};

use crate::{component, dialect::Dialect, fault::Fault, launch::Launch, manner::Manner};

/// An extension that no host knows, with a key in the form that SPEC.md prescribes.
pub(crate) const EXTENSIONS: &str = r#"{"org.example.faulty":{"knows":["nobody",null,1]}}"#;

type AttachRequest = Request<host::attach_params::Owned, host::attach_results::Owned>;

/// The call of attach, ready to be sent.
///
/// # Errors
/// Cap'n Proto's own.
pub(crate) fn request(
    host: &host::Client,
    launch: &Launch,
    manner: Manner,
) -> Result<AttachRequest, capnp::Error> {
    let mut request = host.attach_request();
    let hello = request.get().init_hello();
    fill(hello, launch, manner)?;
    Ok(request)
}

fn fill(mut hello: hello::Builder<'_>, launch: &Launch, manner: Manner) -> Result<(), capnp::Error> {
    hello.set_token(&launch.token);
    hello.set_protocol_version(if manner.commits(Fault::VersionZero) { 0 } else { launch.version });
    hello.set_name(if manner.commits(Fault::EmptyName) { "" } else { "green" });
    hello.set_version(env!("CARGO_PKG_VERSION"));
    hello.set_sdk("none (Rust, capnp-rpc)");
    if manner.speaks(Dialect::Extensions) {
        hello.set_extensions(EXTENSIONS);
    }
    component::fill(hello, manner)
}
