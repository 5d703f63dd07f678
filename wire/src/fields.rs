//! No field of a struct that is a plain value here goes unread: what a vector of the schema says in it can be seen
//! in the value, or is missing there for a reason that stands here.
use std::{collections::BTreeSet, fmt::Debug, path::Path};

use capnp::{
    any_pointer,
    capability::FromClientHook,
    dynamic_struct, dynamic_value,
    introspect::TypeVariant,
    message::{HeapAllocator, Reader as Message, ReaderOptions},
    schema::{Field, StructSchema},
    schema_capnp::field::NO_DISCRIMINANT,
    serialize::{self, OwnedSegments},
    traits::Owned,
};
use capnp_rpc::{ImbuedMessageBuilder, new_broken_cap};
use packwire_schema::{
    artifact_capnp::artifact_info,
    attach_capnp::{end, hello},
    builder_capnp::build_outcome,
    communicator_capnp::{communicator_info, exit, file_info, remote_command},
    component_capnp::component,
    connector_capnp::connection_outcome,
    data_source_capnp::query_outcome,
    post_processor_capnp::post_process_outcome,
    recovery_capnp::remembered,
    ui_capnp::reply,
    work_capnp::{context, diagnostic, outcome},
};

use crate::{
    ArtifactInfo, Built, CommunicatorInfo, Component, ConnectionOutcome, Context, Diagnostic, End, Exit,
    FileInfo, Hello, Outcome, PostProcessOutcome, QueryOutcome, Remembered, RemoteCommand, Reply, Room,
    link::LinkState,
};

/// What is left unread on purpose, and why.
const UNREAD: [(&str, &str); 1] =
    [("Hello.token", "whoever receives the hello compares it, and nobody keeps it")];

#[tokio::test]
async fn every_field_can_be_seen_in_its_value() {
    let link = LinkState::unconnected(Room::open(tokio::runtime::Handle::current()).unwrap());
    let looked = [
        plain::<artifact_info::Owned, _>(ArtifactInfo::read),
        plain::<communicator_info::Owned, _>(CommunicatorInfo::read),
        plain::<remote_command::Owned, _>(RemoteCommand::read),
        plain::<exit::Owned, _>(Exit::read),
        plain::<file_info::Owned, _>(FileInfo::read),
        plain::<context::Owned, _>(Context::read),
        plain::<diagnostic::Owned, _>(Diagnostic::read),
        plain::<outcome::Owned, _>(Outcome::read),
        plain::<end::Owned, _>(End::read),
        plain::<reply::Owned, _>(Reply::read),
        plain::<query_outcome::Owned, _>(QueryOutcome::read),
        unseen::<post_process_outcome::Owned, _>(lend_processed, |it| PostProcessOutcome::read(it, &link)),
        unseen::<remembered::Owned, _>(lend_entry, |it| Remembered::read(it, &link)),
        unseen::<build_outcome::Owned, _>(lend_artifact, |it| Built::read(it, &link)),
        unseen::<connection_outcome::Owned, _>(lend_machine, |it| ConnectionOutcome::read(it, &link)),
        unseen::<component::Owned, _>(lend_component, |it| Component::read(it, &link)),
        unseen::<hello::Owned, _>(lend_components, |it| Hello::read(it, &link)),
    ];
    let structs = looked.iter().map(|looked| looked.name.clone());
    assert_eq!(structs.collect::<BTreeSet<_>>(), vectors().into_iter().map(|(name, _)| name).collect());
    let unread = looked.into_iter().flat_map(|looked| looked.unseen);
    assert_eq!(unread.collect::<Vec<_>>(), UNREAD.map(|(field, _)| field));
}

/// What came of a look at a struct.
struct Looked {
    name: String,
    unseen: Vec<String>,
}

