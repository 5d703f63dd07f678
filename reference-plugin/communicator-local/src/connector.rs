//! The component: nothing to configure, and a directory to open.
use std::{fs::Permissions, io, os::unix::fs::PermissionsExt, path::PathBuf};

use packwire_plugin::{Connection, ConnectionRun, Connector, Context, Diagnostic, Stop};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::machine::Machine;

/// This machine has no options.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("examples" = [{}], "x-packwire-safe-to-run" = true))]
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

    async fn open(self, run: ConnectionRun) -> Result<Machine, Stop> {
        // The host's, which removes it also where we are killed.
        let directory = match &run.environment {
            Some(environment) => environment.temp_dir().await?.map(|held| held.given.into()).ok(),
            None => None,
        };
        let directory = directory.map_or_else(own, Ok);
        let directory = directory
            .map_err(|error| Stop::failed(format!("no directory can be made to work in: {error}")))?;
        Ok(Machine::open(directory))
    }
}

/// With a host that lends none.
fn own() -> io::Result<PathBuf> {
    let private = Permissions::from_mode(0o700);
    let made = tempfile::Builder::new().prefix("packwire-local-").permissions(private).tempdir()?;
    Ok(made.keep())
}
