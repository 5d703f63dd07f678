//! `Component`: what a plugin offers, described and with its capability.
use std::{collections::HashSet, fmt, rc::Rc};

use packwire_schema::component_capnp::component as schema;

use crate::{
    broken::Trouble,
    builder::{OfferedBuilder, RemoteBuilder},
    connector::{OfferedConnector, RemoteConnector},
    data_source::{OfferedDataSource, RemoteDataSource},
    hook::{OfferedHook, RemoteHook},
    host_command::{OfferedHostCommand, RemoteHostCommand},
    limits,
    link::LinkState,
    place::{Place, lend},
    post_processor::{OfferedPostProcessor, RemotePostProcessor},
    provisioner::{OfferedProvisioner, RemoteProvisioner},
    read,
    recovery::{OfferedRecovery, RemoteRecovery},
    room::Remote,
};

/// What a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Makes images.
    Builder,
    /// Does something to machines.
    Provisioner,
    /// Makes artifacts of artifacts.
    PostProcessor,
    /// Yields values for templates.
    DataSource,
    /// Runs at events of a build.
    Hook,
    /// A command of the host's command line.
    Command,
    /// A way to machines.
    Communicator,
}

impl Kind {
    /// All kinds, in the order of the schema.
    pub const ALL: [Self; 7] = [
        Self::Builder,
        Self::Provisioner,
        Self::PostProcessor,
        Self::DataSource,
        Self::Hook,
        Self::Command,
        Self::Communicator,
    ];

    /// Its name in texts, templates and file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Builder => "builder",
            Self::Provisioner => "provisioner",
            Self::PostProcessor => "post-processor",
            Self::DataSource => "data-source",
            Self::Hook => "hook",
            Self::Command => "command",
            Self::Communicator => "communicator",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What can be called of a component: offered by us, or a peer's.
pub trait Capability: fmt::Debug + Clone {
    /// What deals with what a crash of the component left, seen from the same end.
    type Recovery: fmt::Debug + Clone;

    /// Its kind.
    fn kind(&self) -> Kind;
}

/// A component, with its capability as `C`: offered by us or a peer's.
#[derive(Debug, Clone)]
pub struct Component<C: Capability> {
    /// What templates say; unique among the plugin's components of its kind.
    pub name: String,
    /// One line.
    pub summary: String,
    /// CommonMark, at most 64 KiB.
    pub documentation: String,
    /// JSON Schema 2020-12 of its configuration, at most 256 KiB; empty for hook and command.
    pub config_schema: String,
    /// The same for what it yields: a data source's value, a builder's generated data. May be empty.
    pub output_schema: String,
    /// What deals with what a crash left; `None`: it makes nothing that outlives one.
    pub recovery: Option<C::Recovery>,
    /// Provisioners and hooks: whether they need a machine.
    pub needs_communicator: bool,
    /// A JSON object with reverse-DNS keys; unknown ones are ignored.
    pub extensions: String,
    /// What can be called.
    pub capability: C,
}

impl<C: Capability> Component<C> {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.capability.kind()
    }
}

