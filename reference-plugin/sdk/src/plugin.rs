//! What a plugin offers, and its `main`.
use std::process::ExitCode;

use packwire_wire::{Component, Hook, Kind, OfferedCapability, OfferedHook, limits};

use crate::{
    Builder, Command, Connector, DataSource, PostProcessor, Provisioner, Recover, builder::ServedBuilder,
    command::ServedCommand, connector::ServedConnector, data_source::ServedDataSource, opened::Opened,
    post_processor::ServedPostProcessor, provisioner::ServedProvisioner, recover::ServedRecovery, session,
};

/// A plugin and the components that it offers.
///
/// ```no_run
/// # use packwire_plugin::{Hook, HookRun, Outcome};
/// # struct Audit;
/// # impl Hook for Audit { async fn run(&self, _: HookRun) -> Outcome { Outcome::Done } }
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     packwire_plugin::Plugin::new("packer-plugin-acme", env!("CARGO_PKG_VERSION"))
///         .hook("acme", "Writes down what happens", Audit)
///         .hook("acme-quiet", "Does the same without a word", Audit)
///         .serve()
/// }
/// ```
#[derive(Debug)]
pub struct Plugin {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) components: Vec<Component<OfferedCapability>>,
    pub(crate) opened: Opened,
}

impl Plugin {
    /// A plugin that offers nothing yet. The version is a semantic one.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into(), components: Vec::new(), opened: Opened::default() }
    }

    /// The same, with a builder.
    #[must_use]
    pub fn builder(self, name: &str, builder: impl Builder) -> Self {
        self.with(ServedBuilder::offer(name, builder))
    }

    /// The same, with a provisioner.
    #[must_use]
    pub fn provisioner(self, name: &str, provisioner: impl Provisioner) -> Self {
        self.with(ServedProvisioner::offer(name, provisioner))
    }

    /// The same, with a post-processor.
    #[must_use]
    pub fn post_processor(self, name: &str, post_processor: impl PostProcessor) -> Self {
        self.with(ServedPostProcessor::offer(name, post_processor))
    }

    /// The same, with a data source.
    #[must_use]
    pub fn data_source(self, name: &str, data_source: impl DataSource) -> Self {
        self.with(ServedDataSource::offer(name, data_source))
    }

    /// The same, with a command of the host's command line.
    #[must_use]
    pub fn command(self, name: &str, command: impl Command) -> Self {
        self.with(ServedCommand::offer(name, command))
    }

    /// The same, where crashed runs of the component that was added last are cleaned up after by `recover`.
    #[must_use]
    pub fn recovering(mut self, recover: impl Recover) -> Self {
        if let Some(last) = self.components.last_mut() {
            last.recovery = Some(ServedRecovery::offer(recover));
        }
        self
    }

    /// The same, where the component that was added last is documented by `documentation`, CommonMark: for hooks, whose
    /// trait has none.
    #[must_use]
    pub fn documented(mut self, documentation: &str) -> Self {
        if let Some(last) = self.components.last_mut() {
            last.documentation = documentation.to_owned();
        }
        self
    }

    /// The same, with a communicator.
    #[must_use]
    pub fn communicator(self, name: &str, connector: impl Connector) -> Self {
        let opened = self.opened.clone();
        self.with(ServedConnector::offer(name, connector, opened))
    }

    /// The same, with a hook; `summary` is one line for lists.
    #[must_use]
    pub fn hook(self, name: &str, summary: &str, hook: impl Hook) -> Self {
        self.with(described(name, (summary, ""), OfferedCapability::Hook(OfferedHook::new(hook))))
    }

    fn with(mut self, component: Component<OfferedCapability>) -> Self {
        self.components.push(component);
        self
    }

    /// The whole `main` of the plugin: attaches to the host that started it, works for it, and leaves.
    /// The exit code is that of SPEC.md.
    pub fn serve(self) -> ExitCode {
        session::serve(self)
    }

    /// How long it may take to clean up: as long as the slowest of its kinds.
    pub(crate) fn grace(&self) -> std::time::Duration {
        let slow = |kind| matches!(kind, Kind::Builder | Kind::PostProcessor);
        let has_slow = self.components.iter().any(|one| slow(one.kind()));
        if has_slow { limits::CLEAN_UP_BUILDER } else { limits::CLEAN_UP }
    }
}

/// A component without schemas.
pub(crate) fn described(
    name: &str,
    (summary, documentation): (&str, &str),
    capability: OfferedCapability,
) -> Component<OfferedCapability> {
    Component {
        name: name.to_owned(),
        summary: summary.to_owned(),
        documentation: documentation.to_owned(),
        config_schema: String::new(),
        output_schema: String::new(),
        recovery: None,
        needs_communicator: false,
        extensions: String::new(),
        capability,
    }
}

/// The whole `main` of a plugin with one builder; its name and version are those of the calling crate.
///
/// `serve_builder!("disk", Disk, recovering: Disk)` offers a [`Recover`] beside it.
#[macro_export]
macro_rules! serve_builder {
    ($name:expr, $builder:expr $(, recovering: $recover:expr)?) => {
        $crate::main_of!(builder($name, $builder) $(.recovering($recover))?);
    };
}

/// The whole `main` of a plugin with one post-processor; its name and version are those of the calling crate.
#[macro_export]
macro_rules! serve_post_processor {
    ($name:expr, $post_processor:expr $(, recovering: $recover:expr)?) => {
        $crate::main_of!(post_processor($name, $post_processor) $(.recovering($recover))?);
    };
}

/// The whole `main` of a plugin with one data source; its name and version are those of the calling crate.
#[macro_export]
macro_rules! serve_data_source {
    ($name:expr, $data_source:expr) => {
        $crate::main_of!(data_source($name, $data_source));
    };
}

/// The whole `main` of a plugin with one command; its name and version are those of the calling crate.
#[macro_export]
macro_rules! serve_command {
    ($name:expr, $command:expr) => {
        $crate::main_of!(command($name, $command));
    };
}

/// The whole `main` of a plugin with one provisioner; its name and version are those of the calling crate.
#[macro_export]
macro_rules! serve_provisioner {
    ($name:expr, $provisioner:expr $(, recovering: $recover:expr)?) => {
        $crate::main_of!(provisioner($name, $provisioner) $(.recovering($recover))?);
    };
}

/// The whole `main` of a plugin with one communicator; its name and version are those of the calling crate.
#[macro_export]
macro_rules! serve_communicator {
    ($name:expr, $connector:expr $(, recovering: $recover:expr)?) => {
        $crate::main_of!(communicator($name, $connector) $(.recovering($recover))?);
    };
}

/// The whole `main` of a plugin with one hook; its name and version are those of the calling crate.
///
/// `serve_hook!("audit", "Writes down what happens", Audit, documented: "…")` has a documentation beside its summary.
#[macro_export]
macro_rules! serve_hook {
    ($name:expr, $summary:expr, $hook:expr $(, documented: $documentation:expr)?) => {
        $crate::main_of!(hook($name, $summary, $hook) $(.documented($documentation))?);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! main_of {
    ($kind:ident($($component:expr),+) $(.$more:ident($argument:expr))?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::Plugin::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
                .$kind($($component),+)
                $(.$more($argument))?
                .serve()
        }
    };
}
