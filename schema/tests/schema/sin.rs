//! What some language cannot compile, and the words in which it is refused.

use std::fmt;

/// Names of union members that generated Rust needs for itself.
pub(crate) const TAKEN_BY_RUST: &[&str] = &["builder", "reader", "owned", "pipeline", "which"];
/// Names of methods that generated Go needs for itself.
pub(crate) const TAKEN_BY_GO: &[&str] = &["release", "string", "resolve", "isValid", "isSame", "addRef"];
/// Names of types that generated Java needs for itself.
pub(crate) const TAKEN_BY_JAVA: &[&str] = &["Builder", "Reader", "Factory", "Client", "Server", "Pipeline"];

/// One reason why a schema is not neutral.
#[derive(Debug, PartialEq)]
pub(crate) enum Sin {
    FileWithoutId,
    TypeWithoutId(String),
    IdTwice { id: String, first: String },
    ForeignImport(String),
    ImportCycle(Vec<String>),
    Stream,
    Generic,
    Inheritance,
    Annotation,
    TypeCase(String),
    MemberCase(String),
    SameButForCase { name: String, first: String },
    TakenByRust(String),
    TakenByGo(String),
    TakenByJava(String),
}

impl fmt::Display for Sin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileWithoutId => {
                write!(f, "the file has no explicit id: each compiler would make up its own")
            }
            Self::TypeWithoutId(name) => {
                write!(
                    f,
                    "`{name}` has no explicit id: a copy with a language's annotations could not rename it"
                )
            }
            Self::IdTwice { id, first } => write!(f, "the id @{id} is that of {first} already"),
            Self::ForeignImport(name) => {
                write!(
                    f,
                    "imports \"{name}\", which is not beside it: pycapnp aborts the process where it is missing"
                )
            }
            Self::ImportCycle(files) => {
                write!(f, "imports itself by {}: C++ cannot compile a cycle", files.join(" → "))
            }
            Self::Stream => write!(f, "`-> stream`: JavaScript cannot compile it, Python and Go ignore it"),
            Self::Generic => write!(f, "a generic type or method: Java and JavaScript cannot compile it"),
            Self::Inheritance => write!(f, "`extends`: JavaScript calls the wrong method"),
            Self::Annotation => write!(f, "an annotation: its definition is missing in every other language"),
            Self::TypeCase(name) => write!(f, "the type `{name}` is not written LikeThis"),
            Self::MemberCase(name) => write!(f, "the name `{name}` is not written likeThis"),
            Self::SameButForCase { name, first } => {
                write!(f, "`{name}` is `{first}` but for case: they meet where a language changes it")
            }
            Self::TakenByRust(name) => write!(f, "a union member cannot be called `{name}` in Rust"),
            Self::TakenByGo(name) => write!(f, "a method cannot be called `{name}` in Go"),
            Self::TakenByJava(name) => write!(f, "a type cannot be called `{name}` in Java"),
        }
    }
}
