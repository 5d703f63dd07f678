//! What the kinds have in common whose components are prepared: `prepare` answers with diagnostics or an object,
//! and that object runs once.
use std::{cell::RefCell, sync::Arc};

use capnp::text;
use packwire_schema::work_capnp::context;

use crate::{
    broken::Trouble,
    place::Place,
    room::Panicked,
    value::{Context, Diagnostic, Prepared, panicked},
};

/// Calls an author's `prepare`. Whatever is wrong with what came is a diagnostic (`error.expected-is-data`).
pub(crate) async fn prepare<C, T, F>(
    place: &Place,
    component: &Arc<C>,
    config: capnp::Result<text::Reader<'_>>,
    context: capnp::Result<context::Reader<'_>>,
    prepare: impl FnOnce(Arc<C>, String, Context) -> F,
) -> Prepared<T>
where
    T: Send + 'static,
    F: Future<Output = Prepared<T>> + Send + 'static,
{
    let (config, context) = match (read_config(config), read_context(context)) {
        (Ok(config), Ok(context)) => (config, context),
        (config, context) => {
            return Prepared::refused(config.err().into_iter().chain(context.err()).collect());
        }
    };
    let prepared = place.room().on_authors(prepare(component.clone(), config, context)).await;
    prepared.unwrap_or_else(|Panicked(text)| Prepared::refused(panicked(&text))).settled()
}

/// Here alone a text is not mended: a configuration with other words than the user's must not be used.
fn read_config(config: capnp::Result<text::Reader<'_>>) -> Result<String, Diagnostic> {
    let config =
        config.map_err(|error| Diagnostic::error(format!("the configuration cannot be read: {error}")))?;
    config.to_string().map_err(|_| Diagnostic::error("the configuration is not UTF-8"))
}

fn read_context(context: capnp::Result<context::Reader<'_>>) -> Result<Context, Diagnostic> {
    let read = context.map_err(Trouble::from).and_then(Context::read);
    read.map_err(|trouble| Diagnostic::error(format!("the context cannot be used: {}", trouble.told())))
}

/// Work that was prepared, and runs once.
pub(crate) struct Once<T>(RefCell<Option<T>>);

impl<T> Once<T> {
    pub(crate) fn new(work: T) -> Self {
        Self(RefCell::new(Some(work)))
    }

    /// The work; the second time, why there is none (`builder.run-once`).
    pub(crate) fn take(&self) -> Result<T, Vec<Diagnostic>> {
        let spent = || vec![Diagnostic::error("what was prepared runs once: prepare again")];
        self.0.borrow_mut().take().ok_or_else(spent)
    }

    /// Gives the work up.
    pub(crate) fn close(&self) {
        drop(self.0.borrow_mut().take());
    }
}

/// What a run answers: each kind has its own, and a failure with diagnostics among it.
pub(crate) trait Answer {
    /// The struct of the schema that it is written into.
    type Struct: capnp::traits::Owned;

    /// It could not be done.
    fn failed(diagnostics: Vec<Diagnostic>) -> Self;

