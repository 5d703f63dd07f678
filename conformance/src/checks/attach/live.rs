//! Whether the components answer from the moment of the attach.

use std::time::{Duration, Instant};

use capnp::capability::{Promise, Response};
use futures::FutureExt;
use futures::future::{LocalBoxFuture, join_all};
use packwire_schema::component_capnp::component;
use packwire_schema::work_capnp::context;

use crate::check::{Checked, Stop};
use crate::components::{Offered, offered};
use crate::rig::{Attached, Manners, Rig};

/// How long `prepare` may take.
pub(super) const PREPARE: Duration = Duration::from_secs(30);

/// A configuration that every component has an opinion of.
const CONFIG: &str = "{}";

/// Calls `prepare` of every component before anything else.
pub(super) async fn at_once(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let components = session.plugin.read("the list of components", session.hello.read().and_then(offered))?;
    let calls: Vec<_> =
        components.iter().filter_map(|component| Some((component, prepare(component)?))).collect();
    if calls.is_empty() {
        return Err(Stop::NotApplicable("hooks and commands have no call that does nothing".to_owned()));
    }
    join_all(calls.into_iter().map(|(component, call)| answers(rig, &session, component, call))).await;
    Ok(())
}

type Call = LocalBoxFuture<'static, capnp::Result<()>>;

async fn answers(rig: &Rig, session: &Attached, component: &Offered<'_>, call: Call) {
    let called = Instant::now();
    let answer = tokio::time::timeout(rig.stretch(PREPARE), call).await;
    let (held, observed) = match answer {
        Ok(Ok(())) => (true, "it answered".to_owned()),
        Ok(Err(error)) => (false, format!("it threw: {}", error.extra)),
        Err(_) => (false, "no answer came".to_owned()),
    };
    let expected = format!("the {} answers prepare at once", component.title);
    session.plugin.saw_in(expected, held, observed, PREPARE, called.elapsed());
}

/// The call of `prepare`, for the kinds that have one.
fn prepare(component: &Offered<'_>) -> Option<Call> {
    macro_rules! call {
        ($capability:expr) => {{
            let mut request = $capability.ok()?.prepare_request();
            let mut params = request.get();
            params.set_config(CONFIG);
            fill(params.init_context());
            Some(answered(request.send().promise))
        }};
    }
    match component.reader.which().ok()? {
        component::ImageBuilder(capability) => call!(capability),
        component::Provisioner(capability) => call!(capability),
        component::PostProcessor(capability) => call!(capability),
        component::DataSource(capability) => call!(capability),
        component::Communicator(capability) => call!(capability),
        component::Hook(_) | component::Command(_) | component::Unset(()) => None,
    }
}

fn answered<T: capnp::traits::Owned + 'static>(answer: Promise<Response<T>, capnp::Error>) -> Call {
    async move { answer.await.map(drop) }.boxed_local()
}

/// What a host says of itself while it only validates a template.
fn fill(mut context: context::Builder<'_>) {
    context.set_on_error(context::OnError::Cleanup);
    context.set_host_name("conformance");
    context.set_host_version(env!("CARGO_PKG_VERSION"));
    context.set_template_dir("/");
    context.set_working_dir("/");
}
