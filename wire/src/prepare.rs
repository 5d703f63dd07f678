//! What `prepare` has in common for all kinds: it answers with diagnostics or an object that runs once.
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

/// Why a run is refused to which something was not lent.
pub(crate) fn not_lent(name: &str) -> Vec<Diagnostic> {
    vec![Diagnostic::error(format!("the host lent no {name}: it is null"))]
}
