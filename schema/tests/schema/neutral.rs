//! The schema is neutral: it holds nothing that the compiler of some language refuses.

use std::collections::{BTreeMap, BTreeSet};

use crate::declarations::{File, Member, Role, Type};
use crate::sin::{Sin, TAKEN_BY_GO, TAKEN_BY_JAVA, TAKEN_BY_RUST};
use crate::statements::Token;

#[test]
fn the_schema_is_neutral() {
    assert_eq!(sins(&crate::schema()), Vec::<String>::new());
}

/// All sins of a schema, each with its file and line.
fn sins(files: &[File]) -> Vec<String> {
    let mut found = Found::default();
    for file in files {
        found.at = (file.name.clone(), 1);
        ids(file, &mut found);
        signs(file, &mut found);
        imports(file, files, &mut found);
        file.types.iter().for_each(|declared| names(declared, &mut found));
    }
    found.sins
}

#[derive(Default)]
struct Found {
    sins: Vec<String>,
    /// The file and line that are looked at.
    at: (String, usize),
    /// Id → what has it.
    ids: BTreeMap<String, String>,
}

impl Found {
    fn add(&mut self, sin: &Sin) {
        let (file, line) = &self.at;
        self.sins.push(format!("{file}:{line}: {sin}"));
    }

    fn add_if(&mut self, guilty: bool, sin: &Sin) {
        if guilty {
            self.add(sin);
        }
    }

    fn add_id(&mut self, id: &str, owner: String) {
        if let Some(first) = self.ids.insert(id.to_lowercase(), owner) {
            self.add(&Sin::IdTwice { id: id.to_owned(), first });
        }
    }
}

fn ids(file: &File, found: &mut Found) {
    match &file.id {
        Some(id) => found.add_id(id, file.name.clone()),
        None => found.add(&Sin::FileWithoutId),
    }
    for Type { line, name, id, .. } in &file.types {
        found.at.1 = *line;
        match id {
            Some(id) => found.add_id(id, format!("`{name}`")),
            None => found.add(&Sin::TypeWithoutId(name.clone())),
        }
    }
}

/// What may stand nowhere in a file.
fn signs(file: &File, found: &mut Found) {
    for (line, tokens) in &file.lines {
        found.at.1 = *line;
        let annotation = tokens.contains(&Token::Sign('$')) || tokens.first().is_some_and(is("annotation"));
        found.add_if(annotation, &Sin::Annotation);
        found.add_if(tokens.windows(2).any(is_stream), &Sin::Stream);
        found.add_if(tokens.windows(2).any(is_application), &Sin::Generic);
    }
    for declared in &file.types {
        found.at.1 = declared.line;
        let inherits = declared.rest.iter().any(is("extends"));
        found.add_if(inherits, &Sin::Inheritance);
        let generic = !inherits && declared.rest.contains(&Token::Sign('('));
        found.add_if(generic, &Sin::Generic);
    }
}

fn is(word: &str) -> impl Fn(&Token) -> bool {
    move |token| token.is_word(word)
}

fn is_stream(pair: &[Token]) -> bool {
    matches!(pair, [Token::Arrow, word] if word.is_word("stream"))
}

/// `Name(` other than `List(`, or `[`, the parameters of a method.
fn is_application(pair: &[Token]) -> bool {
    match pair {
        [Token::Word(name), Token::Sign('(')] => name != "List" && name != "extends",
        [Token::Id(_), Token::Sign('[')] => true,
        _ => false,
    }
}

fn imports(file: &File, files: &[File], found: &mut Found) {
    for import in &file.imports {
        found.at.1 = import.line;
        let known = files.iter().any(|beside| beside.name == import.name);
        found.add_if(!known, &Sin::ForeignImport(import.name.clone()));
    }
    found.at.1 = 1;
    if let Some(cycle) = way(&file.name, &file.name, files, &mut BTreeSet::new()) {
        found.add(&Sin::ImportCycle(cycle));
    }
}

/// The files by which `from` imports `to`.
fn way(from: &str, to: &str, files: &[File], seen: &mut BTreeSet<String>) -> Option<Vec<String>> {
    let file = files.iter().find(|file| file.name == from)?;
    for import in &file.imports {
        if import.name == to {
            return Some(vec![to.to_owned()]);
        }
        if seen.insert(import.name.clone())
            && let Some(rest) = way(&import.name, to, files, seen)
        {
            return Some([vec![import.name.clone()], rest].concat());
        }
    }
    None
}

