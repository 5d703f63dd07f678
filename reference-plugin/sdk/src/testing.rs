//! Components under test: a [`Host`] in memory that remembers what it saw, and a [`Machine`] that answers what it was
//! told to. The same host calls a plugin's program as a [`process`], to see how it ends and what it leaves.
//!
//! A component in memory is called over a real link, too: what passes here passes on the wire.
//!
//! ```
//! use packwire_plugin::{Context, Diagnostic, Provision, ProvisionRun, Provisioner, Stop, machine};
//! use packwire_plugin::testing::{Host, Machine};
//!
//! struct Greeting;
//!
//! # #[derive(serde::Deserialize, schemars::JsonSchema)]
//! # struct Config {}
//! # impl Provisioner for Greeting {
//! #     type Config = Config;
//! #     type Provision = Greeting;
//! #     const SUMMARY: &'static str = "Greets";
//! #     fn prepare(&self, _: Config, _: &Context) -> Result<Greeting, Vec<Diagnostic>> { Ok(Greeting) }
//! # }
//! impl Provision for Greeting {
//!     async fn run(self, run: ProvisionRun) -> Result<(), Stop> {
//!         let exit = machine::run_showing(run.machine()?, "hello", &run.cancellation, &run.ui).await?;
//!         machine::succeeded("the greeting", exit, &[0])
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Stop> {
//! let machine = Machine::new().answering("hello", 0, "good morning\n", "");
//! let host = Host::new();
//! host.provision(Greeting, serde_json::json!({}), &machine).await?;
//! assert_eq!(host.told(), ["message: good morning"]);
//! assert_eq!(machine.commands(), ["hello"]);
//! # Ok(())
//! # }
//! ```
mod halt;
mod host;
mod machine;
pub mod process;
mod runs;
mod seen;
mod services;
mod session;

pub use halt::Halt;
pub use host::{Finished, Host, Opened, Processed};
pub use machine::{File, Machine};
pub use packwire_wire::process::Ended;
pub use process::Process;
