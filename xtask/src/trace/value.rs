//! Values as transcripts write them: `(name = "x", list = [], thing = <cap>)`, and whether they fit their types.

use super::schema::{Field, Kind, Schema};

/// A value of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Text or bytes, without quotation marks and escapes.
    Text(String),
    /// A number, a member of an enum, `true`, `false` or `null`.
    Word(String),
    List(Vec<Value>),
    Struct(Vec<(String, Value)>),
    Capability,
    /// `…`: what stands here is left out.
    Rest,
}

impl Value {
    /// Reads one value, which is all of the text.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text };
        let value = reader.value()?;
        reader.skip_blanks();
        if reader.rest.is_empty() { Ok(value) } else { Err(format!("`{}` is left over", reader.rest)) }
    }

    /// A field of a struct.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Struct(fields) = self else { return None };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// A text of which nothing is left out.
    pub(super) fn whole_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.contains('…') => Some(text),
            _ => None,
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, mark: &str) -> bool {
        self.skip_blanks();
        let after = self.rest.strip_prefix(mark);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn value(&mut self) -> Result<Value, String> {
        match () {
            () if self.take("…") => Ok(Value::Rest),
            () if self.take("<cap>") => Ok(Value::Capability),
            () if self.take("(") => self.members(),
            () if self.take("[") => self.elements(),
            () if self.take("\"") => self.text(),
            () => self.word().map(Value::Word),
        }
    }

    fn word(&mut self) -> Result<String, String> {
        self.skip_blanks();
        let end = self.rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if word.is_empty() {
            return Err(format!("`{}` is no value", self.rest));
        }
        self.rest = rest;
        Ok(word.to_owned())
    }

    fn members(&mut self) -> Result<Value, String> {
        let mut members = Vec::new();
        while !self.take(")") {
            if self.take("…") {
                members.push((String::new(), Value::Rest));
            } else {
                let name = self.word()?;
                if !self.take("=") {
                    return Err(format!("no `=` follows `{name}`"));
                }
                members.push((name, self.value()?));
            }
            self.end_of_one(")")?;
        }
        Ok(Value::Struct(members))
    }

    fn elements(&mut self) -> Result<Value, String> {
        let mut elements = Vec::new();
        while !self.take("]") {
            elements.push(self.value()?);
            self.end_of_one("]")?;
        }
        Ok(Value::List(elements))
    }

    fn end_of_one(&mut self, mark: &str) -> Result<(), String> {
        let ended = self.take(",") || self.rest.trim_start().starts_with(mark);
        if ended { Ok(()) } else { Err(format!("neither `,` nor `{mark}` stands before `{}`", self.rest)) }
    }

    /// The rest of a text, escaped as in JSON.
    fn text(&mut self) -> Result<Value, String> {
        let mut escaped = false;
        let end = self.rest.find(|letter: char| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        });
        let end = end.ok_or("a text does not end")?;
        let quoted = format!("\"{}\"", &self.rest[..end]);
        self.rest = &self.rest[end + 1..];
        let text = serde_json::from_str(&quoted).map_err(|error| format!("{quoted}: {error}"))?;
        Ok(Value::Text(text))
    }
}

/// Members whose texts are JSON.
const JSON: [&str; 7] =
    ["config", "configSchema", "outputSchema", "data", "generatedData", "value", "extensions"];

/// What is wrong with `value` as a struct with these fields.
pub(super) fn misfit(schema: &Schema, fields: &[Field], value: &Value) -> Option<String> {
    let Value::Struct(members) = value else { return Some("no struct stands there".to_owned()) };
    let chosen = |name: &str| fields.iter().any(|field| field.of_union && field.name == name);
    if members.iter().filter(|(name, _)| chosen(name)).count() > 1 {
        return Some("more than one member of a union is set".to_owned());
    }
    members.iter().filter(|(_, value)| *value != Value::Rest).find_map(|(name, value)| {
        let Some(field) = fields.iter().find(|field| field.name == *name) else {
            return Some(format!("there is no `{name}`"));
        };
        let problem = misfit_of(schema, &field.kind, value).or_else(|| bad_json(name, value))?;
        Some(format!("{name}: {problem}"))
    })
}

fn bad_json(name: &str, value: &Value) -> Option<String> {
    let text = value.whole_text().filter(|text| JSON.contains(&name) && !text.is_empty())?;
    serde_json::from_str::<serde_json::Value>(text).err().map(|error| format!("{text}: {error}"))
}

fn misfit_of(schema: &Schema, kind: &Kind, value: &Value) -> Option<String> {
    let name = match (kind, value) {
        (_, Value::Rest) => return None,
        (Kind::List(of), Value::List(elements)) => {
            return elements.iter().find_map(|element| misfit_of(schema, of, element));
        }
        (Kind::List(_), _) => return Some("a list belongs there".to_owned()),
        (Kind::Named(name), _) => name.as_str(),
    };
    if let Some(fields) = schema.fields(name) {
        return misfit(schema, fields, value);
    }
    let fits = match (name, value) {
        ("Void", Value::Struct(members)) => members.is_empty(),
        ("Text" | "Data", Value::Text(_)) => true,
        ("Bool", Value::Word(word)) => matches!(word.as_str(), "true" | "false"),
        (_, Value::Word(word)) if name.contains("Int") => word.parse::<i128>().is_ok(),
        (_, Value::Word(word)) if schema.is_interface(name) => word == "null",
        (_, Value::Capability) => schema.is_interface(name),
        (_, Value::Word(word)) => schema.members(name).is_some_and(|members| members.contains(word)),
        _ => false,
    };
    (!fits).then(|| format!("that is no {name}"))
}

#[cfg(test)]
mod tests {
    use super::super::schema::tests::schema;
    use super::*;

    fn wrong(text: &str) -> String {
        let schema = schema();
        let make = schema.method("Maker", "make").unwrap();
        let mut fields = make.takes.clone();
        fields.extend(make.answers.clone());
        match Value::read(text) {
            Ok(value) => misfit(&schema, &fields, &value).unwrap_or_default(),
            Err(problem) => problem,
        }
    }

    #[test]
    fn what_fits_its_type_is_right() {
        for text in [
            "()",
            r#"(config = "{\"a\": \"x\"}", …)"#,
            r#"(config = "{\"a\": …")"#,
            r#"(all = [(size = -1, colour = red), (unset = ()), (name = "a, b)")], maker = <cap>)"#,
            "(all = […], thing = (…), maker = null)",
        ] {
            assert_eq!(wrong(text), "", "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (text, told) in [
            ("(colour = red)", "there is no `colour`"),
            ("(thing = (colour = green))", "thing: colour: that is no Colour"),
            ("(thing = (size = x))", "thing: size: that is no Int64"),
            ("(thing = <cap>)", "thing: no struct stands there"),
            ("(maker = ())", "maker: that is no Maker"),
            ("(all = ())", "all: a list belongs there"),
            ("(thing = (unset = (), name = \"\"))", "thing: more than one member of a union is set"),
            ("(config = x)", "config: that is no Text"),
            ("(config = \"x\")", "config: x: expected value at line 1 column 1"),
            ("(config = \"", "a text does not end"),
            ("(config)", "no `=` follows `config`"),
            ("(all = [] config)", "neither `,` nor `)` stands before `config)`"),
            ("() x", "`x` is left over"),
            ("", "`` is no value"),
        ] {
            assert_eq!(wrong(text), told, "{text}");
        }
    }
}
