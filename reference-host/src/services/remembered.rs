//! A component's line in the ledger, as it is lent to the component.

use std::sync::Arc;

use packwire_wire::{Diagnostic, LedgerEntry};

use crate::ledger::{Entry, Kept, Maker, Thing};
use crate::ui::Secrets;

/// One line, and who wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) kept: Kept,
    pub(crate) maker: Maker,
    pub(crate) secrets: Arc<Secrets>,
}

impl LedgerEntry for Line {
    async fn update(&self, text: String) -> Result<(), Vec<Diagnostic>> {
        let thing = thing(&self.maker, text, &self.secrets)?;
        self.kept.replace(thing).await.map_err(|why| vec![Diagnostic::error(why.to_string())])
    }

    async fn settle(&self) -> Result<(), String> {
        self.kept.strike().await.map_err(|why| why.to_string())
    }
}

/// What is written; a text that holds a secret is not: it would be on disk.
pub(super) fn thing(maker: &Maker, text: String, secrets: &Secrets) -> Result<Entry, Vec<Diagnostic>> {
    if secrets.masked(&text) != text {
        return Err(vec![Diagnostic::error("the entry holds a secret, and the ledger is on disk")]);
    }
    Ok(Entry::Thing(Thing { maker: maker.clone(), text }))
}
