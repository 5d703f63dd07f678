//! Statements as declarations: files, types and their members. What cannot be read is refused, never skipped.

use crate::statements::{self, Statement, Token};

/// One file of the schema.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) imports: Vec<Import>,
    pub(crate) types: Vec<Type>,
    /// All tokens with their lines, for what may stand nowhere.
    pub(crate) lines: Vec<(usize, Vec<Token>)>,
}

/// `import "NAME"`, wherever it stands.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) line: usize,
    pub(crate) name: String,
}

/// What a declared name stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Struct,
    Enum,
    Interface,
}

/// A struct, enum or interface; nested ones stand in the list of their file, too.
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    /// What follows name and id: parameters, ancestors, annotations.
    pub(crate) rest: Vec<Token>,
    pub(crate) members: Vec<Member>,
}

/// A field, enumerant, method or parameter.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) line: usize,
    pub(crate) role: Role,
    pub(crate) name: String,
}

/// What a member is to its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    Field,
    UnionMember,
    Enumerant,
    Method,
    Parameter,
}

impl File {
    /// Reads one file; the error names it.
    pub(crate) fn read(name: &str, text: &str) -> Result<Self, String> {
        let told = |error| format!("{name}: {error}");
        let statements = statements::statements(text).map_err(told)?;
        let mut file = Self {
            name: name.to_owned(),
            id: None,
            imports: Vec::new(),
            types: Vec::new(),
            lines: Vec::new(),
        };
        file.gather(&statements);
        for statement in &statements {
            file.read_statement(statement).map_err(told)?;
        }
        Ok(file)
    }

    fn gather(&mut self, statements: &[Statement]) {
        for Statement { line, tokens, block } in statements {
            self.lines.push((*line, tokens.clone()));
            for pair in tokens.windows(2) {
                if let [Token::Word(word), Token::Text(name)] = pair
                    && (word == "import" || word == "embed")
                {
                    self.imports.push(Import { line: *line, name: name.clone() });
                }
            }
            self.gather(block.as_deref().unwrap_or_default());
        }
    }

    fn read_statement(&mut self, statement: &Statement) -> Result<(), String> {
        match statement.tokens.as_slice() {
            [Token::Id(id)] => self.id = Some(id.clone()),
            [Token::Word(word), ..] if word == "using" => {}
            // Found by their signs, wherever they stand.
            [Token::Sign('$'), ..] => {}
            [Token::Word(word), ..] if word == "annotation" => {}
            _ if self.read_type(statement)? => {}
            _ => return Err(unreadable(statement)),
        }
        Ok(())
    }

    /// Reads a type declaration and what is in it; false: it is none.
    fn read_type(&mut self, statement: &Statement) -> Result<bool, String> {
        let [Token::Word(keyword), Token::Word(name), rest @ ..] = statement.tokens.as_slice() else {
            return Ok(false);
        };
        let Some(kind) = kind(keyword) else { return Ok(false) };
        let Some(block) = &statement.block else { return Ok(false) };
        let (id, rest) = match rest {
            [Token::Id(id), rest @ ..] => (Some(id.clone()), rest),
            rest => (None, rest),
        };
        let mut members = Vec::new();
        self.read_members(kind, Role::Field, block, &mut members)?;
        let (name, rest) = (name.clone(), rest.to_vec());
        self.types.push(Type { line: statement.line, kind, name, id, rest, members });
        Ok(true)
    }

    fn read_members(
        &mut self,
        of: Kind,
        role: Role,
        block: &[Statement],
        into: &mut Vec<Member>,
    ) -> Result<(), String> {
        for statement in block {
            if self.read_type(statement)? {
                continue;
            }
            let line = statement.line;
            match (of, statement.tokens.as_slice(), &statement.block) {
                (_, [Token::Word(word), ..], None) if word == "using" => {}
                (Kind::Struct, [Token::Word(word)], Some(block)) if word == "union" => {
                    self.read_members(of, Role::UnionMember, block, into)?;
                }
                (Kind::Struct, [Token::Word(name), Token::Sign(':'), Token::Word(form)], Some(block)) => {
                    into.push(Member { line, role, name: name.clone() });
                    self.read_members(of, role_in(form), block, into)?;
                }
                (Kind::Struct, [Token::Word(name), Token::Id(_), Token::Sign(':'), ..], None) => {
                    into.push(Member { line, role, name: name.clone() });
                }
                (Kind::Enum, [Token::Word(name), Token::Id(_), ..], None) => {
                    into.push(Member { line, role: Role::Enumerant, name: name.clone() });
                }
                (Kind::Interface, [Token::Word(name), Token::Id(_), rest @ ..], None) => {
                    into.push(Member { line, role: Role::Method, name: name.clone() });
                    into.extend(parameters(line, rest));
                }
                _ => return Err(unreadable(statement)),
            }
        }
        Ok(())
    }
}

fn kind(keyword: &str) -> Option<Kind> {
    Some(match keyword {
        "struct" => Kind::Struct,
        "enum" => Kind::Enum,
        "interface" => Kind::Interface,
        _ => return None,
    })
}

fn role_in(form: &str) -> Role {
    if form == "union" { Role::UnionMember } else { Role::Field }
}

/// `name :` within the parentheses of a method.
fn parameters(line: usize, tokens: &[Token]) -> impl Iterator<Item = Member> {
    tokens.windows(2).filter_map(move |pair| match pair {
        [Token::Word(name), Token::Sign(':')] => {
            Some(Member { line, role: Role::Parameter, name: name.clone() })
        }
        _ => None,
    })
}

fn unreadable(statement: &Statement) -> String {
    format!("line {}: this test cannot read the statement: {:?}", statement.line, statement.tokens)
}

#[test]
fn nested_types_unions_and_parameters_are_found() {
    let file = File::read(
        "a.capnp",
        "@0x1; struct A @0x2 { a @0 :Text; union { b @1 :Void; c :group { d @2 :Int8 = -1; } }
            enum E @0x3 { x @0; } } interface I @0x4 { m @0 (p :A.E) -> (r :List(Text)); }",
    )
    .expect("it is well formed");
    let members = |index: usize| {
        let members = file.types[index].members.iter();
        members.map(|member| (member.role, member.name.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(members(0), [(Role::Enumerant, "x")]);
    assert_eq!(
        members(1),
        [(Role::Field, "a"), (Role::UnionMember, "b"), (Role::UnionMember, "c"), (Role::Field, "d")]
    );
    assert_eq!(members(2), [(Role::Method, "m"), (Role::Parameter, "p"), (Role::Parameter, "r")]);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let error = File::read("a.capnp", "@0x1;\nstruct A @0x2 { mystery; }").expect_err("it is no field");
    assert!(error.starts_with("a.capnp: line 2: this test cannot read"), "{error}");
}
