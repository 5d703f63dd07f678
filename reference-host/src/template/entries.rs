//! The entries of each key at the root of a template.

use super::entry::Entry;
use super::parts::{
    BuildFilter, Builder, DataSource, EventHook, Grants, PostProcessor, Provisioner, Variable, Word,
};
use super::problem::Problem;
use super::reader::Reader;
use super::source::{Member, Node, Shape};
use crate::{events, spell};

const BUILDER_KEYS: [&str; 2] = ["type", "name"];
const DATA_KEYS: [&str; 2] = ["type", "grant"];
const HOOK_KEYS: [&str; 4] = ["type", "only", "except", "grant"];
const PROVISIONER_KEYS: [&str; 8] =
    ["type", "only", "except", "override", "pause_before", "timeout", "max_retries", "grant"];
const POST_PROCESSOR_KEYS: [&str; 6] = ["type", "name", "only", "except", "keep_input_artifact", "grant"];

/// Events that builders of every kind have. Others are a builder's own, and only it knows their names.
const OF_BUILDERS: [&str; 2] = [packwire_wire::PROVISION, packwire_wire::CLEANUP_PROVISION];

pub(super) fn variables(reader: &mut Reader, node: &Node) -> Vec<Variable> {
    let members = reader.members(node, "`variables`");
    members.iter().map(|member| variable(reader, member)).collect()
}

fn variable(reader: &mut Reader, member: &Member) -> Variable {
    let span = member.value.span;
    let default = match &member.value.shape {
        Shape::Null => None,
        Shape::Text(text) => Some(Word { text: text.clone(), span }),
        Shape::Number(number) => Some(Word { text: number.to_string(), span }),
        _ => {
            reader.refuse(&member.value, &format!("variable `{}`", member.key), "a string, a number or null")
        }
    };
    let name = Word { text: member.key.clone(), span: member.key_span };
    Variable { name, default, sensitive: false }
}

pub(super) fn data(reader: &mut Reader, node: &Node) -> Vec<DataSource> {
    let members = reader.members(node, "`data`");
    members.iter().filter_map(|member| data_source(reader, member)).collect()
}

fn data_source(reader: &mut Reader, member: &Member) -> Option<DataSource> {
    let entry = Entry::of(reader, &member.value, &format!("data source `{}`", member.key));
    let component = entry.component(reader, &format!("data source `{}`", member.key));
    let grants = entry.grants(reader);
    let name = Word { text: member.key.clone(), span: member.key_span };
    Some(DataSource { name, component: component?, grants, config: entry.rest(&DATA_KEYS) })
}

pub(super) fn builders(reader: &mut Reader, node: &Node) -> Vec<Builder> {
    let elements = reader.elements(node, "`builders`");
    if elements.is_empty() && matches!(node.shape, Shape::List(_)) {
        reader.missing::<()>(node, "`builders`", "type");
    }
    elements.iter().filter_map(|element| builder(reader, element)).collect()
}

fn builder(reader: &mut Reader, node: &Node) -> Option<Builder> {
    let entry = Entry::of(reader, node, "each element of `builders`");
    let component = entry.component(reader, "the builder");
    let name = entry.name(reader);
    Some(Builder { component: component?, name, config: entry.rest(&BUILDER_KEYS) })
}

pub(super) fn provisioners(reader: &mut Reader, node: &Node) -> Vec<Provisioner> {
    let elements = reader.elements(node, "`provisioners`");
    let each = "each element of `provisioners`";
    elements.iter().filter_map(|element| provisioner(reader, element, each)).collect()
}

pub(super) fn cleanup(reader: &mut Reader, node: &Node) -> Option<Provisioner> {
    provisioner(reader, node, "`error-cleanup-provisioner`")
}

fn provisioner(reader: &mut Reader, node: &Node, what: &str) -> Option<Provisioner> {
    let entry = Entry::of(reader, node, what);
    let component = entry.component(reader, "the provisioner");
    let builds = entry.builds(reader);
    let overrides = entry.overrides(reader);
    let pause_before = entry.length(reader, "pause_before");
    let timeout = entry.length(reader, "timeout");
    let max_retries = entry.times(reader, "max_retries");
    let grants = entry.grants(reader);
    Some(Provisioner {
        component: component?,
        builds,
        overrides,
        pause_before: pause_before.unwrap_or_default(),
        timeout,
        max_retries: max_retries.unwrap_or_default(),
        grants,
        config: entry.rest(&PROVISIONER_KEYS),
    })
}

