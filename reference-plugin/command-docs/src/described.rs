//! A component as it describes itself.
use packwire_plugin::{Component, Kind, RemoteCapability};
use serde_json::{Value, json};

use crate::options::{Choice, choices};

/// All that can be told of a component without using it.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) documentation: String,
    /// Null where there is none.
    pub(crate) config_schema: Value,
    /// Null where there is none.
    pub(crate) output_schema: Value,
}

impl From<&Component<RemoteCapability>> for Described {
    fn from(component: &Component<RemoteCapability>) -> Self {
        Self {
            kind: component.kind(),
            name: component.name.clone(),
            summary: component.summary.clone(),
            documentation: component.documentation.clone(),
            config_schema: read(&component.config_schema),
            output_schema: read(&component.output_schema),
        }
    }
}

/// A schema that cannot be read tells nothing: conformance says so to its author.
fn read(schema: &str) -> Value {
    serde_json::from_str(schema).unwrap_or_default()
}

impl Described {
    /// What is in lists.
    pub(crate) fn in_short(&self) -> Value {
        json!({"kind": self.kind.name(), "name": self.name, "summary": self.summary})
    }

    /// All of it.
    pub(crate) fn whole(&self) -> Value {
        let Self { kind, name, summary, documentation, config_schema, output_schema } = self;
        json!({
            "kind": kind.name(),
            "name": name,
            "summary": summary,
            "documentation": documentation,
            "options": choices(config_schema).iter().map(Choice::json).collect::<Vec<_>>(),
            "configSchema": config_schema,
            "outputSchema": output_schema,
        })
    }
}
