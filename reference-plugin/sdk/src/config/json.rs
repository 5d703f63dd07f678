//! A configuration's text: I-JSON (RFC 7493) with an object at the top.
use std::fmt;

use packwire_wire::Diagnostic;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::problem::below;

/// The object, or why the text is none that can be used: two readers of it must not see two configurations.
pub(super) fn read(text: &str) -> Result<Value, Vec<Diagnostic>> {
    let mut twice = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    let root = Node { path: String::new(), twice: &mut twice };
    let value = root.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match value {
        Err(error) => Err(vec![Diagnostic::error(format!("the configuration is not JSON: {error}"))]),
        Ok(_) if !twice.is_empty() => Err(twice.into_iter().map(stands_twice).collect()),
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(vec![Diagnostic::error("the configuration is not a JSON object")]),
    }
}

fn stands_twice(path: String) -> Diagnostic {
    Diagnostic::error("the same key stands twice in one object").at(path)
}

/// One value of the text, at `path`; the keys that stand twice are collected.
struct Node<'a> {
    path: String,
    twice: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        loop {
            let path = below(&self.path, &all.len().to_string());
            match elements.next_element_seed(Node { path, twice: &mut *self.twice })? {
                Some(element) => all.push(element),
                None => return Ok(Value::Array(all)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let path = below(&self.path, &key);
            if all.contains_key(&key) {
                self.twice.push(path.clone());
            }
            let value = members.next_value_seed(Node { path, twice: &mut *self.twice })?;
            drop(all.insert(key, value));
        }
        Ok(Value::Object(all))
    }
}
