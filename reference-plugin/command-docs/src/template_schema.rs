//! One JSON Schema of a whole template, made of those of all components.
//!
//! An editor shall not complain of what the host takes: any option may be a text with `{{…}}`, and beside its options
//! an entry has the members that are the host's.
use packwire_plugin::Kind;
use serde_json::{Map, Value, json};

use crate::described::Described;

/// Where values stand that are no schemas, whatever they look like.
const DATA: [&str; 4] = ["const", "enum", "default", "examples"];

/// The schema (2020-12) of a template that uses these components.
pub(crate) fn template_schema(components: &[Described]) -> Value {
    let mut definitions = Map::new();
    let mut define = |name: &str, schema| drop(definitions.insert(name.to_owned(), schema));
    define(
        "expression",
        json!({"description": "A text with template functions.", "type": "string", "pattern": "\\{\\{"}),
    );
    define("builds", json!({"type": "array", "items": {"type": "string"}}));
    define("grant", json!({"type": "array", "items": {"enum": ["communicator"]}}));
    for kind in [Kind::Builder, Kind::Provisioner, Kind::PostProcessor, Kind::DataSource, Kind::Hook] {
        let of_kind: Vec<_> = components.iter().filter(|one| one.kind == kind).collect();
        define(kind.name(), entry(kind, &of_kind));
        for component in of_kind {
            define(&place(component), embedded(component));
        }
    }
    let mut schema = root();
    schema["$defs"] = Value::Object(definitions);
    schema
}

fn root() -> Value {
    let text = json!({"type": "string"});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A template of Packwire",
        "type": "object",
        "required": ["builders"],
        "properties": {
            "description": text,
            "min_packer_version": text,
            "variables": {"type": "object", "additionalProperties": {"type": ["string", "number", "null"]}},
            "sensitive-variables": {"type": "array", "items": text},
            "data": {"type": "object", "additionalProperties": reference(Kind::DataSource)},
            "builders": {"type": "array", "minItems": 1, "items": reference(Kind::Builder)},
            "provisioners": {"type": "array", "items": reference(Kind::Provisioner)},
            "error-cleanup-provisioner": reference(Kind::Provisioner),
            "hooks": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": reference(Kind::Hook)},
            },
            "post-processors": {"type": "array", "items": {"anyOf": [
                reference(Kind::PostProcessor),
                {"type": "array", "minItems": 1, "items": reference(Kind::PostProcessor)},
            ]}},
        },
        "patternProperties": {"^_": true},
        "additionalProperties": false,
    })
}

fn reference(kind: Kind) -> Value {
    json!({"$ref": format!("#/$defs/{}", kind.name())})
}

/// The name of a component's own definition.
fn place(component: &Described) -> String {
    format!("{}.{}", component.kind.name(), component.name)
}

/// An entry of one kind: its `type` decides what else it has. A kind without components has no entries.
fn entry(kind: Kind, components: &[&Described]) -> Value {
    if components.is_empty() {
        return Value::Bool(false);
    }
    let names: Vec<_> = components.iter().map(|one| one.name.as_str()).collect();
    let cases = components.iter().map(|one| {
        json!({
            "if": {"properties": {"type": {"const": one.name}}, "required": ["type"]},
            "then": {"$ref": format!("#/$defs/{}", place(one))},
        })
    });
    let object = json!({
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": names}},
        "allOf": cases.collect::<Vec<_>>(),
    });
    match kind {
        Kind::PostProcessor | Kind::Hook => json!({"anyOf": [{"enum": names}, object]}),
        _ => object,
    }
}

/// The members of an entry that are the host's.
fn members(kind: Kind) -> Map<String, Value> {
    let mut members = Map::new();
    let mut has = |names: &[&str], schema: Value| {
        members.extend(names.iter().map(|name| ((*name).to_owned(), schema.clone())));
    };
    has(&["type"], Value::Bool(true));
    if matches!(kind, Kind::Builder | Kind::PostProcessor) {
        has(&["name"], json!({"type": "string"}));
    }
    if matches!(kind, Kind::Provisioner | Kind::PostProcessor | Kind::Hook) {
        has(&["only", "except"], json!({"$ref": "#/$defs/builds"}));
    }
    if kind != Kind::Builder {
        has(&["grant"], json!({"$ref": "#/$defs/grant"}));
    }
    if kind == Kind::PostProcessor {
        has(&["keep_input_artifact"], json!({"type": ["boolean", "string"]}));
    }
    if kind == Kind::Provisioner {
        has(&["override"], json!({"type": "object", "additionalProperties": {"type": "object"}}));
        has(&["pause_before", "timeout"], json!({"type": "string"}));
        has(&["max_retries"], json!({"type": ["integer", "string"], "minimum": 0}));
    }
    members
}

