//! What `Environment` lends to a run.

mod cache;
mod communicator;
mod connection;
mod directory;
mod environment;
mod holdings;
mod http;
mod key_pair;
mod lending;
mod port;
mod recovery;
mod remembered;
mod stock;

pub(crate) use communicator::lend_on;
pub(crate) use directory::remove as remove_directory;
pub use lending::{Services, User};
pub(crate) use recovery::{Left, Recovering, things};
pub use stock::Stock;

#[cfg(test)]
pub(crate) mod tests {
    //! What the tests of several services need.

    use std::path::Path;

    use packwire_wire::Kind;

    use crate::ledger::{Ledger, Maker, ProcessId, RunRecord};

    /// A ledger in `folder`, of a run that has just begun.
    pub(crate) fn ledger(folder: &Path) -> Ledger {
        let record = RunRecord {
            run: "r".to_owned(),
            began: 0,
            host: ProcessId::ours(),
            directory: folder.to_owned(),
            template: folder.join("template.json"),
            variable_files: Vec::new(),
            variables: Vec::new(),
        };
        Ledger::of_run(Some(folder.join("ledger")), Some(record))
    }

    /// A builder of some build.
    pub(crate) fn maker() -> Maker {
        Maker {
            build: "b".to_owned(),
            kind: Kind::Builder,
            component: "file".to_owned(),
            at: 0,
            program: "/p/packer-builder-file".into(),
            arguments: Vec::new(),
            process: None,
        }
    }
}