/// Sequences: a list is one, and what stands alone is one of a single post-processor.
pub(super) fn post_processors(reader: &mut Reader, node: &Node) -> Vec<Vec<PostProcessor>> {
    let elements = reader.elements(node, "`post-processors`");
    elements.iter().map(|element| sequence(reader, element)).collect()
}

fn sequence(reader: &mut Reader, node: &Node) -> Vec<PostProcessor> {
    let each = "each element of `post-processors`";
    match &node.shape {
        Shape::List(elements) if elements.is_empty() => {
            reader.problems.push(Problem::WrongShape {
                at: node.span,
                what: "a sequence of `post-processors`".to_owned(),
                expected: "an array of at least one",
                found: "an empty array",
            });
            Vec::new()
        }
        Shape::List(elements) => {
            let each = "each element of a sequence of `post-processors`";
            elements.iter().filter_map(|element| post_processor(reader, element, each)).collect()
        }
        Shape::Text(_) | Shape::Object(_) => post_processor(reader, node, each).into_iter().collect(),
        _ => reader.refuse(node, each, "a string, an object or an array of these").unwrap_or_default(),
    }
}

fn post_processor(reader: &mut Reader, node: &Node, what: &str) -> Option<PostProcessor> {
    match &node.shape {
        Shape::Text(text) => Some(PostProcessor {
            component: Word { text: text.clone(), span: node.span },
            name: None,
            builds: BuildFilter::default(),
            keep_input: None,
            grants: Grants::default(),
            config: nothing(node),
        }),
        Shape::Object(_) => {
            let entry = Entry::of(reader, node, what);
            let component = entry.component(reader, "the post-processor");
            let name = entry.name(reader);
            let builds = entry.builds(reader);
            let keep_input = entry.flag(reader, "keep_input_artifact");
            let grants = entry.grants(reader);
            let config = entry.rest(&POST_PROCESSOR_KEYS);
            Some(PostProcessor { component: component?, name, builds, keep_input, grants, config })
        }
        _ => reader.refuse(node, what, "a string or an object"),
    }
}

pub(super) fn hooks(reader: &mut Reader, node: &Node) -> Vec<EventHook> {
    let mut hooks = Vec::new();
    for member in reader.members(node, "`hooks`") {
        refuse_misspelt(reader, member);
        let event = Word { text: member.key.clone(), span: member.key_span };
        let what = format!("event `{}` of `hooks`", member.key);
        for element in reader.elements(&member.value, &what) {
            hooks.extend(hook(reader, element, &event));
        }
    }
    hooks
}

fn hook(reader: &mut Reader, node: &Node, event: &Word) -> Option<EventHook> {
    let event = event.clone();
    match &node.shape {
        Shape::Text(text) => {
            let component = Word { text: text.clone(), span: node.span };
            Some(EventHook { event, component, builds: BuildFilter::default(), grants: Grants::default() })
        }
        Shape::Object(_) => {
            let entry = Entry::of(reader, node, "the hook");
            let component = entry.component(reader, "the hook");
            let builds = entry.builds(reader);
            let grants = entry.grants(reader);
            entry.refuse_others(reader, "the hook", &HOOK_KEYS);
            Some(EventHook { event, component: component?, builds, grants })
        }
        _ => reader.refuse(node, &format!("each element of event `{}`", event.text), "a string or an object"),
    }
}

/// A hook for an event that never comes would be ignored: Packer's names and ours are known, and what is near to one
/// is one.
fn refuse_misspelt(reader: &mut Reader, member: &Member) {
    let event = member.key.as_str();
    let known: Vec<&'static str> = OF_BUILDERS.into_iter().chain(events::OWN).collect();
    let near = spell::nearest(event, known.iter().copied());
    let is_reserved = event.is_empty() || event.starts_with("packer_") || event.starts_with("packwire_");
    if !known.contains(&event) && (near.is_some() || is_reserved) {
        let (at, name) = (member.key_span, member.key.clone());
        reader.problems.push(Problem::UnknownEvent { at, name, near, known });
    }
}

/// An empty object that stands where the node does.
fn nothing(node: &Node) -> Node {
    Node { span: node.span, shape: Shape::Object(Vec::new()) }
}
