//! The entries of `variables`, `builders` and `provisioners`.

use std::time::Duration;

use super::duration;
use super::problem::Problem;
use super::read::{Builder, Provisioner, Variable, Word};
use super::reader::Reader;
use super::source::{Member, Node, Shape};

const BUILDER_KEYS: [&str; 2] = ["type", "name"];
const PROVISIONER_KEYS: [&str; 7] =
    ["type", "only", "except", "override", "pause_before", "timeout", "max_retries"];

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

pub(super) fn builders(reader: &mut Reader, node: &Node) -> Vec<Builder> {
    let elements = reader.elements(node, "`builders`");
    if elements.is_empty() && matches!(node.shape, Shape::List(_)) {
        reader.missing::<()>(node, "`builders`", "type");
    }
    elements.iter().filter_map(|element| builder(reader, element)).collect()
}

fn builder(reader: &mut Reader, node: &Node) -> Option<Builder> {
    let members = reader.members(node, "each element of `builders`");
    let component = component(reader, node, members, "the builder");
    let name = find(members, "name").and_then(|name| reader.word(name, "`name`"));
    Some(Builder { component: component?, name, config: without(node, members, &BUILDER_KEYS) })
}

pub(super) fn provisioners(reader: &mut Reader, node: &Node) -> Vec<Provisioner> {
    let elements = reader.elements(node, "`provisioners`");
    elements.iter().filter_map(|element| provisioner(reader, element)).collect()
}

fn provisioner(reader: &mut Reader, node: &Node) -> Option<Provisioner> {
    let members = reader.members(node, "each element of `provisioners`");
    let component = component(reader, node, members, "the provisioner");
    let only = find(members, "only").map(|only| reader.words(only, "`only`"));
    let except = find(members, "except").map(|except| reader.words(except, "`except`"));
    let overrides = find(members, "override").map(|node| overrides(reader, node));
    let pause_before = find(members, "pause_before").and_then(|node| length(reader, node, "`pause_before`"));
    let timeout = find(members, "timeout").and_then(|node| length(reader, node, "`timeout`"));
    let max_retries = find(members, "max_retries").and_then(|node| times(reader, node));
    refuse_both(reader, members);
    Some(Provisioner {
        component: component?,
        only,
        except: except.unwrap_or_default(),
        overrides: overrides.unwrap_or_default(),
        pause_before: pause_before.unwrap_or_default(),
        timeout,
        max_retries: max_retries.unwrap_or_default(),
        config: without(node, members, &PROVISIONER_KEYS),
    })
}

/// `type`, unless the node is no object, which has been said already.
fn component(reader: &mut Reader, node: &Node, members: &[Member], place: &str) -> Option<Word> {
    match find(members, "type") {
        Some(component) => reader.word(component, "`type`"),
        None if matches!(node.shape, Shape::Object(_)) => reader.missing(node, place, "type"),
        None => None,
    }
}

fn overrides(reader: &mut Reader, node: &Node) -> Vec<(Word, Node)> {
    let mut overrides = Vec::new();
    for member in reader.members(node, "`override`") {
        let name = Word { text: member.key.clone(), span: member.key_span };
        reader.members(&member.value, &format!("the override for build `{}`", member.key));
        overrides.push((name, member.value.clone()));
    }
    overrides
}

fn length(reader: &mut Reader, node: &Node, what: &str) -> Option<Duration> {
    let Word { text, span: at } = reader.word(node, what)?;
    let length = duration::read(&text);
    if length.is_none() {
        reader.problems.push(Problem::BadDuration { at, text });
    }
    length
}

/// Packer takes a number or digits in quotes.
fn times(reader: &mut Reader, node: &Node) -> Option<u32> {
    let times = match &node.shape {
        Shape::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        Shape::Text(digits) => digits.parse().ok(),
        _ => None,
    };
    times.or_else(|| reader.refuse(node, "`max_retries`", "a whole number from 0"))
}

fn refuse_both(reader: &mut Reader, members: &[Member]) {
    if let (Some(only), Some(except)) = (find(members, "only"), find(members, "except")) {
        reader.problems.push(Problem::OnlyAndExcept { only: only.span, except: except.span });
    }
}

fn find<'n>(members: &'n [Member], key: &str) -> Option<&'n Node> {
    members.iter().find(|member| member.key == key).map(|member| &member.value)
}

/// The object less the members that are the host's.
fn without(node: &Node, members: &[Member], keys: &[&str]) -> Node {
    let rest = members.iter().filter(|member| !keys.contains(&member.key.as_str()));
    Node { span: node.span, shape: Shape::Object(rest.cloned().collect()) }
}
