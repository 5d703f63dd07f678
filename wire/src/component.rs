//! `Component`: what a plugin offers, described and with its capability.
use std::{collections::HashSet, fmt, rc::Rc};

use packwire_schema::component_capnp::component as schema;

use crate::{
    broken::Trouble,
    builder::{OfferedBuilder, RemoteBuilder},
    connector::{OfferedConnector, RemoteConnector},
    hook::{OfferedHook, RemoteHook},
    limits,
    link::LinkState,
    place::Place,
    provisioner::{OfferedProvisioner, RemoteProvisioner},
    read,
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

/// A component, with its capability as `C`: offered by us or a peer's.
#[derive(Debug, Clone)]
pub struct Component<C> {
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
    /// Provisioners and hooks: whether they need a machine.
    pub needs_communicator: bool,
    /// A JSON object with reverse-DNS keys; unknown ones are ignored.
    pub extensions: String,
    /// What can be called.
    pub capability: C,
}

/// The capability of a component of ours.
#[derive(Debug, Clone)]
pub enum OfferedCapability {
    /// A builder.
    Builder(OfferedBuilder),
    /// A provisioner.
    Provisioner(OfferedProvisioner),
    /// A hook.
    Hook(OfferedHook),
    /// A communicator.
    Communicator(OfferedConnector),
}

/// The capability of a plugin's component.
#[derive(Debug, Clone)]
pub enum RemoteCapability {
    /// A builder.
    Builder(RemoteBuilder),
    /// A provisioner.
    Provisioner(RemoteProvisioner),
    /// A hook.
    Hook(RemoteHook),
    /// A communicator.
    Communicator(RemoteConnector),
    /// A kind that this library describes but does not call: post-processor, data-source or command.
    Described(Kind),
}

impl OfferedCapability {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Builder(_) => Kind::Builder,
            Self::Provisioner(_) => Kind::Provisioner,
            Self::Hook(_) => Kind::Hook,
            Self::Communicator(_) => Kind::Communicator,
        }
    }
}

impl RemoteCapability {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Builder(_) => Kind::Builder,
            Self::Provisioner(_) => Kind::Provisioner,
            Self::Hook(_) => Kind::Hook,
            Self::Communicator(_) => Kind::Communicator,
            Self::Described(kind) => *kind,
        }
    }

    fn read(reader: schema::Reader<'_>, link: &Rc<LinkState>) -> Result<Self, Trouble> {
        let null = || Trouble::malformed("its capability is null");
        Ok(match reader.which().map_err(|member| read::unknown("kind", member))? {
            schema::Unset(()) => return Err(read::unset("kind")),
            schema::ImageBuilder(client) => {
                Self::Builder(RemoteBuilder(Remote::adopt(link, client.map_err(|_| null())?)))
            }
            schema::Provisioner(client) => {
                Self::Provisioner(RemoteProvisioner(Remote::adopt(link, client.map_err(|_| null())?)))
            }
            schema::Hook(client) => Self::Hook(RemoteHook(Remote::adopt(link, client.map_err(|_| null())?))),
            schema::Communicator(client) => {
                Self::Communicator(RemoteConnector(Remote::adopt(link, client.map_err(|_| null())?)))
            }
            schema::PostProcessor(client) => {
                client.map(|_| Self::Described(Kind::PostProcessor)).map_err(|_| null())?
            }
            schema::DataSource(client) => {
                client.map(|_| Self::Described(Kind::DataSource)).map_err(|_| null())?
            }
            schema::Command(client) => client.map(|_| Self::Described(Kind::Command)).map_err(|_| null())?,
        })
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
    match components.iter().find(|one| !seen.insert((one.capability.kind(), &one.name))) {
        Some(twice) => Err(Trouble::malformed(format!(
            "it offers two {}s called {:?}",
            twice.capability.kind(),
            twice.name
        ))),
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
        capability.write(builder, place);
    }
}

impl OfferedCapability {
    /// A capability whose own link is gone stays null, which the host refuses by name.
    fn write(self, mut builder: schema::Builder<'_>, place: &Place) {
        match self {
            Self::Builder(offer) => {
                if let Some(client) = offer.0.at(place) {
                    builder.set_image_builder(client);
                }
            }
            Self::Provisioner(offer) => {
                if let Some(client) = offer.0.at(place) {
                    builder.set_provisioner(client);
                }
            }
            Self::Hook(offer) => {
                if let Some(client) = offer.0.at(place) {
                    builder.set_hook(client);
                }
            }
            Self::Communicator(offer) => {
                if let Some(client) = offer.0.at(place) {
                    builder.set_communicator(client);
                }
            }
        }
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