fn names(declared: &Type, found: &mut Found) {
    found.at.1 = declared.line;
    found.add_if(!is_case(&declared.name, char::is_uppercase), &Sin::TypeCase(declared.name.clone()));
    found.add_if(is_one_of(&declared.name, TAKEN_BY_JAVA), &Sin::TakenByJava(declared.name.clone()));
    let mut first = BTreeMap::new();
    for member in &declared.members {
        found.at.1 = member.line;
        member_name(member, found);
        let scoped = member.role != Role::Parameter;
        let before = scoped.then(|| first.insert(member.name.to_lowercase(), member.name.clone())).flatten();
        if let Some(first) = before {
            found.add(&Sin::SameButForCase { name: member.name.clone(), first });
        }
    }
}

fn member_name(Member { role, name, .. }: &Member, found: &mut Found) {
    found.add_if(!is_case(name, char::is_lowercase), &Sin::MemberCase(name.clone()));
    match role {
        Role::UnionMember => found.add_if(is_one_of(name, TAKEN_BY_RUST), &Sin::TakenByRust(name.clone())),
        Role::Method => found.add_if(is_one_of(name, TAKEN_BY_GO), &Sin::TakenByGo(name.clone())),
        Role::Field | Role::Enumerant | Role::Parameter => {}
    }
}

fn is_case(name: &str, first: fn(char) -> bool) -> bool {
    name.starts_with(first) && !name.contains('_')
}

/// Languages change the case of names: `isvalid` and `IsValid` are the same in Go.
fn is_one_of(name: &str, taken: &[&str]) -> bool {
    taken.iter().any(|taken| taken.eq_ignore_ascii_case(name))
}

mod refuses {
    use super::{File, sins};

    /// The sins of `a.capnp`, beside a `b.capnp`.
    #[track_caller]
    fn check(a: &str, expected: &[&str]) {
        check_both(a, "@0xb;", expected);
    }

    #[track_caller]
    fn check_both(a: &str, b: &str, expected: &[&str]) {
        let files = [("a.capnp", a), ("b.capnp", b)];
        let files = files.map(|(name, text)| File::read(name, text).expect("the sample can be read"));
        assert_eq!(sins(&files), expected);
    }

    #[test]
    fn nothing_of_a_neutral_file() {
        check(
            "@0xa;\nusing B = import \"b.capnp\";\nusing import \"b.capnp\".C;\nstruct S @0x1 {\n list @0 :List(List(Text)) = [];\n \
             union { unset @1 :Void; imageBuilder @2 :I; }\n}\n# $ -> stream extends\ninterface I @0x2 { run @0 (builder :S) -> (); }",
            &[],
        );
    }

    #[test]
    fn a_file_without_an_id() {
        check(
            "struct S @0x1 {}",
            &["a.capnp:1: the file has no explicit id: each compiler would make up its own"],
        );
    }

    #[test]
    fn a_type_without_an_id_nested_ones_too() {
        let told = "has no explicit id: a copy with a language's annotations could not rename it";
        check(
            "@0xa;\nstruct S {\n enum E {}\n}\ninterface I {}",
            &[
                &format!("a.capnp:3: `E` {told}"),
                &format!("a.capnp:2: `S` {told}"),
                &format!("a.capnp:5: `I` {told}"),
            ],
        );
    }

    #[test]
    fn an_id_that_is_there_twice() {
        check_both(
            "@0xa;\nstruct S @0x1 {}\nenum E @0x1 {}",
            "@0xA;",
            &[
                "a.capnp:3: the id @0x1 is that of `S` already",
                "b.capnp:1: the id @0xA is that of a.capnp already",
            ],
        );
    }

    #[test]
    fn an_import_from_elsewhere() {
        let told = "which is not beside it: pycapnp aborts the process where it is missing";
        check(
            "@0xa;\nusing Go = import \"/go.capnp\";\nusing X = import \"c.capnp\";",
            &[
                &format!("a.capnp:2: imports \"/go.capnp\", {told}"),
                &format!("a.capnp:3: imports \"c.capnp\", {told}"),
            ],
        );
    }

