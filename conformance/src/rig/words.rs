//! What a message carries in words: in the notation of the transcripts in SPEC.md, on one line, and short.
//!
//! Whatever a plugin sends is told in bounded time and room; what must not be seen is taken out.

use std::fmt::Write;

use capnp::dynamic_value::Reader as Value;
use capnp::introspect::TypeVariant;
use capnp::private::layout::{CapTable, PointerReader, StructReader};
use capnp::schema::{Field, StructSchema};
use capnp::schema_capnp::{field, node};
use capnp::traits::{FromPointerReader, Imbue, IntoInternalStructReader};
use capnp::{dynamic_struct, struct_list};
use capnp_rpc::rpc_capnp::{cap_descriptor, payload};
use packwire_schema::work_capnp::context;

use super::methods::{Half, MethodId, schema_of, structure};
use crate::stage::SECRET;

/// How many characters of a text are told, and how many bytes of it are looked at.
const TEXT: usize = 200;
const LOOKED_AT: usize = 4096;
/// How many elements of a list are told.
const ELEMENTS: u32 = 8;
/// How many capabilities of a message are told apart.
const CAPABILITIES: u32 = 256;
/// No message is told in many more bytes than this.
const MOST: usize = 1000;
/// A token that is shorter stands in innocent words.
const TOKEN: usize = 16;
/// Of fields without a discriminant.
const NO_UNION: u16 = 0xffff;

/// The texts that must not be seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Conceals {
    token: String,
}

impl Conceals {
    /// The secret of the suite, and the token of a host.
    pub(super) fn token(token: &str) -> Self {
        Self { token: token.trim().to_owned() }
    }

    /// A text without them.
    pub(super) fn conceal(&self, text: &str) -> String {
        let text = text.replace(SECRET, "[the secret]");
        if self.token.len() < TOKEN { text } else { text.replace(&self.token, "[the token]") }
    }
}

/// What a call or an answer carries, such as `(text = "Building…")`; nothing for methods that are not in the schema.
pub(super) fn payload_in_words(
    method: MethodId,
    half: Half,
    payload: payload::Reader<'_>,
    conceals: &Conceals,
) -> capnp::Result<Option<String>> {
    let Some(schema) = schema_of(method, half) else { return Ok(None) };
    let capabilities = Capabilities::of(payload)?;
    let mut content = payload.get_content();
    content.imbue(&capabilities.table);
    let mut words = Words { text: String::new(), is_cut: false, capabilities: &capabilities, conceals };
    words.structure(structure(content)?, schema, true)?;
    Ok(Some(words.text))
}

/// The capabilities of a message: stand-ins that can be told apart, and what each is called.
struct Capabilities {
    table: CapTable,
    names: Vec<(usize, String)>,
}

impl Capabilities {
    fn of(payload: payload::Reader<'_>) -> capnp::Result<Self> {
        let (mut table, mut names) = (Vec::new(), Vec::new());
        let descriptors = payload.get_cap_table()?;
        for descriptor in descriptors.iter().take(CAPABILITIES as usize) {
            let stand_in = capnp_rpc::new_broken_cap(capnp::Error::failed("a stand-in".to_owned())).hook;
            names.push((stand_in.get_ptr(), named(descriptor)));
            table.push(Some(stand_in));
        }
        Ok(Self { table, names })
    }

    fn name(&self, pointer: &PointerReader<'_>) -> &str {
        if pointer.is_null() {
            return "null";
        }
        let stand_in = pointer.get_capability().map(|hook| hook.get_ptr());
        let known = stand_in.ok().and_then(|place| self.names.iter().find(|(known, _)| *known == place));
        known.map_or("no capability of this message", |(_, name)| name)
    }
}

fn named(descriptor: cap_descriptor::Reader<'_>) -> String {
    match descriptor.which() {
        Ok(cap_descriptor::None(())) => "null".to_owned(),
        Ok(cap_descriptor::SenderHosted(id) | cap_descriptor::SenderPromise(id)) => format!("cap {id}"),
        Ok(cap_descriptor::ReceiverHosted(id)) => format!("cap {id} of the other side"),
        Ok(cap_descriptor::ReceiverAnswer(answer)) => answer
            .map_or("a cap".to_owned(), |answer| format!("a cap of answer {}", answer.get_question_id())),
        Ok(cap_descriptor::ThirdPartyHosted(_)) => "a cap of a third side".to_owned(),
        Err(capnp::NotInSchema(number)) => format!("a cap of the unknown kind {number}"),
    }
}

/// What is told so far.
struct Words<'a> {
    text: String,
    is_cut: bool,
    capabilities: &'a Capabilities,
    conceals: &'a Conceals,
}

