//! What the green plugin does: components of every kind that say their lines.
mod artifact;
mod builder;
mod config;
mod files;
mod keys;
mod lent;
mod machine;
mod others;
mod outcome;
mod prepare;
mod process;
mod provisioner;
mod recovery;
mod sending;
mod touchy;
mod tree;
mod tunnel;
mod turn;

use std::time::{Duration, Instant};

pub(crate) use builder::{Builder, clean_up};
pub(crate) use machine::Connector;
pub(crate) use others::{Command, DataSource, Hook, PostProcessor};
pub(crate) use outcome::dump_last;
pub(crate) use provisioner::Provisioner;
pub(crate) use recovery::Recovery;
pub(crate) use touchy::client as touchy_client;
pub(crate) use turn::all_builds_are_over;

use crate::{
    dialect::{Dialect, Null},
    fault::Fault,
    manner::Manner,
};

/// What every object of the plugin knows.
#[derive(Clone, Copy)]
pub(crate) struct Green {
    /// How it behaves.
    pub(crate) manner: Manner,
    /// When its hello was made.
    pub(crate) born: Instant,
}

#[expect(clippy::panic, reason = "a crash is what is imitated here")]
fn crash(on: &str) -> ! {
    panic!("did not expect {on}")
}

impl Green {
    /// What happens before any call is answered: nothing, unless that is the fault.
    async fn greet(self) -> Result<(), capnp::Error> {
        match self.manner {
            Manner::Null(Null::Refuses) => Err(capnp::Error::failed("refused".to_owned())),
            Manner::Fault(Fault::LazyInitError) if self.born.elapsed() < Duration::from_secs(1) => {
                Err(capnp::Error::failed("not initialised yet".to_owned()))
            }
            Manner::Dialect(Dialect::SlowAnswers) => {
                tokio::time::sleep(Duration::from_millis(500)).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
