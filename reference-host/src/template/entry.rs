//! One entry of a template: what the host reads of it, and the rest, which is the component's configuration.

use std::time::Duration;

use super::duration;
use super::parts::{BuildFilter, Grants, Word};
use super::problem::Problem;
use super::reader::Reader;
use super::source::{Member, Node, Shape};
use crate::spell;

/// What `grant` may name.
const GRANTS: [&str; 1] = ["communicator"];

/// An object of the template that is about one use of a component.
pub(super) struct Entry<'n> {
    node: &'n Node,
    members: &'n [Member],
}

impl<'n> Entry<'n> {
    /// The entry that is written as `node`; `what` names it where it is no object.
    pub(super) fn of(reader: &mut Reader, node: &'n Node, what: &str) -> Self {
        Self { node, members: reader.members(node, what) }
    }

    /// `type`, unless the node is no object, which has been said already.
    pub(super) fn component(&self, reader: &mut Reader, place: &str) -> Option<Word> {
        match self.find("type") {
            Some(component) => reader.word(component, "`type`"),
            None if matches!(self.node.shape, Shape::Object(_)) => reader.missing(self.node, place, "type"),
            None => None,
        }
    }

    pub(super) fn name(&self, reader: &mut Reader) -> Option<Word> {
        self.find("name").and_then(|name| reader.word(name, "`name`"))
    }

    /// `only` and `except`, of which there can be one.
    pub(super) fn builds(&self, reader: &mut Reader) -> BuildFilter {
        let (only, except) = (self.find("only"), self.find("except"));
        if let (Some(only), Some(except)) = (only, except) {
            reader.problems.push(Problem::OnlyAndExcept { only: only.span, except: except.span });
        }
        BuildFilter {
            only: only.map(|only| reader.words(only, "`only`")),
            except: except.map(|except| reader.words(except, "`except`")).unwrap_or_default(),
        }
    }

    pub(super) fn grants(&self, reader: &mut Reader) -> Grants {
        let mut grants = Grants::default();
        let Some(list) = self.find("grant") else { return grants };
        for Word { text, span } in reader.words(list, "`grant`") {
            match text.as_str() {
                "communicator" => grants.communicator = true,
                _ => reader.problems.push(Problem::UnknownGrant {
                    at: span,
                    near: spell::nearest(&text, GRANTS),
                    name: text,
                    known: GRANTS.to_vec(),
                }),
            }
        }
        grants
    }

    /// What the named builds replace.
    pub(super) fn overrides(&self, reader: &mut Reader) -> Vec<(Word, Node)> {
        let mut overrides = Vec::new();
        let Some(node) = self.find("override") else { return overrides };
        for member in reader.members(node, "`override`") {
            let name = Word { text: member.key.clone(), span: member.key_span };
            reader.members(&member.value, &format!("the override for build `{}`", member.key));
            overrides.push((name, member.value.clone()));
        }
        overrides
    }

    pub(super) fn length(&self, reader: &mut Reader, key: &str) -> Option<Duration> {
        let Word { text, span: at } = reader.word(self.find(key)?, &format!("`{key}`"))?;
        let length = duration::read(&text);
        if length.is_none() {
            reader.problems.push(Problem::BadDuration { at, text });
        }
        length
    }

    /// Packer takes a number or digits in quotes.
    pub(super) fn times(&self, reader: &mut Reader, key: &str) -> Option<u32> {
        let node = self.find(key)?;
        let times = match &node.shape {
            Shape::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
            Shape::Text(digits) => digits.parse().ok(),
            _ => None,
        };
        times.or_else(|| reader.refuse(node, &format!("`{key}`"), "a whole number from 0"))
    }

    /// Packer takes a boolean or its name in quotes.
    pub(super) fn flag(&self, reader: &mut Reader, key: &str) -> Option<bool> {
        let node = self.find(key)?;
        let flag = match &node.shape {
            Shape::Bool(flag) => Some(*flag),
            Shape::Text(word) => word.parse().ok(),
            _ => None,
        };
        flag.or_else(|| reader.refuse(node, &format!("`{key}`"), "true or false"))
    }

    /// The object less the members that are the host's.
    pub(super) fn rest(&self, keys: &[&str]) -> Node {
        let rest = self.others(keys).cloned().collect();
        Node { span: self.node.span, shape: Shape::Object(rest) }
    }

    /// Refuses every member that the host does not know, where no component is configured.
    pub(super) fn refuse_others(&self, reader: &mut Reader, place: &str, keys: &[&'static str]) {
        for member in self.others(keys) {
            reader.problems.push(Problem::UnknownKey {
                at: member.key_span,
                place: place.to_owned(),
                key: member.key.clone(),
                near: spell::nearest(&member.key, keys.iter().copied()),
                known: keys.to_vec(),
            });
        }
    }

    fn others(&self, keys: &[&str]) -> impl Iterator<Item = &'n Member> {
        self.members.iter().filter(|member| !keys.contains(&member.key.as_str()))
    }

    fn find(&self, key: &str) -> Option<&'n Node> {
        self.members.iter().find(|member| member.key == key).map(|member| &member.value)
    }
}
