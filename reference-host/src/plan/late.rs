//! Values that only the run will tell: who needs whose, and whether what yields them has such a value.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::check::{Lasts, Problem};
use super::walk::{followed, property};
use super::{PlannedBuild, PlannedComponent, PlannedData};
use crate::spell;
use crate::template::LateValue;

/// What every builder generates, whatever its schema says.
const RESERVED: [&str; 13] = [
    "ID",
    "Host",
    "Port",
    "User",
    "Password",
    "ConnType",
    "PackerRunUUID",
    "PackerHTTPIP",
    "PackerHTTPPort",
    "PackerHTTPAddr",
    "SSHPublicKey",
    "SSHPrivateKey",
    "WinRMPassword",
];

/// The data sources whose values builds ask for.
pub(super) fn asked(builds: &[PlannedBuild]) -> BTreeSet<String> {
    let components = builds.iter().flat_map(PlannedBuild::components);
    components.flat_map(|component| component.config.asks_data()).map(ToOwned::to_owned).collect()
}

/// Data sources in an order in which each stands behind those that it asks, and which of them anybody asks, beside
/// those that are `asked` for.
///
/// The template has no circles: whoever would be left is put last, as it is.
pub(super) fn in_order(data: Vec<PlannedData>, mut asked: BTreeSet<String>) -> Vec<PlannedData> {
    let mut left = data;
    let mut ordered: Vec<PlannedData> = Vec::with_capacity(left.len());
    let is_ready = |ordered: &[PlannedData], source: &PlannedData| {
        let has = |name: &&str| ordered.iter().any(|earlier| earlier.name == *name);
        source.component.config.asks_data().iter().all(has)
    };
    while let Some(next) = left.iter().position(|source| is_ready(&ordered, source)) {
        ordered.push(left.remove(next));
    }
    ordered.append(&mut left);
    for source in ordered.iter_mut().rev() {
        source.is_asked_for = asked.contains(&source.name);
        if source.is_asked_for {
            asked.extend(source.component.config.asks_data().into_iter().map(ToOwned::to_owned));
        }
    }
    ordered
}

/// What a component asks of others that their schemas do not have.
///
/// `schema_of` yields the schema of a data source's value, or of the generated data of the build's builder. A schema
/// that does not tell of members lets everything pass: the run will tell.
pub(super) fn missing<'s>(
    component: &PlannedComponent,
    schema_of: impl Fn(&LateValue) -> Option<&'s str>,
) -> Vec<Problem> {
    let asked = component.config.asks().filter_map(|asked| {
        let schema: Value = serde_json::from_str(schema_of(&asked.what)?).ok()?;
        let (message, near) = match &asked.what {
            LateValue::Data { name, pointer } => {
                let (lacking, near) = lacking(&schema, pointer)?;
                (format!("data source `{name}` yields no `{lacking}`"), near)
            }
            LateValue::Build { key } if RESERVED.contains(&key.as_str()) => return None,
            LateValue::Build { key } => {
                unknown_member(&schema, &schema, key)?;
                (format!("the builder generates no `{key}`"), near_key(&schema, key))
            }
        };
        Some(Problem { pointer: asked.pointer.clone(), message, hint: near, lasts: Lasts::Always })
    });
    asked.collect()
}

/// What was probably meant: the builder's own keys and those that all have.
fn near_key(schema: &Value, key: &str) -> Option<String> {
    let own = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let known: Vec<&str> = own.map(String::as_str).chain(RESERVED).collect();
    spell::hint(spell::nearest(key, known.iter().copied()).as_deref(), known)
}

/// The first step of the pointer that leads to nothing, and a hint.
fn lacking(schema: &Value, pointer: &str) -> Option<(String, Option<String>)> {
    let mut here = schema;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        here = followed(schema, here)?;
        if let Some(unknown) = unknown_member(schema, here, &step) {
            return Some(unknown);
        }
        let element = || here.get("items").filter(|_| step.parse::<usize>().is_ok());
        here = property(here, &step).or_else(element)?;
    }
    None
}

/// The member, if the schema tells of members and not of this one.
fn unknown_member(root: &Value, schema: &Value, key: &str) -> Option<(String, Option<String>)> {
    let schema = followed(root, schema)?;
    let members: &Map<String, Value> = schema.get("properties")?.as_object()?;
    let open = schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
    let branches =
        ["allOf", "anyOf", "oneOf", "patternProperties"].iter().any(|key| schema.get(key).is_some());
    if members.contains_key(key) || open || branches {
        return None;
    }
    let known = || members.keys().map(String::as_str);
    Some((key.to_owned(), spell::hint(spell::nearest(key, known()).as_deref(), known())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(pointer: &str, expect: Option<&str>) {
        let schema = json!({
            "properties": {"user": {"$ref": "#/$defs/user"}, "list": {"items": {"properties": {"x": {}}}}, "any": {}},
            "$defs": {"user": {"properties": {"name": {"type": "string"}}, "additionalProperties": false}}
        });
        assert_eq!(lacking(&schema, pointer).map(|(step, _)| step).as_deref(), expect, "{pointer}");
    }

    #[test]
    fn what_a_schema_cannot_have_is_found_and_what_it_may_have_is_not() {
        check("", None);
        check("/user/name", None);
        check("/user/nmae", Some("nmae"));
        check("/usr", Some("usr"));
        check("/list/0/x", None);
        check("/list/0/y", Some("y"));
        check("/any/what/ever", None);
    }
}
