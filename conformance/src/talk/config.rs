//! Configurations to try: the examples of a schema, seeded changes of them, and texts that are no configuration.

use serde_json::{Map, Value, json};

use super::diagnostic::token;
use super::random::Random;

/// A key that no schema has.
pub(crate) const INVENTED: &str = "packwire-conformance-invented";
/// How many changes are made beside the systematic ones.
const RANDOM: usize = 24;

/// A configSchema that can be used.
pub(crate) struct Schema {
    value: Value,
    /// Without one, anything goes.
    validator: Option<jsonschema::Validator>,
}

/// One configuration to try.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// What it is, in a few words.
    pub(crate) what: String,
    pub(crate) text: String,
    /// The same as a value, if it is JSON without duplicate keys.
    pub(crate) value: Option<Value>,
    /// Whether a host would refuse it, by the schema or because it is no JSON object.
    pub(crate) refused: bool,
    /// The one place that the schema finds wrong, where there is one.
    pub(crate) wrong_at: Option<String>,
    /// Whether it is one of the schema's own examples.
    pub(crate) example: bool,
}

impl Schema {
    /// Reads a declared schema; whether it is one is another check's business.
    pub(crate) fn of(declared: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(declared).ok()?;
        let validator = jsonschema::draft202012::new(&value).ok()?;
        Some(Self { value, validator: Some(validator) })
    }

    /// A schema that allows everything.
    pub(crate) fn anything() -> Self {
        Self { value: json!({"type": "object", "additionalProperties": true}), validator: None }
    }

    /// Its examples that are objects.
    pub(crate) fn examples(&self) -> Vec<Map<String, Value>> {
        let all = self.value.get("examples").and_then(Value::as_array);
        all.into_iter().flatten().filter_map(Value::as_object).cloned().collect()
    }

    /// Whether its author says that running the component on the examples costs nothing.
    pub(crate) fn is_safe_to_run(&self) -> bool {
        self.value.get("x-packwire-safe-to-run") == Some(&Value::Bool(true))
    }

    /// The places of members that are secrets: `writeOnly: true` at the first level.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let secret = |(key, member): (&String, &Value)| {
            (member.get("writeOnly") == Some(&Value::Bool(true))).then(|| key.clone())
        };
        self.properties().iter().filter_map(secret).collect()
    }

    /// Whether members that it does not name have a meaning.
    pub(crate) fn is_open(&self) -> bool {
        let open =
            |keyword| self.value.get(keyword).is_some_and(|value: &Value| *value != Value::Bool(false));
        open("additionalProperties") || open("unevaluatedProperties")
    }

    /// The keys that it names.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.properties().keys().cloned().collect()
    }

    pub(crate) fn accepts(&self, value: &Value) -> bool {
        self.validator.as_ref().is_none_or(|validator| validator.is_valid(value))
    }

    fn properties(&self) -> Map<String, Value> {
        self.value.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// The objects to start from: the examples, or nothing at all.
    pub(crate) fn bases(&self) -> Vec<Map<String, Value>> {
        let examples = self.examples();
        if examples.is_empty() { vec![Map::new()] } else { examples }
    }

    /// The first example with a few faults, each of which the schema finds for itself, and their places; none where
    /// there are no two.
    pub(crate) fn wrong_in_several_places(&self) -> Option<(Value, Vec<String>)> {
        let base = self.bases().into_iter().next()?;
        let (mut config, mut places) = (base.clone(), Vec::new());
        for key in self.keys() {
            if let Some(wrong) = self.wrong_value(&base, &key).filter(|_| places.len() < 2) {
                config.insert(key.clone(), wrong);
                places.push(token(&key));
            }
        }
        if !self.is_open() {
            config.insert(INVENTED.to_owned(), true.into());
            places.push(invented_path());
        }
        (places.len() > 1).then_some((Value::Object(config), places))
    }

    /// A value of one member that the schema refuses there, and nowhere else.
    fn wrong_value(&self, base: &Map<String, Value>, key: &str) -> Option<Value> {
        let place = token(key);
        let is_wrong = |other: &Value| {
            let mut changed = base.clone();
            changed.insert(key.to_owned(), other.clone());
            let wrong_at = self.sample(String::new(), Value::Object(changed)).wrong_at;
            wrong_at.is_some_and(|wrong| super::diagnostic::is_at_or_below(&wrong, &place))
        };
        others().into_iter().find(is_wrong)
    }

    /// Everything to try, the same for the same seed.
    pub(crate) fn samples(&self, seed: u64) -> Vec<Sample> {
        let mut samples: Vec<Sample> =
            NO_CONFIGURATION.iter().map(|(what, text)| Sample::foreign(what, text)).collect();
        samples.push(self.sample("an empty object".to_owned(), json!({})));
        for (at, example) in self.examples().into_iter().enumerate() {
            let sample = self.sample(format!("the example {}", at + 1), Value::Object(example));
            samples.push(Sample { example: true, ..sample });
        }
        for base in self.bases() {
            samples.extend(self.changed(&base));
        }
        let mut random = Random::new(seed);
        samples.extend((0..RANDOM).map(|_| self.random(&mut random)));
        samples
    }

    /// The systematic changes of one object: a member of another type, null, missing, or that nobody knows.
    fn changed(&self, base: &Map<String, Value>) -> Vec<Sample> {
        let mut samples = Vec::new();
        let mut with = |what: String, key: &str, value: Option<Value>| {
            let mut changed = base.clone();
            match value {
                Some(value) => drop(changed.insert(key.to_owned(), value)),
                None => drop(changed.shift_remove(key)),
            }
            samples.push(self.sample(what, Value::Object(changed)));
        };
        for key in self.keys() {
            let known = base.get(&key).unwrap_or(&Value::Null);
            for other in others().into_iter().chain([Value::Null]).filter(|other| !is_alike(other, known)) {
                with(format!("`{key}` as {}", kind_of(&other)), &key, Some(other));
            }
            if base.contains_key(&key) {
                with(format!("without `{key}`"), &key, None);
            }
        }
        with("with a key that nobody knows".to_owned(), INVENTED, Some(json!(1)));
        samples
    }

    /// A few members of an example changed at once, by chance.
    fn random(&self, random: &mut Random) -> Sample {
        let bases = self.bases();
        let mut changed = random.one_of(&bases).cloned().unwrap_or_default();
        let mut keys = self.keys();
        keys.push(format!("k{}", random.next() % 1000));
        for _ in 0..=random.below(3) {
            let key = random.one_of(&keys).cloned().unwrap_or_default();
            let value = random_value(random, 0);
            changed.insert(key, value);
        }
        self.sample("members changed by chance".to_owned(), Value::Object(changed))
    }

    fn sample(&self, what: String, value: Value) -> Sample {
        let errors = self.validator.iter().flat_map(|validator| validator.iter_errors(&value));
        let errors: Vec<String> = errors.map(|error| error.instance_path().to_string()).collect();
        let wrong_at = errors
            .first()
            .filter(|first| !first.is_empty())
            .filter(|first| errors.iter().all(|other| super::diagnostic::is_at_or_below(other, first)));
        let text = value.to_string();
        Sample {
            what,
            text,
            refused: !errors.is_empty(),
            wrong_at: wrong_at.cloned(),
            value: Some(value),
            example: false,
        }
    }
}