/// A component's schema as a part of the whole: with the host's members, and open to expressions.
fn embedded(component: &Described) -> Value {
    let kind = component.kind;
    if kind == Kind::Hook {
        return json!({"type": "object", "properties": members(kind), "additionalProperties": false});
    }
    let mut schema = component.config_schema.clone();
    let Value::Object(root) = &mut schema else { return Value::Bool(true) };
    drop(root.remove("$schema"));
    // One with an address of its own finds its own definitions.
    if !root.contains_key("$id") {
        rebase(&mut schema, &format!("#/$defs/{}", place(component)));
    }
    let refers = schema.get("$id").is_none();
    if refers {
        open(&mut schema);
    }
    admit(&mut schema, &members(kind));
    if let Value::Object(root) = &mut schema {
        drop(root.insert("description".to_owned(), component.summary.as_str().into()));
    }
    schema
}

/// Lets references point to where the schema is now.
fn rebase(schema: &mut Value, base: &str) {
    match schema {
        Value::Object(members) => {
            for (key, member) in members {
                match member {
                    Value::String(text) if key == "$ref" => {
                        if let Some(pointer) = text.strip_prefix('#') {
                            *text = format!("{base}{pointer}");
                        }
                    }
                    _ if DATA.contains(&key.as_str()) => {}
                    member => rebase(member, base),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| rebase(element, base)),
        _ => {}
    }
}

/// Lets the host's members stand wherever the schema names all that may.
fn admit(schema: &mut Value, members: &Map<String, Value>) {
    let Value::Object(schema) = schema else { return };
    if ["additionalProperties", "unevaluatedProperties"].iter().any(|key| schema.contains_key(*key)) {
        let properties = schema.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(properties) = properties {
            for (name, member) in members {
                let _ = properties.entry(name.as_str()).or_insert_with(|| member.clone());
            }
        }
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let parts = schema.get_mut(keyword).and_then(Value::as_array_mut);
        parts.into_iter().flatten().for_each(|part| admit(part, members));
    }
}

/// Lets an expression stand wherever an option has a value of its own that is not any text.
fn open(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    for keyword in ["properties", "patternProperties"] {
        let named = schema.get_mut(keyword).and_then(Value::as_object_mut);
        named.into_iter().flat_map(Map::values_mut).for_each(open_value);
    }
    for keyword in ["items", "additionalProperties", "contains"] {
        schema.get_mut(keyword).into_iter().for_each(open_value);
    }
    for keyword in ["allOf", "anyOf", "oneOf", "prefixItems"] {
        let parts = schema.get_mut(keyword).and_then(Value::as_array_mut);
        parts.into_iter().flatten().for_each(open);
    }
    let definitions = schema.get_mut("$defs").and_then(Value::as_object_mut);
    definitions.into_iter().flat_map(Map::values_mut).for_each(open);
}

fn open_value(schema: &mut Value) {
    open(schema);
    let Value::Object(members) = &*schema else { return };
    if takes_expressions(members) {
        return;
    }
    let mut opened = json!({"anyOf": [schema, {"$ref": "#/$defs/expression"}]});
    for said in ["description", "default", "deprecated", "writeOnly"] {
        if let Some(value) = schema.get(said) {
            opened[said] = value.clone();
        }
    }
    *schema = opened;
}

/// Whether any text fits, or the value is no single one.
fn takes_expressions(schema: &Map<String, Value>) -> bool {
    let narrows =
        ["enum", "const", "pattern", "format", "maxLength", "$ref", "anyOf", "oneOf", "allOf", "not"];
    let types: Vec<_> = match schema.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is_single = |name: &&str| !matches!(*name, "array" | "object" | "null");
    let is_container = !types.is_empty() && !types.iter().any(is_single);
    let is_text = types.is_empty() || types.contains(&"string");
    is_container || (is_text && !narrows.iter().any(|key| schema.contains_key(*key)))
}
