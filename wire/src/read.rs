//! The only helpers for reading: everything else takes its values from here.
use capnp::{text, text_list};

use crate::broken::Trouble;

/// A text of a peer. What is not UTF-8 in it is replaced: it is never an error.
pub(crate) fn text(text: capnp::Result<text::Reader<'_>>) -> Result<String, capnp::Error> {
    Ok(String::from_utf8_lossy(text?.as_bytes()).into_owned())
}

/// A list of texts.
pub(crate) fn texts(texts: capnp::Result<text_list::Reader<'_>>) -> Result<Vec<String>, capnp::Error> {
    texts?.iter().map(text).collect()
}

/// A capability that may be null; `has` is the field's own `has_…`.
pub(crate) fn optional<C>(
    has: bool,
    capability: impl FnOnce() -> capnp::Result<C>,
) -> Result<Option<C>, capnp::Error> {
    if has { capability().map(Some) } else { Ok(None) }
}

/// A capability that must not be null.
pub(crate) fn required<C>(
    has: bool,
    capability: impl FnOnce() -> capnp::Result<C>,
    name: &str,
) -> Result<C, Trouble> {
    if has { Ok(capability()?) } else { Err(Trouble::malformed(format!("`{name}` is null"))) }
}

/// The member of a union or enum that this version of the schema does not have.
pub(crate) fn unknown(name: &str, member: capnp::NotInSchema) -> Trouble {
    Trouble::malformed(format!("`{name}` has the unknown member {}", member.0))
}

/// A union or enum that was left at its first member, which means that nobody set it.
pub(crate) fn unset(name: &str) -> Trouble {
    Trouble::malformed(format!("`{name}` is unset"))
}