impl Sample {
    /// A text that no host would send as a configuration.
    fn foreign(what: &str, text: &str) -> Self {
        let (what, text) = (what.to_owned(), text.to_owned());
        Self { what, text, value: None, refused: true, wrong_at: None, example: false }
    }

    /// What it is and, if it is short, what it says.
    pub(crate) fn told(&self) -> String {
        format!("{} ({})", self.what, super::diagnostic::shortened(&self.text))
    }
}

/// Texts that are no JSON object.
const NO_CONFIGURATION: &[(&str, &str)] = &[
    ("an empty text", ""),
    ("a blank", " "),
    ("a text that is no JSON", "name = 1"),
    ("an object that breaks off", "{\"name\": "),
    ("null", "null"),
    ("true", "true"),
    ("a number", "42"),
    ("a text in quotes", "\"name\""),
    ("an empty list", "[]"),
    ("a list of objects", "[{}]"),
    ("two objects", "{} {}"),
    ("an object with a key twice", "{\"packwire\": 1, \"packwire\": 2}"),
    ("a lone surrogate", "{\"packwire\": \"\\ud800\"}"),
    ("a number that is none", "{\"packwire\": NaN}"),
];

/// A value of each type but null.
fn others() -> [Value; 5] {
    [json!(7), json!("text"), json!(true), json!([{}]), json!({"a": []})]
}

fn is_alike(one: &Value, other: &Value) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn random_value(random: &mut Random, depth: usize) -> Value {
    const TEXTS: [&str; 6] = ["", "a", "/no/such/place", "{{ .Name }}", "größer 🌿", "line\nbreak\u{7}"];
    match random.below(if depth > 2 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => json!(random.next().is_multiple_of(2)),
        2 => json!(i64::from_le_bytes(random.next().to_le_bytes())),
        3 => json!(-0.5e300),
        4 => json!(random.one_of(&TEXTS)),
        5 => (0..random.below(3)).map(|_| random_value(random, depth + 1)).collect(),
        _ => json!({ "a": random_value(random, depth + 1), "b": random_value(random, depth + 1) }),
    }
}

/// Where an invented key stands.
pub(crate) fn invented_path() -> String {
    token(INVENTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type": "object", "required": ["name"], "additionalProperties": false,
        "properties": {"name": {"type": "string"}, "count": {"type": "integer", "writeOnly": true}},
        "examples": [{"name": "one", "count": 1}]}"#;

    #[test]
    fn the_same_seed_gives_the_same_samples() {
        let schema = Schema::of(SCHEMA).unwrap();
        let texts = |seed| schema.samples(seed).into_iter().map(|sample| sample.text).collect::<Vec<_>>();
        assert_eq!(texts(3), texts(3));
        assert_ne!(texts(3), texts(4));
    }

    #[test]
    fn what_is_wrong_with_a_sample_is_known() {
        let samples = Schema::of(SCHEMA).unwrap().samples(1);
        let find = |what: &str| samples.iter().find(|sample| sample.what == what).unwrap();
        assert!(!find("the example 1").refused && find("null").refused && find("without `name`").refused);
        assert_eq!(find("`name` as a number").wrong_at.as_deref(), Some("/name"));
        assert_eq!(find("without `name`").wrong_at, None);
    }

    #[test]
    fn a_configuration_is_made_wrong_in_several_places() {
        let (config, places) = Schema::of(SCHEMA).unwrap().wrong_in_several_places().unwrap();
        assert_eq!(config, json!({"name": 7, "count": "text", INVENTED: true}));
        assert_eq!(places, ["/name", "/count", "/packwire-conformance-invented"]);
        assert!(Schema::anything().wrong_in_several_places().is_none());
    }

    #[test]
    fn secrets_are_found() {
        assert_eq!(Schema::of(SCHEMA).unwrap().secrets(), ["count"]);
    }
}
