//! The vectors: each is a message as text and as bytes, the bytes made by Cap'n Proto's own tool. Our readers must
//! find in the bytes what the text says, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use capnp::dynamic_value::Reader as Value;
use capnp::introspect::TypeVariant;
use capnp::message::{Reader as Message, ReaderOptions};
use capnp::schema::Field;
use capnp::schema_capnp::field;
use capnp::serialize::{self, OwnedSegments};
use capnp::traits::{FromPointerReader, OwnedStruct};
use capnp::{dynamic_list, dynamic_struct};
use packwire_schema::{
    artifact_capnp, attach_capnp, builder_capnp, communicator_capnp, component_capnp, connector_capnp,
    data_source_capnp, post_processor_capnp, recovery_capnp, ui_capnp, work_capnp,
};

use crate::declarations::{Kind, Role};
use crate::literal::Literal;

#[test]
fn our_readers_find_in_the_bytes_what_the_text_says() {
    let mut differences = Vec::new();
    for (name, text) in texts() {
        let bytes = bytes(&name);
        compare(&name, &text, read(&name, &bytes), &mut differences);
    }
    assert_eq!(differences, Vec::<String>::new());
}

#[test]
fn each_struct_has_a_reader_here() {
    let ours: BTreeSet<String> = readers().into_keys().map(str::to_owned).collect();
    assert_eq!(ours, declared(Kind::Struct).into_keys().collect());
}

#[test]
fn each_struct_has_a_vector() {
    let with: BTreeSet<String> = texts().keys().map(|name| struct_of(name).to_owned()).collect();
    assert_eq!(with, declared(Kind::Struct).into_keys().collect());
}

#[test]
fn each_field_union_member_and_enumerant_is_in_a_vector() {
    let mut members: BTreeSet<String> = declared(Kind::Struct).into_values().flatten().collect();
    members.extend(declared(Kind::Enum).into_values().flatten());
    for (name, text) in texts() {
        let bytes = bytes(&name);
        strike_out(&text, read(&name, &bytes), &mut members);
    }
    assert_eq!(members, BTreeSet::new(), "these members are in no vector");
}

#[test]
fn each_text_has_its_bytes_and_the_other_way_round() {
    let stems = |extension: &str| -> BTreeSet<String> {
        let files = crate::files("vectors", extension).into_keys();
        files.map(|name| name.trim_end_matches(extension).to_owned()).collect()
    };
    assert_eq!(stems("txt"), stems("bin"), "`cargo xtask vectors` makes the bytes");
}

#[test]
fn bytes_that_say_something_else_are_told() {
    let told = |text: &str, bytes_of: &str| {
        let (text, bytes) = (Literal::read(text).expect("the sample is well formed"), bytes(bytes_of));
        let mut differences = Vec::new();
        compare("x", &text, read(bytes_of, &bytes), &mut differences);
        differences
    };
    assert_eq!(told("(done = void, also = 1)", "Outcome.done.txt"), ["x.also: no such field"]);
    assert_eq!(
        told("(cancelled = void)", "Outcome.done.txt"),
        ["x.done: chosen in the bytes, not in the text", "x.cancelled: not chosen in the bytes"]
    );
    assert_eq!(
        told("(size = 1)", "FileInfo.unknown.txt"),
        ["x.size: Word(\"1\") in the text, -1 in the bytes"]
    );
    assert_eq!(told("()", "FileInfo.txt").len(), 3);
    assert_eq!(told("(entry = null)", "Remembered.txt").len(), 1);
}

/// The readers that the generated code has for each struct.
fn readers() -> BTreeMap<&'static str, Root> {
    BTreeMap::from([
        ("ArtifactInfo", root::<artifact_capnp::artifact_info::Owned> as Root),
        ("BuildOutcome", root::<builder_capnp::build_outcome::Owned>),
        ("CommunicatorInfo", root::<communicator_capnp::communicator_info::Owned>),
        ("Component", root::<component_capnp::component::Owned>),
        ("ConnectionOutcome", root::<connector_capnp::connection_outcome::Owned>),
        ("Context", root::<work_capnp::context::Owned>),
        ("Diagnostic", root::<work_capnp::diagnostic::Owned>),
        ("End", root::<attach_capnp::end::Owned>),
        ("Exit", root::<communicator_capnp::exit::Owned>),
        ("FileInfo", root::<communicator_capnp::file_info::Owned>),
        ("Hello", root::<attach_capnp::hello::Owned>),
        ("Outcome", root::<work_capnp::outcome::Owned>),
        ("PostProcessOutcome", root::<post_processor_capnp::post_process_outcome::Owned>),
        ("QueryOutcome", root::<data_source_capnp::query_outcome::Owned>),
        ("Remembered", root::<recovery_capnp::remembered::Owned>),
        ("RemoteCommand", root::<communicator_capnp::remote_command::Owned>),
        ("Reply", root::<ui_capnp::reply::Owned>),
    ])
}

