//! The components as hello describes them.
use std::{
    hash::{BuildHasher, RandomState},
    time::Instant,
};

use capnp::{dynamic_struct, dynamic_value};
use packwire_schema::{attach_capnp::hello, component_capnp::component};
use serde_json::{Value, json};

use crate::{
    dialect::Dialect,
    fault::Fault,
    green::{
        self, Builder, Command, Connector, DataSource, Green, Hook, PostProcessor, Provisioner, Recovery,
    },
    hello::EXTENSIONS,
    hurt::{self, Hurt},
    manner::Manner,
};

/// What kind of component hello says it is.
#[derive(Clone, Copy)]
enum Kind {
    Builder,
    Provisioner,
    PostProcessor,
    DataSource,
    Hook,
    Command,
    Communicator,
    Unset,
    BuilderWithoutCapability,
}

/// Fills in the components of this manner.
///
/// # Errors
/// Cap'n Proto's own.
pub(crate) fn fill(hello: hello::Builder<'_>, manner: Manner) -> Result<(), capnp::Error> {
    let mut offered = offered(manner);
    match manner {
        Manner::Hurt(Hurt::Components) => offered.resize(1_000_000, (Kind::Unset, "grey")),
        Manner::Hurt(Hurt::ManyComponents) => offered.resize(100_000, (Kind::Unset, "grey")),
        _ => {}
    }
    let green = Green { manner, born: Instant::now() };
    let mut components = hello.init_components(u32::try_from(offered.len()).unwrap_or_default());
    for (at, (kind, name)) in (0..).zip(offered) {
        let mut component = components.reborrow().get(at);
        component.set_name(name);
        if !matches!((kind, manner), (Kind::Unset, Manner::Hurt(_))) {
            describe(component.reborrow(), kind, manner);
        }
        offer(component, kind, green)?;
    }
    Ok(())
}

fn offered(manner: Manner) -> Vec<(Kind, &'static str)> {
    let builder = (Kind::Builder, if manner.commits(Fault::WrongNameForFile) { "greenish" } else { "green" });
    let others = [
        Kind::Provisioner,
        Kind::PostProcessor,
        Kind::DataSource,
        Kind::Hook,
        Kind::Command,
        Kind::Communicator,
    ];
    let mut all = vec![builder];
    all.extend(others.map(|kind| (kind, "green")));
    match manner.fault() {
        Some(Fault::DuplicateComponent) => all.push(builder),
        Some(Fault::UnsetComponent) => all.push((Kind::Unset, "grey")),
        Some(Fault::NullCapability) => all.push((Kind::BuilderWithoutCapability, "grey")),
        // As a hash map with a seed of its own has them.
        Some(Fault::RandomOrderComponents) => {
            let seed = RandomState::new();
            all.sort_by_key(|(kind, name)| seed.hash_one((*kind as u8, name)));
        }
        _ => {}
    }
    all
}

fn describe(mut component: component::Builder<'_>, kind: Kind, manner: Manner) {
    if !manner.commits(Fault::NoSummary) {
        component.set_summary(if manner.speaks(Dialect::NonAscii) {
            "Grünes – 緑の 🌿"
        } else {
            "A green thing"
        });
        component.set_documentation("# Green\n\nSays its lines, and leaves what it is told to leave.\n");
    }
    if manner.speaks(Dialect::Extensions) {
        component.set_extensions(EXTENSIONS);
    }
    if !matches!(kind, Kind::Hook | Kind::Command) {
        component.set_config_schema(config_schema(manner));
    }
    match manner {
        Manner::Hurt(Hurt::Documentation) if matches!(kind, Kind::Builder) => {
            component.set_documentation("more and more, \n".repeat(60 << 16));
        }
        Manner::Hurt(Hurt::Schema) if matches!(kind, Kind::Builder) => {
            component.set_config_schema(hurt::lists(15 << 20));
        }
        _ => {}
    }
    match kind {
        Kind::Builder | Kind::BuilderWithoutCapability => component.set_output_schema(output_schema()),
        Kind::DataSource => component.set_output_schema(value_schema()),
        _ => {}
    }
}

/// The shape of the builder's generated data.
fn output_schema() -> String {
    json!({ "type": "object", "properties": { "lines": { "type": "integer" } } }).to_string()
}

