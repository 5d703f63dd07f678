//! What the plugin says of itself.
use packwire_wire::{Component, Hello, OfferedBuilder, OfferedCapability};

use crate::{behaviour::Behaviour, task::Tasks};

pub(crate) fn of(behaviour: Behaviour) -> Hello<OfferedCapability> {
    Hello {
        protocol_version: if behaviour == Behaviour::OtherVersion { 9 } else { 1 },
        name: name(behaviour).to_owned(),
        version: if behaviour == Behaviour::OddVersion { "1.0" } else { "1.0.0" }.to_owned(),
        sdk: String::new(),
        components: components(behaviour),
        extensions: String::new(),
    }
}

fn name(behaviour: Behaviour) -> &'static str {
    match behaviour {
        Behaviour::Nameless => "",
        Behaviour::TwoLineName => "te\nst",
        _ => "test",
    }
}

fn components(behaviour: Behaviour) -> Vec<Component<OfferedCapability>> {
    match behaviour {
        Behaviour::TwinComponents => vec![component("twin"), component("twin")],
        Behaviour::CrowdOfComponents => (0..=256).map(|number| component(&format!("c{number}"))).collect(),
        Behaviour::NoComponents => Vec::new(),
        Behaviour::NamelessComponent => vec![component("")],
        _ => vec![component("test")],
    }
}

fn component(name: &str) -> Component<OfferedCapability> {
    Component {
        name: name.to_owned(),
        summary: "A test".to_owned(),
        documentation: String::new(),
        config_schema: "{}".to_owned(),
        output_schema: String::new(),
        recovery: None,
        needs_communicator: false,
        extensions: String::new(),
        capability: OfferedCapability::Builder(OfferedBuilder::new(Tasks)),
    }
}