impl Words<'_> {
    /// The fields of a struct; inside of another one those that are null are left out.
    fn structure(
        &mut self,
        reader: StructReader<'_>,
        schema: StructSchema,
        whole: bool,
    ) -> capnp::Result<()> {
        let dynamic = dynamic_struct::Reader::new(reader, schema);
        let member = dynamic.which()?;
        self.text.push('(');
        let mut gap = "";
        for field in schema.get_fields()? {
            let is_member = field.get_proto().get_discriminant_value() != NO_UNION;
            let is_told = if is_member { Some(field) == member } else { whole || dynamic.has(field)? };
            if is_told && self.has_room() {
                self.text.push_str(gap);
                gap = ", ";
                self.field(reader, dynamic, field)?;
            }
        }
        if member.is_none()
            && let Some(number) = discriminant(reader, schema)?
        {
            self.put(format_args!("{gap}the unknown member {number}"));
        }
        self.text.push(')');
        Ok(())
    }

    fn field(
        &mut self,
        reader: StructReader<'_>,
        dynamic: dynamic_struct::Reader<'_>,
        field: Field,
    ) -> capnp::Result<()> {
        let proto = field.get_proto();
        let name = proto.get_name()?.to_str()?;
        self.put(format_args!("{name} = "));
        let pointer = match proto.which()? {
            field::Slot(slot) => usize::try_from(slot.get_offset()).ok(),
            field::Group(_) => None,
        };
        match (field.get_type().which(), pointer) {
            (TypeVariant::Struct(schema), Some(at)) => {
                self.structure(reader.get_pointer_field(at).get_struct(None)?, schema.into(), false)
            }
            (TypeVariant::Struct(schema), None) => self.structure(reader, schema.into(), false),
            (TypeVariant::List(element), Some(at)) if let TypeVariant::Struct(schema) = element.which() => {
                self.structures(&reader.get_pointer_field(at), schema.into())
            }
            (TypeVariant::Capability, Some(at)) => {
                let name = self.capabilities.name(&reader.get_pointer_field(at));
                self.text.push_str(name);
                Ok(())
            }
            (TypeVariant::Text, _) if ["token", "secret"].contains(&name) => {
                self.hidden(dynamic.get(field)?);
                Ok(())
            }
            _ => self.value(dynamic.get(field)?),
        }
    }

    fn structures(&mut self, list: &PointerReader<'_>, schema: StructSchema) -> capnp::Result<()> {
        // As in `structure`: the list of any struct is the list of all.
        let list: struct_list::Reader<'_, context::Owned> = FromPointerReader::get_from_pointer(list, None)?;
        self.list(list.len(), |words, at| {
            words.structure(list.get(at).into_internal_struct_reader(), schema, false)
        })
    }

    fn list(
        &mut self,
        length: u32,
        mut element: impl FnMut(&mut Self, u32) -> capnp::Result<()>,
    ) -> capnp::Result<()> {
        self.text.push('[');
        for at in 0..length.min(ELEMENTS) {
            if !self.has_room() {
                break;
            }
            self.text.push_str(if at == 0 { "" } else { ", " });
            element(self, at)?;
        }
        match length.saturating_sub(ELEMENTS) {
            more if more > 0 && self.has_room() => self.put(format_args!(", and {more} more")),
            _ => {}
        }
        self.text.push(']');
        Ok(())
    }

    fn value(&mut self, value: Value<'_>) -> capnp::Result<()> {
        match value {
            Value::Text(text) => self.quote(text.as_bytes()),
            Value::Data(bytes) => {
                self.quote(bytes);
                self.put(format_args!(" of {} bytes", bytes.len()));
            }
            Value::Enum(one) => match one.get_enumerant()? {
                Some(known) => self.text.push_str(known.get_proto().get_name()?.to_str()?),
                None => self.put(format_args!("the unknown number {}", one.get_value())),
            },
            Value::List(list) => return self.list(list.len(), |words, at| words.value(list.get(at)?)),
            // Structs and capabilities are told by their fields.
            other => self.put(format_args!("{other:?}")),
        }
        Ok(())
    }

    /// A token is told from what is none.
    fn hidden(&mut self, value: Value<'_>) {
        let Value::Text(text) = value else { return };
        let text = text.as_bytes();
        match (text.len(), text == self.conceals.token.as_bytes()) {
            (0, _) => self.text.push_str("\"\""),
            (_, true) => self.text.push_str("[the token]"),
            (length, false) => self.put(format_args!("[{length} bytes, not shown]")),
        }
    }

    fn quote(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LOOKED_AT)]);
        let text = self.conceals.conceal(&text);
        match text.char_indices().nth(TEXT) {
            Some((end, _)) => self.put(format_args!("{:?}", format_args!("{}…", &text[..end]).to_string())),
            None => self.put(format_args!("{text:?}")),
        }
    }

    fn put(&mut self, words: std::fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = self.text.write_fmt(words);
    }

    /// Whether more can be told; that there is more is told once.
    fn has_room(&mut self) -> bool {
        let has_room = self.text.len() < MOST;
        if !has_room && !self.is_cut {
            self.is_cut = true;
            self.text.push('…');
        }
        has_room
    }
}

/// The number of a union's member; nothing for structs without a union.
fn discriminant(reader: StructReader<'_>, schema: StructSchema) -> capnp::Result<Option<u16>> {
    let node::Struct(structure) = schema.get_proto().which()? else { return Ok(None) };
    let at = usize::try_from(structure.get_discriminant_offset()).ok();
    let at = at.filter(|_| structure.get_discriminant_count() > 0);
    Ok(at.map(|at| reader.get_data_field::<u16>(at)))
}