/// Declares the capability of a component, once for each end, and how the kinds of the schema map to it.
macro_rules! capabilities {
    ($($(#[$doc:meta])* $Kind:ident($Offered:ident, $Remote:ident): $member:ident, $set:ident;)*) => {
        /// The capability of a component of ours.
        #[derive(Debug, Clone)]
        pub enum OfferedCapability {
            $($(#[$doc])* $Kind($Offered),)*
        }

        /// The capability of a plugin's component.
        #[derive(Debug, Clone)]
        pub enum RemoteCapability {
            $($(#[$doc])* $Kind($Remote),)*
        }

        impl Capability for OfferedCapability {
            type Recovery = OfferedRecovery;

            fn kind(&self) -> Kind {
                match self {
                    $(Self::$Kind(_) => Kind::$Kind,)*
                }
            }
        }

        impl Capability for RemoteCapability {
            type Recovery = RemoteRecovery;

            fn kind(&self) -> Kind {
                match self {
                    $(Self::$Kind(_) => Kind::$Kind,)*
                }
            }
        }

        impl From<RemoteCapability> for OfferedCapability {
            /// Lends on what a plugin offers, for as long as it is lent.
            fn from(remote: RemoteCapability) -> Self {
                match remote {
                    $(RemoteCapability::$Kind(remote) => Self::$Kind(remote.into()),)*
                }
            }
        }

        impl RemoteCapability {
            fn read(reader: schema::Reader<'_>, link: &Rc<LinkState>) -> Result<Self, Trouble> {
                let null = |_| Trouble::malformed("its capability is null");
                Ok(match reader.which().map_err(|member| read::unknown("kind", member))? {
                    schema::Unset(()) => return Err(read::unset("kind")),
                    $(schema::$member(client) => {
                        Self::$Kind($Remote(Remote::adopt(link, client.map_err(null)?)))
                    })*
                })
            }
        }

        impl OfferedCapability {
            /// A capability whose own link is gone stays null, which the host refuses by name.
            fn write(self, mut builder: schema::Builder<'_>, place: &Place) {
                match self {
                    $(Self::$Kind(offered) => { lend!(builder at place; $set: offered); })*
                }
            }
        }
    };
}

capabilities! {
    /// A builder.
    Builder(OfferedBuilder, RemoteBuilder): ImageBuilder, set_image_builder;
    /// A provisioner.
    Provisioner(OfferedProvisioner, RemoteProvisioner): Provisioner, set_provisioner;
    /// A post-processor.
    PostProcessor(OfferedPostProcessor, RemotePostProcessor): PostProcessor, set_post_processor;
    /// A data source.
    DataSource(OfferedDataSource, RemoteDataSource): DataSource, set_data_source;
    /// A hook.
    Hook(OfferedHook, RemoteHook): Hook, set_hook;
    /// A command.
    Command(OfferedHostCommand, RemoteHostCommand): Command, set_command;
    /// A communicator.
    Communicator(OfferedConnector, RemoteConnector): Communicator, set_communicator;
}

impl From<Component<RemoteCapability>> for Component<OfferedCapability> {
    /// Lends on what a plugin offers, less its recovery, which is the host's alone to call.
    fn from(component: Component<RemoteCapability>) -> Self {
        Self {
            name: component.name,
            summary: component.summary,
            documentation: component.documentation,
            config_schema: component.config_schema,
            output_schema: component.output_schema,
            recovery: None,
            needs_communicator: component.needs_communicator,
            extensions: component.extensions,
            capability: component.capability.into(),
        }
    }
}

impl Component<RemoteCapability> {
    pub(crate) fn read(reader: schema::Reader<'_>, link: &Rc<LinkState>) -> Result<Self, Trouble> {
        let component = Self {
            name: read::text(reader.get_name())?,
            summary: read::text(reader.get_summary())?,
            documentation: read::text(reader.get_documentation())?,
            config_schema: read::text(reader.get_config_schema())?,
            output_schema: read::text(reader.get_output_schema())?,
            recovery: read::optional(reader.has_recovery(), || reader.get_recovery())?
                .map(|client| RemoteRecovery(Remote::adopt(link, client))),
            needs_communicator: reader.get_needs_communicator(),
            extensions: read::text(reader.get_extensions())?,
            capability: RemoteCapability::read(reader, link).map_err(|trouble| {
                Trouble::malformed(format!("component {:?}: {}", name(reader), trouble.told()))
            })?,
        };
        component
            .check()
            .map_err(|what| Trouble::malformed(format!("component {:?}: {what}", component.name)))?;
        Ok(component)
    }

    fn check(&self) -> Result<(), String> {
        if !is_component_name(&self.name) {
            let limit = limits::COMPONENT_NAME_BYTES;
            return Err(format!("a name has 1 to {limit} lower-case letters, digits and inner hyphens"));
        }
        let bounded = [
            ("documentation", self.documentation.len(), limits::DOCUMENTATION_BYTES),
            ("configSchema", self.config_schema.len(), limits::SCHEMA_BYTES),
            ("outputSchema", self.output_schema.len(), limits::SCHEMA_BYTES),
        ];
        match bounded.iter().find(|(_, bytes, limit)| bytes > limit) {
            Some((what, bytes, limit)) => {
                Err(format!("its {what} has {bytes} bytes, and {limit} is the limit"))
            }
            None => Ok(()),
        }
    }
}

fn name(reader: schema::Reader<'_>) -> String {
    read::text(reader.get_name()).unwrap_or_default()
}

/// Whether a component may have this name.
pub fn is_component_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= limits::COMPONENT_NAME_BYTES
        && name.bytes().all(inner)
        && !name.is_empty()
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Refuses two components of one kind with one name.
pub(crate) fn check_unique(components: &[Component<RemoteCapability>]) -> Result<(), Trouble> {
    let mut seen = HashSet::new();
    match components.iter().find(|one| !seen.insert((one.kind(), &one.name))) {
        Some(twice) => {
            Err(Trouble::malformed(format!("it offers two {}s called {:?}", twice.kind(), twice.name)))
        }
        None => Ok(()),
    }
}

impl Component<OfferedCapability> {
    pub(crate) fn write(self, mut builder: schema::Builder<'_>, place: &Place) {
        let Self {
            name,
            summary,
            documentation,
            config_schema,
            output_schema,
            recovery,
            needs_communicator,
            extensions,
            capability,
        } = self;
        builder.set_name(name);
        builder.set_summary(summary);
        builder.set_documentation(documentation);
        builder.set_config_schema(config_schema);
        builder.set_output_schema(output_schema);
        builder.set_needs_communicator(needs_communicator);
        builder.set_extensions(extensions);
        if let Some(recovery) = recovery {
            lend!(builder at place; set_recovery: recovery);
        }
        capability.write(builder, place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn component_names_are_checked() {
        for good in ["file", "custom-cloud", "a", "x2"] {
            assert!(is_component_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "ä", &"a".repeat(65)] {
            assert!(!is_component_name(bad), "{bad}");
        }
    }
}
