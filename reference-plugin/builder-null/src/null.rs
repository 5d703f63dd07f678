//! The builder: a communicator of the host's, lent on to the provisioners.
use packwire_plugin::{
    Build, BuildRun, Builder, Built, Context, Diagnostic, FilesArtifact, RemoteCommunicator, Stop,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::config::{Config, Machine};

/// Packer's names of the kind of artifact, and of each artifact.
const BUILDER_ID: &str = "fnoeding.null";
const ID: &str = "Null";
const DESCRIPTION: &str = "Did not export anything. This is the null builder";

/// Makes nothing.
pub(crate) struct Null;

/// What is known of the machine.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Generated {
    /// The artifact's id.
    #[serde(rename = "ID")]
    id: &'static str,
    /// The type of the communicator; empty for none.
    conn_type: String,
    /// The machine's name or address; empty where no network is in between.
    host: String,
    /// The port there; 0 for none.
    port: u16,
    /// The user there; empty where unknown.
    user: String,
}

impl Builder for Null {
    type Config = Config;
    type Build = Machine;

    const SUMMARY: &'static str = "Makes nothing, and provisions a machine that is there";
    const DOCUMENTATION: &'static str = "Asks the host for the `communicator`, has the provisioners run with it, \
        and closes it. Options that begin with the communicator's name and an underscore go to the communicator.";

    fn prepare(&self, config: Config, _: &Context) -> Result<Machine, Vec<Diagnostic>> {
        Machine::of(config)
    }

    fn output_schema() -> String {
        packwire_plugin::schema_of::<Generated>()
    }
}

impl Build for Machine {
    async fn run(self, run: BuildRun) -> Result<Built, Stop> {
        let communicator = match self {
            Self::None => None,
            Self::By { communicator, config } => Some(run.communicator(communicator, &config).await?),
        };
        let provisioned = provision(&run, communicator.as_ref()).await;
        if let Some(communicator) = communicator {
            // The host closes what it opened for this run in any case.
            drop(communicator.close().await);
        }
        let data = provisioned?;
        let artifact = FilesArtifact::new(BUILDER_ID, ID, DESCRIPTION, Vec::new());
        Ok(Built::artifact(artifact).with_generated_data(json!(data)))
    }
}

async fn provision(run: &BuildRun, communicator: Option<&RemoteCommunicator>) -> Result<Generated, Stop> {
    let data = match communicator {
        None => Generated { id: ID, ..Generated::default() },
        Some(communicator) => {
            let info = communicator.info().await?;
            Generated { id: ID, conn_type: info.kind, host: info.host, port: info.port, user: info.user }
        }
    };
    run.provision(communicator, &json!(data)).await?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use packwire_plugin::{
        Outcome,
        testing::{self, Host},
    };

    use super::*;

    #[tokio::test]
    async fn a_machine_is_opened_provisioned_and_closed() {
        let machine = testing::Machine::new();
        let host = Host::new().with_communicator("ssh", &machine);
        let finished = host.build(Null, json!({"ssh_host": "h"})).await.unwrap();
        let data = r#"{"ID":"Null","ConnType":"testing","Host":"192.0.2.1","Port":22,"User":"root"}"#;
        assert_eq!(
            host.told(),
            [
                r#"communicator: ssh {"ssh_host":"h"}"#,
                &format!("hook: packer_provision with a machine, {data}")
            ]
        );
        assert!(machine.is_closed());
        assert_eq!(finished.generated_data.to_string(), data);
        let artifact = finished.describe().await.unwrap();
        assert_eq!((artifact.builder_id.as_str(), artifact.id.as_str()), (BUILDER_ID, ID));
        finished.destroy().await.unwrap();
    }

    #[tokio::test]
    async fn without_a_communicator_there_is_no_machine() {
        let host = Host::new();
        host.build(Null, json!({"communicator": "none"})).await.unwrap();
        let data = r#"{"ID":"Null","ConnType":"","Host":"","Port":0,"User":""}"#;
        assert_eq!(host.told(), [format!("hook: packer_provision without a machine, {data}")]);
    }

    #[tokio::test]
    async fn after_a_failure_the_clean_up_runs_and_the_machine_is_closed() {
        let machine = testing::Machine::new();
        let host = Host::new().with_communicator("ssh", &machine).provisioning(Outcome::failed("no"));
        let stop = host.build(Null, json!({})).await.unwrap_err();
        assert_eq!(stop, Stop::failed("no"));
        assert!(
            host.told()[2].starts_with("hook: packer_cleanup_provision with a machine"),
            "{:?}",
            host.told()
        );
        assert!(machine.is_closed());
    }

    #[tokio::test]
    async fn a_communicator_that_is_not_there_is_the_hosts_to_name() {
        let stop = Host::new().build(Null, json!({"communicator": "telnet"})).await.unwrap_err();
        assert_eq!(stop, Stop::failed("there is no communicator `telnet`"));
    }
}