/// As [`unseen`], of a struct without capabilities.
fn plain<T: Owned, V: Debug>(read: impl Fn(T::Reader<'_>) -> V) -> Looked
where
    for<'a> T::Builder<'a>: Into<dynamic_value::Builder<'a>>,
{
    unseen::<T, V>(|_, _| {}, read)
}

/// Finds the fields that can be changed in every vector of their struct without a change of the value. `lend` puts a
/// capability where a vector, which can hold none, has null.
fn unseen<T: Owned, V: Debug>(
    lend: impl Fn(T::Builder<'_>, &str),
    read: impl Fn(T::Reader<'_>) -> V,
) -> Looked
where
    for<'a> T::Builder<'a>: Into<dynamic_value::Builder<'a>>,
{
    let TypeVariant::Struct(schema) = T::introspect().which() else { panic!("it is no struct") };
    let schema: StructSchema = schema.into();
    let name = name_of(schema);
    let vectors = vectors().into_iter().filter(|(of, _)| *of == name).map(|(_, vector)| vector);
    let vectors: Vec<Vector> = vectors.collect();
    let value = |vector: &Vector, change: Change| {
        let mut message = ImbuedMessageBuilder::new(HeapAllocator::new());
        message
            .set_root::<any_pointer::Owned>(vector.get_root::<any_pointer::Reader<'_>>().unwrap())
            .unwrap();
        let dynamic_value::Builder::Struct(fields) = message.get_root::<T::Builder<'_>>().unwrap().into()
        else {
            panic!("it is no struct")
        };
        if !change.make(fields) {
            return None;
        }
        if !matches!(change, Change::Withhold(_)) {
            lend(message.get_root().unwrap(), &change.withheld());
        }
        let changed = message.get_root::<any_pointer::Builder<'_>>().unwrap().into_reader();
        Some(without_ids(&format!("{:?}", read(changed.get_as::<T::Reader<'_>>().unwrap()))))
    };
    let shows = |change: Change| {
        vectors.iter().any(|vector| {
            value(vector, change).is_some_and(|changed| Some(changed) != value(vector, Change::None))
        })
    };
    let fields = schema.get_fields().unwrap();
    let unseen = fields.iter().filter(|field| !changes(*field).into_iter().all(shows));
    let unseen = unseen.map(|field| format!("{name}.{}", field_name(field))).collect();
    Looked { name, unseen }
}

/// One way to change a message.
#[derive(Clone, Copy)]
enum Change {
    None,
    /// Sets a field to its default, if it is there.
    Clear(Field),
    /// Replaces a member of a union, if it is the chosen one, by the one of this number.
    Replace(Field, u16),
    /// Lends no capability in a member of a union, if it is the chosen one.
    Withhold(Field),
    /// Lends a capability everywhere but in this field.
    WithholdOnly(Field),
}

impl Change {
    /// The name of the one field in which nothing is lent.
    fn withheld(self) -> String {
        if let Self::WithholdOnly(field) = self { field_name(field) } else { String::new() }
    }

    /// Makes it; false if there is nothing to change.
    fn make(self, mut fields: dynamic_struct::Builder<'_>) -> bool {
        let (field, cleared) = match self {
            Self::None | Self::WithholdOnly(_) => return true,
            Self::Clear(field) => (field, Some(field)),
            Self::Replace(field, other) => {
                (field, fields.get_schema().get_field_by_discriminant(other).unwrap())
            }
            Self::Withhold(field) => (field, None),
        };
        let is_there = !is_member(field) || fields.which().unwrap() == Some(field);
        if let Some(cleared) = cleared.filter(|_| is_there) {
            fields.clear(cleared).unwrap();
        }
        is_there
    }
}

/// What must show of a field: of a member of a union that it was chosen, and what is in it.
fn changes(field: Field) -> Vec<Change> {
    let is_capability = matches!(field.get_type().which(), TypeVariant::Capability);
    if !is_member(field) {
        return vec![if is_capability { Change::WithholdOnly(field) } else { Change::Clear(field) }];
    }
    let other = u16::from(field.get_proto().get_discriminant_value() == 0);
    let chosen = Change::Replace(field, other);
    match field.get_type().which() {
        TypeVariant::Void => vec![chosen],
        // In a vector it is null already.
        TypeVariant::Capability => vec![chosen, Change::Withhold(field)],
        _ => vec![chosen, Change::Clear(field)],
    }
}

fn is_member(field: Field) -> bool {
    field.get_proto().get_discriminant_value() != NO_DISCRIMINANT
}

type Vector = Message<OwnedSegments>;

/// The vectors, each with the name of its struct.
fn vectors() -> Vec<(String, Vector)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema/vectors");
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let bytes = paths.filter(|path| path.extension().is_some_and(|extension| extension == "bin"));
    let read = |bytes: Vec<u8>| serialize::read_message(bytes.as_slice(), ReaderOptions::new()).unwrap();
    let name =
        |path: &Path| path.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().to_owned();
    bytes.map(|path| (name(&path), read(std::fs::read(path).unwrap()))).collect()
}

/// `work.capnp:Outcome` is called `Outcome` here.
fn name_of(schema: StructSchema) -> String {
    let name = schema.get_proto().get_display_name().unwrap().to_str().unwrap();
    name.rsplit(['.', ':']).next().unwrap().to_owned()
}

fn field_name(field: Field) -> String {
    field.get_proto().get_name().unwrap().to_str().unwrap().to_owned()
}

/// Handles have numbers, which differ each time.
fn without_ids(shown: &str) -> String {
    let mut parts = shown.split("Remote(");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |so_far, part| {
        so_far + "Remote(" + part.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

fn anything<C: FromClientHook>() -> C {
    C::new(new_broken_cap(capnp::Error::failed("never called".to_owned())).hook)
}

fn lend_artifact(mut outcome: build_outcome::Builder<'_>, _: &str) {
    if let Ok(build_outcome::Artifact(_)) = outcome.reborrow_as_reader().which() {
        outcome.set_artifact(anything());
    }
}

fn lend_processed(mut outcome: post_process_outcome::Builder<'_>, _: &str) {
    if let Ok(post_process_outcome::Artifact(_)) = outcome.reborrow_as_reader().which() {
        outcome.set_artifact(anything());
    }
}

fn lend_machine(mut outcome: connection_outcome::Builder<'_>, _: &str) {
    if let Ok(connection_outcome::Communicator(_)) = outcome.reborrow_as_reader().which() {
        outcome.set_communicator(anything());
    }
}

fn lend_entry(mut remembered: remembered::Builder<'_>, withheld: &str) {
    if withheld != "entry" {
        remembered.set_entry(anything());
    }
}

fn lend_component(mut component: component::Builder<'_>, withheld: &str) {
    if withheld != "recovery" {
        component.set_recovery(anything());
    }
    match component.reborrow_as_reader().which().unwrap() {
        component::Unset(()) => {}
        component::ImageBuilder(_) => component.set_image_builder(anything()),
        component::Provisioner(_) => component.set_provisioner(anything()),
        component::PostProcessor(_) => component.set_post_processor(anything()),
        component::DataSource(_) => component.set_data_source(anything()),
        component::Hook(_) => component.set_hook(anything()),
        component::Command(_) => component.set_command(anything()),
        component::Communicator(_) => component.set_communicator(anything()),
    }
}

fn lend_components(hello: hello::Builder<'_>, _: &str) {
    let mut components = hello.get_components().unwrap();
    (0..components.len()).for_each(|at| lend_component(components.reborrow().get(at), ""));
}
