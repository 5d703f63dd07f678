//! The components of a hello, read raw: what they are called, what they are, what they can be asked.

use capnp::Error;
use packwire_schema::attach_capnp::hello;
use packwire_schema::component_capnp::component;

/// Four times what a plugin may have.
pub(crate) const MOST_COMPONENTS: usize = 1024;

/// What is said of one component.
pub(crate) struct Offered<'a> {
    /// `builder custom-cloud`, or what stands in for it.
    pub(crate) title: String,
    /// Its name.
    pub(crate) name: String,
    /// Its kind, unless it has none that is known.
    pub(crate) kind: Option<Kind>,
    /// The rest of it.
    pub(crate) reader: component::Reader<'a>,
}

/// The seven kinds, in the order of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Builder,
    Provisioner,
    PostProcessor,
    DataSource,
    Hook,
    Command,
    Communicator,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Builder,
        Self::Provisioner,
        Self::PostProcessor,
        Self::DataSource,
        Self::Hook,
        Self::Command,
        Self::Communicator,
    ];

    /// The kind of a component, unless it is none that is known.
    pub(crate) fn of(component: component::Reader<'_>) -> Option<Self> {
        Some(match component.which().ok()? {
            component::ImageBuilder(_) => Self::Builder,
            component::Provisioner(_) => Self::Provisioner,
            component::PostProcessor(_) => Self::PostProcessor,
            component::DataSource(_) => Self::DataSource,
            component::Hook(_) => Self::Hook,
            component::Command(_) => Self::Command,
            component::Communicator(_) => Self::Communicator,
            component::Unset(()) => return None,
        })
    }

    /// As templates and file names write it.
    pub(crate) const fn word(self) -> &'static str {
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

/// The components of a hello, in its order.
///
/// # Errors
/// A hello that cannot be read, or one with far more components than a plugin may have.
pub(crate) fn offered(hello: hello::Reader<'_>) -> capnp::Result<Vec<Offered<'_>>> {
    let components = hello.get_components()?;
    let many = components.len() as usize;
    if many > MOST_COMPONENTS {
        return Err(Error::failed(format!("{many} components; the suite looks at {MOST_COMPONENTS}")));
    }
    components.iter().map(Offered::read).collect()
}

/// A text whose bytes may be anything.
pub(crate) fn text(read: capnp::Result<capnp::text::Reader<'_>>) -> capnp::Result<String> {
    Ok(String::from_utf8_lossy(read?.as_bytes()).into_owned())
}

impl<'a> Offered<'a> {
    fn read(reader: component::Reader<'a>) -> capnp::Result<Self> {
        let name = text(reader.get_name())?;
        let kind = Kind::of(reader);
        let title = format!("{} `{name}`", kind.map_or("component", Kind::word));
        Ok(Self { title, name, kind, reader })
    }

    /// Whether its capability is there; of no kind, it has none.
    pub(crate) fn has_capability(&self) -> bool {
        match self.reader.which() {
            Ok(component::ImageBuilder(capability)) => is_there(&capability),
            Ok(component::Provisioner(capability)) => is_there(&capability),
            Ok(component::PostProcessor(capability)) => is_there(&capability),
            Ok(component::DataSource(capability)) => is_there(&capability),
            Ok(component::Hook(capability)) => is_there(&capability),
            Ok(component::Command(capability)) => is_there(&capability),
            Ok(component::Communicator(capability)) => is_there(&capability),
            Ok(component::Unset(())) | Err(_) => false,
        }
    }
}

fn is_there<T>(capability: &Result<T, Error>) -> bool {
    capability.is_ok()
}
