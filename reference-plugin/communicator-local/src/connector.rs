//! The component: nothing to configure, and a directory to open.
use packwire_plugin::{Connection, ConnectionRun, Connector, Context, Diagnostic, Stop};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::machine::Machine;

/// This machine has no options.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("examples" = [{}]))]
pub(crate) struct Config {}

/// Opens this machine.
pub(crate) struct Local;

impl Connector for Local {
    type Config = Config;
    type Connection = ToHere;

    const SUMMARY: &'static str = "Runs commands on this machine, in a directory of its own";
    const DOCUMENTATION: &'static str = "Commands run with `/bin/sh`. Relative paths start at a directory that \
        is removed when the communicator is closed; absolute paths are this machine's.";

    fn prepare(&self, _: Config, _: &Context) -> Result<ToHere, Vec<Diagnostic>> {
        Ok(ToHere)
    }
}

/// The way to this machine.
#[derive(Debug)]
pub(crate) struct ToHere;

impl Connection for ToHere {
    type Communicator = Machine;

    async fn open(self, _: ConnectionRun) -> Result<Machine, Stop> {
        Machine::open().map_err(|error| Stop::failed(format!("no directory can be made to work in: {error}")))
    }
}