    #[test]
    fn a_cycle_of_imports() {
        check_both(
            "@0xa; using B = import \"b.capnp\";",
            "@0xb; struct S @0x1 { x @0 :import \"a.capnp\".X; }",
            &[
                "a.capnp:1: imports itself by b.capnp → a.capnp: C++ cannot compile a cycle",
                "b.capnp:1: imports itself by a.capnp → b.capnp: C++ cannot compile a cycle",
            ],
        );
    }

    #[test]
    fn streaming_methods() {
        check(
            "@0xa;\ninterface I @0x1 { write @0 (bytes :Data) -> stream; }",
            &["a.capnp:2: `-> stream`: JavaScript cannot compile it, Python and Go ignore it"],
        );
    }

    #[test]
    fn generic_types_methods_and_their_uses() {
        let told = "a generic type or method: Java and JavaScript cannot compile it";
        check(
            "@0xa;\nstruct S @0x1 (T) {\n x @0 :Map(Text);\n}\ninterface I @0x2 {\n m @0 [T] (x :T) -> ();\n}",
            &[&format!("a.capnp:3: {told}"), &format!("a.capnp:6: {told}"), &format!("a.capnp:2: {told}")],
        );
    }

    #[test]
    fn interfaces_that_inherit() {
        check(
            "@0xa;\ninterface I @0x1 extends(J) {}",
            &["a.capnp:2: `extends`: JavaScript calls the wrong method"],
        );
    }

    #[test]
    fn annotations_and_their_declarations() {
        let told = "an annotation: its definition is missing in every other language";
        check(
            "@0xa;\n$Go.package(\"x\");\nannotation a @0x2 (file) :Text;\nstruct S @0x1 {\n x @0 :Text $b;\n}",
            &[
                &format!("a.capnp:2: {told}"),
                "a.capnp:2: a generic type or method: Java and JavaScript cannot compile it",
                &format!("a.capnp:3: {told}"),
                &format!("a.capnp:5: {told}"),
            ],
        );
    }

    #[test]
    fn names_in_another_case() {
        check(
            "@0xa;\nstruct s @0x1 {\n Upper @0 :Text;\n snake_case @1 :Text;\n}\ninterface I @0x2 { m @0 (Up :Text) -> (); }",
            &[
                "a.capnp:2: the type `s` is not written LikeThis",
                "a.capnp:3: the name `Upper` is not written likeThis",
                "a.capnp:4: the name `snake_case` is not written likeThis",
                "a.capnp:6: the name `Up` is not written likeThis",
            ],
        );
    }

    #[test]
    fn names_that_differ_in_case_only() {
        check(
            "@0xa;\nstruct S @0x1 {\n runId @0 :Text;\n runID @1 :Text;\n}",
            &["a.capnp:4: `runID` is `runId` but for case: they meet where a language changes it"],
        );
    }

    #[test]
    fn union_members_with_a_name_of_rust() {
        for name in super::TAKEN_BY_RUST {
            let sample = format!("@0xa;\nstruct S @0x1 {{\n union {{ {name} @0 :Void; }}\n}}");
            check(&sample, &[&format!("a.capnp:3: a union member cannot be called `{name}` in Rust")]);
        }
        check("@0xa; struct S @0x1 { builder @0 :Text; }", &[]);
    }

    #[test]
    fn members_of_a_named_union_with_a_name_of_rust() {
        check(
            "@0xa;\nstruct S @0x1 { u :union { which @0 :Void; } }",
            &["a.capnp:2: a union member cannot be called `which` in Rust"],
        );
    }

    #[test]
    fn methods_with_a_name_of_go_in_any_case() {
        for name in ["release", "string", "resolve", "isValid", "isSame", "addRef", "isvalid"] {
            let sample = format!("@0xa;\ninterface I @0x1 {{\n {name} @0 () -> ();\n}}");
            check(&sample, &[&format!("a.capnp:3: a method cannot be called `{name}` in Go")]);
        }
        check("@0xa; interface I @0x1 { run @0 (string :Text) -> (release :Text); }", &[]);
    }

    #[test]
    fn types_with_a_name_of_java() {
        for name in super::TAKEN_BY_JAVA {
            let sample = format!("@0xa;\ninterface {name} @0x1 {{}}");
            check(&sample, &[&format!("a.capnp:2: a type cannot be called `{name}` in Java")]);
        }
    }
}
