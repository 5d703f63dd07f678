//! The components of a hello, read raw: what they are called, what they are, what they can be asked.

use capnp::Error;
use packwire_schema::attach_capnp::hello;
use packwire_schema::component_capnp::component;

/// What is said of one component.
pub(super) struct Offered<'a> {
    /// `builder custom-cloud`, or what stands in for it.
    pub(super) title: String,
    /// Its name.
    pub(super) name: String,
    /// Its kind, unless it has none that is known.
    pub(super) kind: Option<Kind>,
    /// The rest of it.
    pub(super) reader: component::Reader<'a>,
}

/// The seven kinds, in the order of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Builder,
    Provisioner,
    PostProcessor,
    DataSource,
    Hook,
    Command,
    Communicator,
}

impl Kind {
    /// As templates and file names write it.
    pub(super) const fn word(self) -> &'static str {
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
pub(super) fn offered(hello: hello::Reader<'_>) -> capnp::Result<Vec<Offered<'_>>> {
    hello.get_components()?.iter().map(Offered::read).collect()
}

/// A text whose bytes may be anything.
pub(super) fn text(read: capnp::Result<capnp::text::Reader<'_>>) -> capnp::Result<String> {
    Ok(String::from_utf8_lossy(read?.as_bytes()).into_owned())
}

impl<'a> Offered<'a> {
    fn read(reader: component::Reader<'a>) -> capnp::Result<Self> {
        let name = text(reader.get_name())?;
        let kind = kind(reader);
        let title = format!("{} `{name}`", kind.map_or("component", Kind::word));
        Ok(Self { title, name, kind, reader })
    }

    /// Whether its capability is there; of no kind, it has none.
    pub(super) fn has_capability(&self) -> bool {
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

fn kind(component: component::Reader<'_>) -> Option<Kind> {
    Some(match component.which().ok()? {
        component::ImageBuilder(_) => Kind::Builder,
        component::Provisioner(_) => Kind::Provisioner,
        component::PostProcessor(_) => Kind::PostProcessor,
        component::DataSource(_) => Kind::DataSource,
        component::Hook(_) => Kind::Hook,
        component::Command(_) => Kind::Command,
        component::Communicator(_) => Kind::Communicator,
        component::Unset(()) => return None,
    })
}
