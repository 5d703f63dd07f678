//! What no library does that keeps the rules: a plugin made of Cap'n Proto's own parts.
use std::{process::ExitCode, rc::Rc};

use capnp_rpc::{RpcSystem, new_client, rpc_twoparty_capnp::Side, twoparty::VatNetwork};
use futures::future::join_all;
use packwire_schema::{
    attach_capnp::{end, hello, host},
    builder_capnp::{build, image_builder},
};
use packwire_wire::{
    limits,
    process::{Invitation, Socket},
};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

/// Attaches, attaches again, says what came of that, and stays for the first.
pub(crate) fn attach_twice(invitation: &Invitation) -> ExitCode {
    attended(invitation, async |host| {
        let first = attach(&host, invitation);
        let second = attach(&host, invitation);
        match second.promise.await {
            Ok(_) => eprintln!("the second was answered"),
            Err(error) => eprintln!("the second failed: {}", error.extra),
        }
        first.promise.await
    })
}

/// Attaches with a builder whose build floods the host.
pub(crate) fn flood(invitation: &Invitation, flood: Flood) -> ExitCode {
    offer(invitation, || new_client(flood))
}

/// Attaches with this builder, and stays until it is told to leave.
pub(crate) fn offer(invitation: &Invitation, builder: impl FnOnce() -> image_builder::Client) -> ExitCode {
    attended(invitation, async |host| attach_with(&host, invitation, builder()).promise.await)
}

type Attached = capnp::Result<capnp::capability::Response<host::attach_results::Owned>>;

/// Dials and does `work` with the host that is there, until it ends or the link does.
fn attended(invitation: &Invitation, work: impl AsyncFnOnce(host::Client) -> Attached) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut system = system(Socket::dial(&invitation.address).await.unwrap());
        let host = system.bootstrap(Side::Server);
        let ended = tokio::select! {
            ended = work(host) => ended,
            _ = system => return ExitCode::from(4),
        };
        let left = ended.is_ok_and(|end| matches!(which(&end), Some(end::Leave(()))));
        ExitCode::from(if left { 0 } else { 4 })
    })
}

fn which(end: &capnp::capability::Response<host::attach_results::Owned>) -> Option<end::WhichReader<'_>> {
    end.get().ok()?.get_end().ok()?.which().ok()
}

fn system(socket: Socket) -> RpcSystem<Side> {
    let (reading, writing) = tokio::io::split(socket);
    let (reading, writing) = (reading.compat(), writing.compat_write());
    let network = VatNetwork::new(
        futures::io::BufReader::new(reading),
        futures::io::BufWriter::new(writing),
        Side::Client,
        capnp::message::ReaderOptions::default(),
    );
    RpcSystem::new(Box::new(network), None)
}

fn attach(
    host: &host::Client,
    invitation: &Invitation,
) -> capnp::capability::RemotePromise<host::attach_results::Owned> {
    attach_with(host, invitation, new_client(Flood::Writes))
}

fn attach_with(
    host: &host::Client,
    invitation: &Invitation,
    builder: image_builder::Client,
) -> capnp::capability::RemotePromise<host::attach_results::Owned> {
    let mut request = host.attach_request();
    fill(request.get().init_hello(), invitation, builder);
    request.send()
}

fn fill(mut hello: hello::Builder<'_>, invitation: &Invitation, builder: image_builder::Client) {
    hello.set_token(invitation.token.reveal());
    hello.set_protocol_version(1);
    hello.set_name("raw");
    hello.set_version("1.0.0");
    let mut component = hello.init_components(1).get(0);
    component.set_name("raw");
    component.set_config_schema("{}");
    component.set_image_builder(builder);
}

/// A builder, and its build: what it does too much of.
#[derive(Clone, Copy)]
pub(crate) enum Flood {
    Writes,
    Calls,
}

impl Flood {
    /// Opens an upload to the first machine that it is given, and waits for no answer to what it writes.
    async fn write(params: build::RunParams) -> capnp::Result<usize> {
        let machine = params.get()?.get_environment()?.communicator_request().send().promise.await?;
        let upload = machine.get()?.get_communicator()?.upload_request().send().promise.await?;
        let content = upload.get()?.get_content()?;
        // What a receiver takes ahead is answered, so that comes first.
        let full = std::iter::once(limits::READ_AHEAD_BYTES);
        let sizes = full.chain(std::iter::repeat_n(1, limits::WINDOW_WRITES + 1));
        let writes = sizes.map(|size| {
            let mut request = content.write_request();
            request.get().set_bytes(&vec![0; size]);
            request.send().promise
        });
        Ok(join_all(writes).await.iter().filter(|answer| answer.is_ok()).count())
    }

    /// Calls the hook, again and again.
    async fn call(params: build::RunParams) -> capnp::Result<usize> {
        let hook = params.get()?.get_hook()?;
        let calls = (0..=limits::LINK_CALLS).map(|_| hook.run_request().send().promise);
        Ok(join_all(calls).await.iter().filter(|answer| answer.is_ok()).count())
    }
}

impl image_builder::Server for Flood {
    async fn prepare(
        self: Rc<Self>,
        _: image_builder::PrepareParams,
        mut results: image_builder::PrepareResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_build(new_client(*self));
        Ok(())
    }
}

impl build::Server for Flood {
    async fn run(
        self: Rc<Self>,
        params: build::RunParams,
        mut results: build::RunResults,
    ) -> Result<(), capnp::Error> {
        let answered = match *self {
            Self::Writes => Self::write(params).await?,
            Self::Calls => Self::call(params).await?,
        };
        eprintln!("{answered} were answered");
        results.get().init_outcome().set_nothing(());
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _: build::CloseParams,
        _: build::CloseResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}
