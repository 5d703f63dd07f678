//! Options, read from a schema that any plugin in any language may have written.
use serde_json::{Map, Value, json};

/// How deep members of members are told of.
const DEEPEST: usize = 4;
/// How many references are followed from one to the next: a schema may go in circles.
const LONGEST: usize = 16;

/// One option, or a member of one.
#[derive(Debug, PartialEq)]
pub(crate) struct Choice {
    /// `disks[].size`
    pub(crate) name: String,
    /// `integer`, `array of string`, `"a" or "b"`
    pub(crate) kind: String,
    pub(crate) need: Need,
    pub(crate) default: Option<Value>,
    pub(crate) description: String,
    /// Whether its value is a secret.
    pub(crate) is_secret: bool,
    pub(crate) is_deprecated: bool,
}

/// Whether an option has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
    /// In some of the forms that the schema has.
    Sometimes,
}

impl Choice {
    pub(crate) fn json(&self) -> Value {
        let Self { name, kind, need, default, description, is_secret, is_deprecated } = self;
        let mut json = json!({
            "name": name,
            "type": kind,
            "required": *need == Need::Required,
            "description": description,
            "secret": is_secret,
            "deprecated": is_deprecated,
        });
        if let Some(default) = default {
            json["default"] = default.clone();
        }
        json
    }
}

/// All options of a configuration, in the order of the schema.
pub(crate) fn choices(schema: &Value) -> Vec<Choice> {
    let mut choices = Vec::new();
    Reading { root: schema }.members(schema, "", 0, &mut choices);
    choices
}

/// One schema under way.
struct Reading<'a> {
    root: &'a Value,
}

/// A property, and whether its object has to have it.
type Property<'a> = (&'a str, &'a Value, Need);

impl<'a> Reading<'a> {
    fn members(&self, schema: &'a Value, prefix: &str, depth: usize, choices: &mut Vec<Choice>) {
        let mut properties = Vec::new();
        self.properties(schema, Need::Required, 0, &mut properties);
        for (key, property, need) in properties {
            let name = format!("{prefix}{key}");
            let meant = self.followed(property);
            choices.push(self.choice(name.clone(), property, meant, need));
            if depth < DEEPEST {
                for (step, inner) in self.inner(meant) {
                    self.members(inner, &format!("{name}{step}."), depth + 1, choices);
                }
            }
        }
    }

    fn choice(&self, name: String, property: &Value, meant: &Value, need: Need) -> Choice {
        // What stands beside a reference goes before what stands behind it.
        let said = |key: &str| property.get(key).or_else(|| meant.get(key));
        let marked = |key: &str| said(key) == Some(&Value::Bool(true));
        let description = said("description").or_else(|| said("title")).and_then(Value::as_str);
        Choice {
            name,
            kind: self.kind(property, 0),
            need,
            default: said("default").filter(|default| !default.is_null()).cloned(),
            description: description.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "),
            is_secret: marked("writeOnly"),
            is_deprecated: marked("deprecated"),
        }
    }

    /// The properties of an object, also those that parts of its schema name; the first of a name counts.
    fn properties(&self, schema: &'a Value, need: Need, depth: usize, found: &mut Vec<Property<'a>>) {
        if depth > LONGEST {
            return;
        }
        let named = schema.get("properties").and_then(Value::as_object);
        for (key, property) in named.into_iter().flatten() {
            if !found.iter().any(|(known, _, _)| known == key) {
                let need = if requires(schema, key) { need } else { Need::Optional };
                found.push((key, property, need));
            }
        }
        if schema.get("$ref").is_some() {
            self.properties(self.followed(schema), need, depth + 1, found);
        }
        for (keyword, need) in [("allOf", need), ("anyOf", Need::Sometimes), ("oneOf", Need::Sometimes)] {
            for part in parts(schema, keyword) {
                self.properties(part, need, depth + 1, found);
            }
        }
    }

