//! Taking JSON values apart while collecting everything that is wrong with them.

use super::parts::Word;
use super::problem::Problem;
use super::source::{Member, Node, Shape, Span};

/// Reads on after a problem, so that the user hears of all of them at once.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
}

impl Reader {
    /// The members of an object; none, and a problem, if it is no object.
    pub(super) fn members<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Member] {
        match &node.shape {
            Shape::Object(members) => members,
            _ => self.refuse(node, what, "an object").unwrap_or_default(),
        }
    }

    /// The elements of an array; none, and a problem, if it is no array.
    pub(super) fn elements<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.shape {
            Shape::List(elements) => elements,
            _ => self.refuse(node, what, "an array").unwrap_or_default(),
        }
    }

    pub(super) fn word(&mut self, node: &Node, what: &str) -> Option<Word> {
        match &node.shape {
            Shape::Text(text) => Some(Word { text: text.clone(), span: node.span }),
            _ => self.refuse(node, what, "a string"),
        }
    }

    pub(super) fn words(&mut self, node: &Node, what: &str) -> Vec<Word> {
        let elements = self.elements(node, what);
        elements.iter().filter_map(|element| self.word(element, &format!("each element of {what}"))).collect()
    }

    /// Notes that `node` is not what it must be.
    pub(super) fn refuse<T>(&mut self, node: &Node, what: &str, expected: &'static str) -> Option<T> {
        let found = node.shape.noun();
        self.problems.push(Problem::WrongShape { at: node.span, what: what.to_owned(), expected, found });
        None
    }

    /// Notes that `place` lacks `key`, pointing at the bracket that opens it.
    pub(super) fn missing<T>(&mut self, node: &Node, place: &str, key: &'static str) -> Option<T> {
        let at = Span { start: node.span.start, end: node.span.start + 1 };
        self.problems.push(Problem::Missing { at, place: place.to_owned(), key });
        None
    }
}
