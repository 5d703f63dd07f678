//! Keys of a configuration as a lax decoder takes them: where two are one to it, the last wins.
use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::fault::Fault;

/// The text that is read: as it came, but for a fault.
pub(super) fn taken(fault: Option<Fault>, text: &[u8]) -> Cow<'_, [u8]> {
    let Ok(Value::Object(object)) = serde_json::from_slice::<Value>(text) else { return Cow::Borrowed(text) };
    let taken = match fault {
        Some(Fault::LastKeyWins) => Value::Object(object),
        Some(Fault::ComparesKeysAsWritten) if text.windows(2).any(|two| two == br"\u") => {
            Value::Object(object)
        }
        Some(Fault::FoldsCase) if object.keys().any(|key| *key != key.to_lowercase()) => folded(object),
        _ => return Cow::Borrowed(text),
    };
    Cow::Owned(taken.to_string().into_bytes())
}

fn folded(object: Map<String, Value>) -> Value {
    object.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect()
}
