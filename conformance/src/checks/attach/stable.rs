//! Whether a plugin says the same of itself each time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::check::Checked;
use crate::components::{Offered, offered, text};
use crate::rig::{Answer, Attached, Manners, Rig};
use crate::talk::diagnostic::shortened;

/// How often the plugin is started.
const TIMES: usize = 3;
/// How long it has to leave, where that is not what the check is about.
const LEAVE: Duration = Duration::from_secs(5);

/// What a plugin says of itself: the titles of its components in their order, and every field by its name.
struct Said {
    order: Vec<String>,
    fields: BTreeMap<String, Value>,
}

/// Starts the plugin a few times and compares what it says.
pub(super) async fn stable(rig: &Rig) -> Checked {
    let mut first: Option<Said> = None;
    for time in 1..=TIMES {
        let session = rig.attach(Manners::default()).await?;
        let said = session.plugin.read("the hello", Said::by(&session))?;
        match &first {
            None => first = Some(said),
            Some(first) => compare(&session, time, first, &said),
        }
        session.host.answer(Answer::Leave);
        session.plugin.exit(LEAVE).await;
    }
    Ok(())
}

fn compare(session: &Attached, time: usize, first: &Said, said: &Said) {
    let same = first.order == said.order;
    let observed = if same { "they do" } else { "they come in another order" };
    session.plugin.saw(
        format!("the components of start {time} come in the order of the first"),
        same,
        observed,
    );
    let differs = |(name, value): &(&String, &Value)| said.fields.get(*name) != Some(*value);
    let other = first.fields.iter().filter(differs).map(|(name, _)| name.as_str());
    let new = said.fields.keys().filter(|name| !first.fields.contains_key(*name)).map(String::as_str);
    let differences: Vec<String> = other.chain(new).map(|name| first.beside(said, name)).collect();
    let expected = format!("the hello of start {time} says what the first said");
    session.plugin.saw_of_all(expected, first.fields.len(), differences);
}

impl Said {
    /// Everything in a hello but the token.
    fn by(session: &Attached) -> capnp::Result<Self> {
        let hello = session.hello.read()?;
        let components = offered(hello)?;
        let mut fields = vec![
            ("name".to_owned(), text(hello.get_name())?.into()),
            ("version".to_owned(), text(hello.get_version())?.into()),
            ("sdk".to_owned(), text(hello.get_sdk())?.into()),
            ("protocolVersion".to_owned(), hello.get_protocol_version().into()),
            ("extensions".to_owned(), json_or_text(text(hello.get_extensions())?)),
        ];
        for component in &components {
            fields.extend(fields_of(component)?);
        }
        let order = components.into_iter().map(|component| component.title).collect();
        Ok(Self { order, fields: fields.into_iter().collect() })
    }

    /// One field as it was said twice.
    fn beside(&self, other: &Self, name: &str) -> String {
        let told = |said: &Self| said.fields.get(name).map_or_else(|| "nothing".to_owned(), Value::to_string);
        format!("the {name} is {}, then {}", shortened(&told(self)), shortened(&told(other)))
    }
}

fn fields_of(component: &Offered<'_>) -> capnp::Result<Vec<(String, Value)>> {
    let Offered { title, reader, .. } = component;
    let named = |what: &str| format!("{what} of the {title}");
    Ok(vec![
        (named("summary"), text(reader.get_summary())?.into()),
        (named("documentation"), text(reader.get_documentation())?.into()),
        (named("configSchema"), json_or_text(text(reader.get_config_schema())?)),
        (named("outputSchema"), json_or_text(text(reader.get_output_schema())?)),
        (named("extensions"), json_or_text(text(reader.get_extensions())?)),
        (named("needsCommunicator"), reader.get_needs_communicator().into()),
        (named("recovery"), reader.has_recovery().into()),
    ])
}

/// The order of keys in JSON says nothing.
fn json_or_text(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}
