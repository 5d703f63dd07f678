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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::services::tests::{ledger, maker};

    // host.ledger-durable
    #[tokio::test]
    async fn the_answer_comes_when_the_disk_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let (secrets, maker) = (Arc::new(Secrets::default()), maker());
        let entry = thing(&maker, "disk".to_owned(), &secrets).unwrap();
        let kept = ledger(folder.path()).remember(entry).await.unwrap();
        let (file, draft) = (folder.path().join("ledger/r/0.json"), folder.path().join("ledger/r/.0.json"));
        let line = Line { kept, maker, secrets };
        line.update("disk-7".to_owned()).await.unwrap();
        assert!(fs::read_to_string(&file).unwrap().contains("disk-7"));
        // What is in the way keeps it from the disk.
        fs::create_dir(&draft).unwrap();
        assert!(line.update("disk-8".to_owned()).await.unwrap_err()[0].summary.contains("cannot be written"));
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(line.settle().await.unwrap_err().contains("cannot be struck out"));
        assert!(line.kept.is_left());
        fs::remove_dir(&file).unwrap();
        line.settle().await.unwrap();
        assert!(!line.kept.is_left());
    }
}
