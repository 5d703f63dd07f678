//! The provisioner: what is to be copied is said and copied, one after another.
use packwire_plugin::{Context, Diagnostic, Provision, ProvisionRun, Provisioner, Stop, machine};

use crate::{
    config::{Config, Plan},
    download, upload,
};

/// What a file may do that is made of `content`.
const CONTENT_MODE: u32 = 0o644;

/// Copies files and directories.
pub(crate) struct FileProvisioner;

impl Provisioner for FileProvisioner {
    type Config = Config;
    type Provision = Plan;

    const SUMMARY: &'static str = "Copies files and directories to the machine, or from it";
    const DOCUMENTATION: &'static str = "\
A file goes to `destination`, or into it, if that ends with a slash or is a directory already.

A directory is copied as rsync does it:

| `source` | `destination` | what comes of `site/index.html` |
| --- | --- | --- |
| `site` | `/var/www` | `/var/www/site/index.html` |
| `site/` | `/var/www` | `/var/www/index.html` |

The directory that something goes into must exist on the machine; of a directory that is copied, the last one is made. \
On the host, a download makes all of them. What else is in the directory stays; files of the same names are replaced. \
Each source appears whole, or not at all.

Permission bits and the times of files are kept, owners are not. Directories need a communicator with the feature \
`tree`. They carry symbolic links that stay inside, leave out devices, fifos and sockets, and refuse links that lead \
outside.";

    fn prepare(&self, config: Config, context: &Context) -> Result<Plan, Vec<Diagnostic>> {
        Plan::of(config, context)
    }
}

impl Provision for Plan {
    async fn run(self, run: ProvisionRun) -> Result<(), Stop> {
        match self {
            Self::Content { text, destination } => {
                run.ui.say(format!("Writing {destination}")).await?;
                let written = machine::upload(run.machine()?, &destination, text, CONTENT_MODE).await;
                named(written, &format!("`content` could not be written to {destination}"))
            }
            Self::Upload { sources, destination } => upload::all(&run, &sources, &destination).await,
            Self::Download { sources, destination } => download::all(&run, &sources, &destination).await,
        }
    }
}

/// The same result, whose error begins with what could not be done.
pub(crate) fn named<T>(result: Result<T, Stop>, what: &str) -> Result<T, Stop> {
    result.map_err(|stop| match stop {
        Stop::Failed(mut diagnostics) => {
            if let Some(first) = diagnostics.first_mut() {
                first.summary = format!("{what}: {}", first.summary);
            }
            Stop::Failed(diagnostics)
        }
        Stop::Cancelled => Stop::Cancelled,
    })
}

/// Whether the machine has a directory there. One that cannot be asked has none.
pub(crate) async fn is_directory(run: &ProvisionRun, path: &str) -> Result<bool, Stop> {
    let command = format!("if [ -d {} ]; then echo directory; fi", machine::quoted(path));
    match machine::output(run.machine()?, command, &run.cancellation).await {
        Ok(told) => Ok(told.trim() == "directory"),
        Err(Stop::Failed(_)) => Ok(false),
        Err(Stop::Cancelled) => Err(Stop::Cancelled),
    }
}