/// The shape of what the data source finds.
fn value_schema() -> String {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "lines"],
        "properties": { "name": { "type": "string" }, "lines": { "type": "integer" } },
    })
    .to_string()
}

/// The shape of every component's configuration.
fn config_schema(manner: Manner) -> String {
    match manner.fault() {
        Some(Fault::SchemaNotJson) => "{ type: object }".to_owned(),
        Some(Fault::SchemaInvalid) => json!({ "type": "object", "required": "name" }).to_string(),
        Some(Fault::ExampleFailsSchema) => schema(manner, &json!([{ "name": 7 }])),
        _ => {
            schema(manner, &json!([{ "name": "one" }, { "name": "two", "lines": ["a", "b"], "keep": true }]))
        }
    }
}

fn schema(manner: Manner, examples: &Value) -> String {
    let mut schema = described_schema(examples);
    if manner.speaks(Dialect::SafeToRun) {
        schema["x-packwire-safe-to-run"] = true.into();
    }
    schema.to_string()
}

fn described_schema(examples: &Value) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["name"],
        "additionalProperties": false,
        "properties": {
            "name": { "type": "string", "minLength": 1, "description": "What it is called" },
            "lines": { "type": "array", "items": { "type": "string" }, "description": "What it says" },
            "keep": { "type": "boolean", "default": false, "description": "Whether an artifact is left" },
            "wait": { "type": "boolean", "default": false, "description": "Whether it works until it is cancelled" },
            "ask": { "type": "boolean", "default": false, "description": "Whether it asks the user" },
            "fail": { "type": "boolean", "default": false, "description": "Whether its work fails" },
            "bug": { "type": "boolean", "default": false, "description": "Whether its work meets a bug" },
            "crash": { "type": "boolean", "default": false, "description": "Whether its work crashes" },
            "number": { "type": "integer", "minimum": -9007199254740991_i64, "maximum": 9007199254740991_i64, "description": "A number that it says" },
            "child": { "type": "boolean", "default": false, "description": "Whether it has a child while it works" },
            "machine": { "type": "boolean", "default": false, "description": "Whether the builder has a machine" },
            "repeat": { "type": "integer", "minimum": 0, "maximum": 100000000, "description": "How often it says it" },
            "upload": { "type": "integer", "minimum": 0, "maximum": 100000000, "description": "How many bytes it sends" },
            "commands": { "type": "array", "items": { "type": "string" }, "description": "What the machine does" },
            "file": { "type": "string", "description": "Where the builder makes a file" },
            "password": { "type": "string", "writeOnly": true, "description": "What nobody may see" },
        },
        "examples": examples,
    })
}

fn offer(mut component: component::Builder<'_>, kind: Kind, green: Green) -> Result<(), capnp::Error> {
    if matches!(kind, Kind::Builder) && !green.manner.commits(Fault::OffersNoRecovery) {
        component.set_recovery(capnp_rpc::new_client(Recovery(green)));
    }
    match kind {
        Kind::Builder if green.manner.commits(Fault::SessionDiesOnUnknownMethod) => {
            component.set_image_builder(green::touchy_client(Builder(green)));
        }
        Kind::Builder => component.set_image_builder(capnp_rpc::new_client(Builder(green))),
        Kind::Provisioner => component.set_provisioner(capnp_rpc::new_client(Provisioner(green))),
        Kind::PostProcessor => component.set_post_processor(capnp_rpc::new_client(PostProcessor(green))),
        Kind::DataSource => component.set_data_source(capnp_rpc::new_client(DataSource(green))),
        Kind::Communicator => component.set_communicator(capnp_rpc::new_client(Connector(green))),
        Kind::Hook => component.set_hook(capnp_rpc::new_client(Hook(green))),
        Kind::Command => component.set_command(capnp_rpc::new_client(Command(green))),
        Kind::Unset => component.set_unset(()),
        Kind::BuilderWithoutCapability => {
            let component: dynamic_struct::Builder<'_> = dynamic_value::Builder::from(component).downcast();
            let mut component = component;
            component.clear_named("imageBuilder")?;
        }
    }
    Ok(())
}