    /// What is in a value that has members of its own, and how it is written behind its name.
    fn inner(&self, schema: &'a Value) -> Vec<(&'static str, &'a Value)> {
        let mut inner = vec![("", schema)];
        if let Some(items) = schema.get("items") {
            inner.push(("[]", self.followed(items)));
        }
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            inner.push((".*", self.followed(values)));
        }
        inner
    }

    /// Where the references of a schema lead to.
    fn followed(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..LONGEST {
            let target = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
            match target.and_then(|target| self.root.pointer(target)) {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }

    /// What a value may be, in words.
    fn kind(&self, schema: &'a Value, depth: usize) -> String {
        let schema = self.followed(schema);
        if depth > DEEPEST {
            return "any".to_owned();
        }
        if let Some(only) = schema.get("const") {
            return only.to_string();
        }
        if let Some(options) = schema.get("enum").and_then(Value::as_array) {
            return either(options.iter().filter(|option| !option.is_null()).map(Value::to_string));
        }
        match schema.get("type") {
            Some(Value::String(name)) => self.of_type(name, schema, depth),
            Some(Value::Array(names)) => {
                let names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
                either(names.map(|name| self.of_type(name, schema, depth)))
            }
            _ => {
                let forms = parts(schema, "anyOf").chain(parts(schema, "oneOf"));
                let forms = forms.map(|form| self.kind(form, depth + 1)).filter(|form| form != "null");
                let all = either(forms);
                match all.as_str() {
                    "" if schema.get("properties").is_some() => "object".to_owned(),
                    "" => "any".to_owned(),
                    _ => all,
                }
            }
        }
    }

    fn of_type(&self, name: &str, schema: &'a Value, depth: usize) -> String {
        let within = |keyword: &str| schema.get(keyword).filter(|inner| inner.is_object());
        match name {
            "array" => match within("items") {
                Some(items) => format!("array of {}", self.kind(items, depth + 1)),
                None => name.to_owned(),
            },
            "object" if schema.get("properties").is_none() => match within("additionalProperties") {
                Some(values) => format!("map of {}", self.kind(values, depth + 1)),
                None => name.to_owned(),
            },
            _ => name.to_owned(),
        }
    }
}

fn parts<'a>(schema: &'a Value, keyword: &str) -> impl Iterator<Item = &'a Value> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten()
}

fn requires(schema: &Value, key: &str) -> bool {
    parts(schema, "required").any(|one| one == key)
}

/// The words, each once.
fn either(words: impl Iterator<Item = String>) -> String {
    let mut each: Map<String, Value> = Map::new();
    for word in words {
        drop(each.insert(word, Value::Null));
    }
    each.keys().map(String::as_str).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(schema: &Value) -> String {
        let line = |one: &Choice| {
            let default = one.default.as_ref().map(|default| format!(" = {default}")).unwrap_or_default();
            format!("{}: {}{default}, {:?}", one.name, one.kind, one.need)
        };
        choices(schema).iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn options_are_found_however_a_schema_is_written() {
        let schema = json!({
            "properties": {
                "size": {"type": ["integer", "null"], "default": 7},
                "mode": {"enum": ["a", "b", null]},
                "disk": {"$ref": "#/$defs/disk", "description": "here"},
                "disks": {"type": "array", "items": {"$ref": "#/$defs/disk"}},
                "tags": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
                "port": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
                "anything": true,
            },
            "required": ["disk"],
            "allOf": [{"properties": {"must": {"const": 1}}, "required": ["must"]}],
            "oneOf": [
                {"properties": {"kind": {"const": "x"}, "x": {}}, "required": ["kind", "x"]},
                {"properties": {"kind": {"const": "y"}}, "required": ["kind"]},
            ],
            "$defs": {"disk": {"type": "object", "properties": {"gigabytes": {"type": "number"}}}},
        });
        insta::assert_snapshot!(told(&schema));
    }

    #[test]
    fn a_schema_that_goes_in_circles_or_is_none_ends_somewhere() {
        let circle = json!({
            "properties": {"next": {"$ref": "#"}, "lost": {"$ref": "#/nowhere"}, "self": {"$ref": "#/properties/self"}},
            "allOf": [{"$ref": "#"}],
        });
        let told = told(&circle);
        assert!(told.contains("next.next.next.next.next: object, Optional\n"), "{told}");
        assert!(told.contains("lost: any, Optional\n"), "{told}");
        for none in [json!(null), json!(true), json!([]), json!({"properties": 7, "required": {}})] {
            assert_eq!(choices(&none), []);
        }
    }
}