    /// Writes it; what it holds is lent at `place`.
    fn write(self, builder: <Self::Struct as capnp::traits::Owned>::Builder<'_>, place: &Place);
}

/// Why a run is refused to which something was not lent.
pub(crate) fn not_lent(name: &str) -> Vec<Diagnostic> {
    vec![Diagnostic::error(format!("the host lent no {name}: it is null"))]
}

/// Declares both ends of a kind whose components are prepared: the [`Served`](Once) side of the component and of
/// what it prepared, how a component is offered, and the handles' calls `prepare` and `close`.
///
/// The modules `schema` (the component's interface) and `work` (the prepared object's) are those of the caller, as are
/// the types of what a run may use and of what it answers.
macro_rules! prepared_kind {
    (
        $Component:ident: $Offered:ident, $Remote:ident, $prepare:literal;
        $Work:ident: $RemoteWork:ident, $close:literal, $set:ident, $has:ident, $get:ident;
        $run:ident($RunParams:ident, $RunResults:ident): $Run:ident -> $Answer:ty
    ) => {
        impl $Offered {
            /// Offers a component.
            pub fn new(component: impl $Component) -> Self {
                Self($crate::place::Seed::serving(std::sync::Arc::new(component), |component, place| {
                    capnp_rpc::new_client(ServedComponent { component, place })
                }))
            }
        }

        impl From<$Remote> for $Offered {
            /// Lends on what a plugin offers, for as long as it is lent.
            fn from(remote: $Remote) -> Self {
                Self::new($crate::place::Forward(remote))
            }
        }

        struct ServedComponent<C> {
            component: std::sync::Arc<C>,
            place: $crate::place::Place,
        }

        impl<C: $Component> schema::Server for ServedComponent<C> {
            async fn prepare(
                self: std::rc::Rc<Self>,
                params: schema::PrepareParams,
                mut results: schema::PrepareResults,
            ) -> Result<(), capnp::Error> {
                let _entered = self.place.enter($crate::place::size(&params))?;
                let prepared = {
                    let params = params.get()?;
                    let call = |component: std::sync::Arc<C>, config, context| async move {
                        $Component::prepare(&*component, config, context).await
                    };
                    let (config, context) = (params.get_config(), params.get_context());
                    $crate::prepare::prepare(&self.place, &self.component, config, context, call).await
                };
                if let Some(object) = prepared.object {
                    let once = $crate::prepare::Once::new(object);
                    let served = ServedWork { work: once, place: self.place.clone() };
                    results.get().$set(capnp_rpc::new_client(served));
                }
                let list = results.get().init_diagnostics($crate::value::len(&prepared.diagnostics));
                $crate::value::write_diagnostics(prepared.diagnostics, list);
                $crate::place::answered(results)
            }
        }

        struct ServedWork<W> {
            work: $crate::prepare::Once<W>,
            place: $crate::place::Place,
        }

        impl<W: $Work> work::Server for ServedWork<W> {
            async fn $run(
                self: std::rc::Rc<Self>,
                params: work::$RunParams,
                mut results: work::$RunResults,
            ) -> Result<(), capnp::Error> {
                let _entered = self.place.enter($crate::place::size(&params))?;
                let lent = $Run::read(params.get()?, &self.place.link)?;
                let answer = match lent.and_then(|run| Ok((self.work.take()?, run))) {
                    Err(refusal) => <$Answer as $crate::prepare::Answer>::failed(refusal),
                    Ok((work, run)) => {
                        let ui = run.ui.clone();
                        let ran =
                            self.place.room().on_authors(async move { $Work::$run(work, run).await }).await;
                        $crate::artifact::flush(Some(ui)).await;
                        ran.unwrap_or_else(|$crate::room::Panicked(text)| {
                            <$Answer as $crate::prepare::Answer>::failed($crate::value::panicked(&text))
                        })
                    }
                };
                $crate::prepare::Answer::write(answer, results.get().init_outcome(), &self.place);
                $crate::place::answered(results)
            }

            async fn close(
                self: std::rc::Rc<Self>,
                _: work::CloseParams,
                _: work::CloseResults,
            ) -> Result<(), capnp::Error> {
                let _entered = self.place.enter(0)?;
                self.work.close();
                Ok(())
            }
        }

        impl $Remote {
            /// Has a configuration, JSON, checked and made ready.
            pub async fn prepare(
                &self,
                config: String,
                context: $crate::value::Context,
            ) -> Result<$crate::value::Prepared<$RemoteWork>, $crate::broken::Broken> {
                let within = Some($crate::limits::PREPARE_WITHIN);
                self.0
                    .call($prepare, within, move |$crate::room::Adopted { client, link }| {
                        let mut request = client.prepare_request();
                        request.get().set_config(config);
                        context.write(request.get().init_context());
                        let sent = $crate::place::send(request);
                        async move {
                            let answer = sent?.await?;
                            let answer = answer.get()?;
                            let object = $crate::read::optional(answer.$has(), || answer.$get())?;
                            let object =
                                object.map(|object| $RemoteWork($crate::room::Remote::adopt(&link, object)));
                            let diagnostics = $crate::value::read_diagnostics(answer.get_diagnostics())?;
                            $crate::value::Prepared { diagnostics, object }.checked()
                        }
                    })
                    .await
            }
        }

        impl $Component for $crate::place::Forward<$Remote> {
            type $Work = $crate::place::Forward<$RemoteWork>;

            async fn prepare(
                &self,
                config: String,
                context: $crate::value::Context,
            ) -> $crate::value::Prepared<Self::$Work> {
                let prepared = self.0.prepare(config, context).await;
                prepared
                    .unwrap_or_else(|broken| $crate::value::Prepared::refused(broken.into()))
                    .map($crate::place::Forward)
            }
        }

        impl $RemoteWork {
            /// Says that it will not be run, or not be asked again.
            pub async fn close(&self) -> Result<(), $crate::broken::Broken> {
                let within = Some($crate::limits::QUICK_WITHIN);
                self.0
                    .acknowledged($close, within, |client| $crate::place::send(client.close_request()))
                    .await
            }
        }
    };
}
pub(crate) use prepared_kind;
