//! Provisioners, as their authors write them.
use packwire_wire::{
    Component, Context, Diagnostic, OfferedCapability, OfferedProvisioner, Outcome, Prepared,
    RemoteCommunicator,
};

use crate::{
    Cancellation, Environment, Stop, Ui,
    config::{Config, Reader},
    plugin::described,
    stop::outcome,
};

/// Does something to machines.
pub trait Provisioner: Send + Sync + 'static {
    /// What the user writes; the schema is made from it.
    type Config: Config;
    /// What a configuration becomes that is in order.
    type Provision: Provision;

    /// One line for lists.
    const SUMMARY: &'static str;
    /// CommonMark for whoever wants to use it.
    const DOCUMENTATION: &'static str = "";
    /// Whether it works on a machine. One that does not also runs where the builder has none.
    const NEEDS_COMMUNICATOR: bool = true;

    /// Checks what a type cannot say, all of it, and has no effect outside.
    ///
    /// # Errors
    /// All that is wrong, each with its place in the configuration.
    fn prepare(&self, config: Self::Config, context: &Context) -> Result<Self::Provision, Vec<Diagnostic>>;

    /// What the user should know of a configuration that can be run all the same, such as an option that another one
    /// makes meaningless: [`Diagnostic::warning`]s, each with its place. They are told beside what is wrong, too.
    fn warnings(&self, _config: &Self::Config, _context: &Context) -> Vec<Diagnostic> {
        Vec::new()
    }
}

/// Something to do to a machine, ready to run once.
pub trait Provision: Send + Sync + 'static {
    /// Does it, to the machine through its communicator alone.
    fn run(self, run: ProvisionRun) -> impl Future<Output = Result<(), Stop>> + Send;
}

/// What a provision may use.
#[derive(Debug)]
pub struct ProvisionRun {
    /// Where to say what happens.
    pub ui: Ui,
    /// What the builder says of the machine: a JSON object.
    pub generated_data: String,
    /// The host's services, where the host lent them.
    pub environment: Option<Environment>,
    /// When to stop.
    pub cancellation: Cancellation,
    communicator: Option<RemoteCommunicator>,
}

impl ProvisionRun {
    /// The way to the machine.
    ///
    /// # Errors
    /// There is none, as can be only where [`Provisioner::NEEDS_COMMUNICATOR`] is false.
    pub fn machine(&self) -> Result<&RemoteCommunicator, Stop> {
        self.communicator.as_ref().ok_or_else(no_machine)
    }
}

fn no_machine() -> Stop {
    Stop::failed("this provisioner needs a machine, and the builder has none")
}

pub(crate) struct ServedProvisioner<P: Provisioner> {
    provisioner: P,
    config: Reader<P::Config>,
}

impl<P: Provisioner> ServedProvisioner<P> {
    pub(crate) fn offer(name: &str, provisioner: P) -> Component<OfferedCapability> {
        let config = Reader::new();
        Component {
            config_schema: config.schema(),
            needs_communicator: P::NEEDS_COMMUNICATOR,
            ..described(
                name,
                (P::SUMMARY, P::DOCUMENTATION),
                OfferedCapability::Provisioner(OfferedProvisioner::new(Self { provisioner, config })),
            )
        }
    }
}

impl<P: Provisioner> packwire_wire::Provisioner for ServedProvisioner<P> {
    type Provision = ServedProvision<P::Provision>;

    async fn prepare(&self, config: String, context: Context) -> Prepared<Self::Provision> {
        let provisioner = &self.provisioner;
        self.config
            .prepare(
                &config,
                &context,
                |config, at| provisioner.warnings(config, at),
                |config, at| provisioner.prepare(config, at),
            )
            .map(|provision| ServedProvision { provision, needs_communicator: P::NEEDS_COMMUNICATOR })
    }
}

pub(crate) struct ServedProvision<P> {
    provision: P,
    needs_communicator: bool,
}

impl<P: Provision> packwire_wire::Provision for ServedProvision<P> {
    async fn run(self, run: packwire_wire::ProvisionRun) -> Outcome {
        let packwire_wire::ProvisionRun { ui, communicator, generated_data, environment, cancellation } = run;
        if self.needs_communicator && communicator.is_none() {
            return outcome(Err(no_machine()));
        }
        let run = ProvisionRun { ui, generated_data, environment, cancellation, communicator };
        outcome(self.provision.run(run).await)
    }
}