type Root = for<'a> fn(&'a Message<OwnedSegments>) -> capnp::Result<Value<'a>>;

fn root<T: OwnedStruct>(message: &Message<OwnedSegments>) -> capnp::Result<Value<'_>>
where
    for<'a> T::Reader<'a>: FromPointerReader<'a> + Into<Value<'a>>,
{
    Ok(message.get_root::<T::Reader<'_>>()?.into())
}

fn read<'a>(name: &str, bytes: &'a Message<OwnedSegments>) -> dynamic_struct::Reader<'a> {
    let root = readers().remove(struct_of(name)).expect("the vector is called after a struct");
    match root(bytes).expect("the bytes are a message") {
        Value::Struct(found) => found,
        other => panic!("{name} is no struct: {other:?}"),
    }
}

fn texts() -> BTreeMap<String, Literal> {
    let literal = |name: &str, text: Vec<u8>| {
        let text = String::from_utf8(text).expect("the text is UTF-8");
        Literal::read(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let files = crate::files("vectors", "txt").into_iter();
    files.map(|(name, text)| (name.clone(), literal(&name, text))).collect()
}

fn bytes(name: &str) -> Message<OwnedSegments> {
    let path = crate::directory("vectors").join(name).with_extension("bin");
    let bytes = std::fs::read(&path).expect("`cargo xtask vectors` made the bytes");
    serialize::read_message(bytes.as_slice(), ReaderOptions::new()).expect("the bytes are a message")
}

fn struct_of(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Type → its members, as `Type.member`.
fn declared(kind: Kind) -> BTreeMap<String, BTreeSet<String>> {
    let types = crate::schema().into_iter().flat_map(|file| file.types);
    let of_kind = types.filter(|declared| declared.kind == kind);
    let members = of_kind.map(|declared| {
        let members = declared.members.iter().filter(|member| member.role != Role::Parameter);
        (declared.name.clone(), members.map(|member| format!("{}.{}", declared.name, member.name)).collect())
    });
    members.collect()
}

/// Adds to `differences` each field, with its path, in which the bytes are not what the text says.
fn compare(path: &str, text: &Literal, bytes: dynamic_struct::Reader<'_>, differences: &mut Vec<String>) {
    let Literal::Struct(written) = text else {
        return differences.push(format!("{path}: {text:?} in the text, a struct in the bytes"));
    };
    let schema = bytes.get_schema();
    for field in schema.get_fields().expect("a struct has fields").iter() {
        let path = format!("{path}.{}", name(field));
        match (written.get(&name(field)), is_there(bytes, field)) {
            (Some(_), false) => differences.push(format!("{path}: not chosen in the bytes")),
            (Some(text), true) => compare_field(&path, text, bytes, field, differences),
            (None, true) => differences.extend(unwritten(&path, bytes, field)),
            (None, false) => {}
        }
    }
    let unknown = written.keys().filter(|name| schema.get_field_by_name(name).is_err());
    differences.extend(unknown.map(|name| format!("{path}.{name}: no such field")));
}

/// False: another member of its union is chosen.
fn is_there(bytes: dynamic_struct::Reader<'_>, field: Field) -> bool {
    let in_union = field.get_proto().get_discriminant_value() != field::NO_DISCRIMINANT;
    !in_union || bytes.which().expect("the struct is sound") == Some(field)
}

fn compare_field(
    path: &str,
    text: &Literal,
    bytes: dynamic_struct::Reader<'_>,
    field: Field,
    differences: &mut Vec<String>,
) {
    if matches!(field.get_type().which(), TypeVariant::Capability) {
        let null = !bytes.has(field).expect("the field is sound");
        if *text != Literal::Word("null".into()) || !null {
            differences.push(format!(
                "{path}: {text:?} in the text, {} in the bytes",
                if null { "null" } else { "not null" }
            ));
        }
    } else {
        compare_value(path, text, bytes.get(field).expect("the field is sound"), differences);
    }
}

fn compare_value(path: &str, text: &Literal, bytes: Value<'_>, differences: &mut Vec<String>) {
    match (text, bytes) {
        (_, Value::Struct(bytes)) => compare(path, text, bytes, differences),
        (Literal::List(items), Value::List(bytes)) => compare_items(path, items, bytes, differences),
        (Literal::Text(text), Value::Text(bytes)) if bytes == text.as_str() => {}
        (Literal::Word(word), bytes) if shown(bytes).as_ref() == Some(word) => {}
        _ => differences.push(format!("{path}: {text:?} in the text, {bytes:?} in the bytes")),
    }
}

fn compare_items(
    path: &str,
    items: &[Literal],
    bytes: dynamic_list::Reader<'_>,
    differences: &mut Vec<String>,
) {
    if items.len() != bytes.len() as usize {
        return differences.push(format!(
            "{path}: {} items in the text, {} in the bytes",
            items.len(),
            bytes.len()
        ));
    }
    for (index, (item, bytes)) in items.iter().zip(bytes.iter()).enumerate() {
        compare_value(&format!("{path}[{index}]"), item, bytes.expect("the item is sound"), differences);
    }
}

/// How the text format writes what is neither struct, list nor text.
fn shown(value: Value<'_>) -> Option<String> {
    Some(match value {
        Value::Void => "void".to_owned(),
        Value::Bool(it) => it.to_string(),
        Value::Int32(it) => it.to_string(),
        Value::Int64(it) => it.to_string(),
        Value::UInt16(it) => it.to_string(),
        Value::UInt64(it) => it.to_string(),
        Value::Enum(_) => format!("{value:?}"),
        _ => return None,
    })
}

/// A field that the text leaves out is its default in the bytes, and of a union the first member.
fn unwritten(path: &str, bytes: dynamic_struct::Reader<'_>, field: Field) -> Option<String> {
    if !matches!(field.get_proto().get_discriminant_value(), 0 | field::NO_DISCRIMINANT) {
        return Some(format!("{path}: chosen in the bytes, not in the text"));
    }
    if field.get_type().is_pointer_type() {
        let there = bytes.has(field).expect("the field is sound");
        return there.then(|| format!("{path}: left out in the text, not in the bytes"));
    }
    let (found, default) = (bytes.get(field).expect("the field is sound"), default(field));
    (format!("{found:?}") != default).then(|| format!("{path}: {default} by default, {found:?} in the bytes"))
}

fn default(field: Field) -> String {
    let Ok(field::Slot(slot)) = field.get_proto().which() else { panic!("{} is no field", name(field)) };
    let value = slot.get_default_value().expect("a field has a default");
    format!("{:?}", Value::new(value, field.get_type()).expect("the default is of the field's type"))
}

fn name(field: Field) -> String {
    let name = field.get_proto().get_name().expect("a field has a name");
    name.to_string().expect("a name is UTF-8")
}

/// Strikes out of `members` those that the text mentions.
fn strike_out(text: &Literal, bytes: dynamic_struct::Reader<'_>, members: &mut BTreeSet<String>) {
    let Literal::Struct(written) = text else { return };
    let of = type_name(bytes.get_schema().get_proto());
    for (name, text) in written {
        members.remove(&format!("{of}.{name}"));
        if let Ok(value) = bytes.get_named(name) {
            strike_out_value(text, value, members);
        }
    }
}

fn strike_out_value(text: &Literal, value: Value<'_>, members: &mut BTreeSet<String>) {
    match (text, value) {
        (_, Value::Struct(bytes)) => strike_out(text, bytes, members),
        (Literal::List(items), Value::List(bytes)) => {
            for (item, bytes) in items.iter().zip(bytes.iter()) {
                strike_out_value(item, bytes.expect("the item is sound"), members);
            }
        }
        (Literal::Word(word), Value::Enum(found)) => {
            let enumerant = found.get_enumerant().expect("the enum is sound").expect("the member is known");
            members.remove(&format!("{}.{word}", type_name(enumerant.get_containing_enum().get_proto())));
        }
        _ => {}
    }
}

/// `work.capnp:Context.OnError` is called `OnError` here.
fn type_name(node: capnp::schema_capnp::node::Reader<'_>) -> String {
    let shown = node.get_display_name().expect("a type has a name").to_string().expect("a name is UTF-8");
    shown.rsplit(['.', ':']).next().unwrap_or(&shown).to_owned()
}
