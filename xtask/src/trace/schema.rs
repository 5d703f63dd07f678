//! What the schema declares, as far as the examples of SPEC.md use it: interfaces with their methods, structs with their
//! fields, enums with their members.

use std::collections::BTreeMap;

/// All declarations, by name: no two files declare the same one.
#[derive(Debug, Default)]
pub(super) struct Schema {
    interfaces: BTreeMap<String, BTreeMap<String, Method>>,
    structs: BTreeMap<String, Vec<Field>>,
    enums: BTreeMap<String, Vec<String>>,
}

/// What a call carries, and what its answer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Method {
    pub(super) takes: Vec<Field>,
    pub(super) answers: Vec<Field>,
}

/// A field of a struct, a parameter or a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// It is one of several, of which one is set.
    pub(super) of_union: bool,
}

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A built-in type, or one that a file declares.
    Named(String),
    List(Box<Kind>),
}

impl Schema {
    /// Reads the declarations of some files.
    pub(super) fn read<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut schema = Self::default();
        texts.for_each(|text| Reader { words: words(text).into_iter(), open: Vec::new() }.read(&mut schema));
        schema
    }

    pub(super) fn method(&self, interface: &str, method: &str) -> Option<&Method> {
        self.interfaces.get(interface)?.get(method)
    }

    pub(super) fn is_interface(&self, name: &str) -> bool {
        self.interfaces.contains_key(name)
    }

    pub(super) fn fields(&self, name: &str) -> Option<&[Field]> {
        self.structs.get(name).map(Vec::as_slice)
    }

    pub(super) fn members(&self, name: &str) -> Option<&[String]> {
        self.enums.get(name).map(Vec::as_slice)
    }

    /// Whether `name` is declared, and has such a method, field or member; `None` where nothing is called so.
    pub(super) fn has(&self, name: &str, member: &str) -> Option<bool> {
        let method = self.interfaces.get(name).map(|methods| methods.contains_key(member));
        let field = self.structs.get(name).map(|fields| fields.iter().any(|field| field.name == member));
        let value = self.enums.get(name).map(|members| members.iter().any(|one| one == member));
        method.or(field).or(value)
    }
}

/// Names, numbers and marks of a schema's text, without its comments.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for line in text.lines() {
        let code = line.split('#').next().unwrap_or_default();
        let mut word = String::new();
        for letter in code.chars() {
            if letter.is_ascii_alphanumeric() || "_.@\"-".contains(letter) {
                word.push(letter);
                continue;
            }
            words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
            if !letter.is_whitespace() && letter != '>' {
                words.push(letter.to_string());
            }
        }
        words.extend(Some(word).filter(|word| !word.is_empty()));
    }
    words
}

struct Reader {
    words: std::vec::IntoIter<String>,
    /// The declarations around the place: keyword and name.
    open: Vec<(String, String)>,
}

impl Reader {
    fn read(mut self, schema: &mut Schema) {
        while let Some(word) = self.words.next() {
            match word.as_str() {
                "struct" | "interface" | "enum" => self.declare(word, schema),
                "union" => self.open.push((word, self.owner())),
                "using" => self.skip_statement(),
                "}" => drop(self.open.pop()),
                _ if word.starts_with('@') => self.skip_statement(),
                "{" => {}
                _ => self.member(word, schema),
            }
        }
    }

    fn declare(&mut self, keyword: String, schema: &mut Schema) {
        let name = self.words.next().unwrap_or_default();
        let known = name.clone();
        match keyword.as_str() {
            "struct" => schema.structs.entry(known).or_default().clear(),
            "interface" => schema.interfaces.entry(known).or_default().clear(),
            _ => schema.enums.entry(known).or_default().clear(),
        }
        self.open.push((keyword, name));
        // The id.
        drop(self.words.next());
    }

    fn owner(&self) -> String {
        self.open.last().map(|(_, name)| name.clone()).unwrap_or_default()
    }

    fn skip_statement(&mut self) {
        self.words.by_ref().take_while(|word| word != ";").for_each(drop);
    }

    fn member(&mut self, name: String, schema: &mut Schema) {
        let (keyword, owner) = self.open.last().cloned().unwrap_or_default();
        match keyword.as_str() {
            "enum" => {
                schema.enums.entry(owner).or_default().push(name);
                self.skip_statement();
            }
            "interface" => {
                // The ordinal.
                drop(self.words.next());
                let takes = self.fields();
                // The arrow.
                drop(self.words.next());
                let answers = self.fields();
                self.skip_statement();
                drop(schema.interfaces.entry(owner).or_default().insert(name, Method { takes, answers }));
            }
            _ => {
                // The ordinal and the colon.
                self.words.by_ref().take(2).for_each(drop);
                let kind = self.kind();
                self.skip_statement();
                let of_union = keyword == "union";
                schema.structs.entry(owner).or_default().push(Field { name, kind, of_union });
            }
        }
    }

    /// A list in parentheses: `name :Type, name :Type`.
    fn fields(&mut self) -> Vec<Field> {
        let mut fields = Vec::new();
        while let Some(word) = self.words.next() {
            match word.as_str() {
                ")" => break,
                "(" | "," => {}
                _ => {
                    // The colon.
                    drop(self.words.next());
                    fields.push(Field { name: word, kind: self.kind(), of_union: false });
                }
            }
        }
        fields
    }

    fn kind(&mut self) -> Kind {
        let word = self.words.next().unwrap_or_default();
        if word != "List" {
            return Kind::Named(word.rsplit('.').next().unwrap_or_default().to_owned());
        }
        drop(self.words.next());
        let of = self.kind();
        drop(self.words.next());
        Kind::List(Box::new(of))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const TEXT: &str = r#"@0x1;
# interface Nothing {
using Work = import "work.capnp";
interface Maker @0x2 {
  # It makes.

  make @0 (
      config :Text,
      all :List(Work.Thing)
  ) -> (thing :Thing, maker :Maker, outcome :End);

  close @1 () -> ();
}
struct Thing @0x3 {
  size @0 :Int64 = -1;
  # of it
  colour @1 :Colour;
  union {
    unset @2 :Void;
    name @3 :Text;
  }
  enum Colour @0x4 {
    unset @0;
    red @1;
  }
}
"#;

    pub(in super::super) fn schema() -> Schema {
        Schema::read([TEXT].into_iter())
    }

    #[test]
    fn methods_fields_and_members_are_read() {
        let schema = schema();
        let make = schema.method("Maker", "make").unwrap();
        let named = |fields: &[Field]| fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
        assert_eq!(named(&make.takes), ["config", "all"]);
        assert_eq!(make.takes[1].kind, Kind::List(Box::new(Kind::Named("Thing".to_owned()))));
        assert_eq!(named(&make.answers), ["thing", "maker", "outcome"]);
        assert_eq!(schema.method("Maker", "close"), Some(&Method { takes: Vec::new(), answers: Vec::new() }));
        let fields = schema.fields("Thing").unwrap();
        assert_eq!(named(fields), ["size", "colour", "unset", "name"]);
        assert_eq!(fields.iter().map(|field| field.of_union).collect::<Vec<_>>(), [false, false, true, true]);
        assert_eq!(schema.members("Colour").unwrap(), ["unset", "red"]);
    }

    #[test]
    fn what_is_not_declared_is_not_there() {
        let schema = schema();
        assert_eq!(schema.has("Maker", "make"), Some(true));
        assert_eq!(schema.has("Maker", "take"), Some(false));
        assert_eq!(schema.has("Thing", "colour"), Some(true));
        assert_eq!(schema.has("Nothing", "make"), None);
    }
}
