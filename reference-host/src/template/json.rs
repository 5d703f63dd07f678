//! Strict I-JSON (RFC 7493) into [`Node`]s.
//!
//! Two readers look at the text: `serde_json` decides whether it is JSON at all and says why not, `jsonc-parser` knows
//! where everything stands. What either refuses is refused.

use std::collections::BTreeMap;

use jsonc_parser::ast::{Array, NumberLit, Object, Value};
use jsonc_parser::{CollectOptions, ParseOptions};

use super::problem::Problem;
use super::source::{Member, Node, Shape, Source, Span};

/// Beyond this a double skips integers, so a fraction-free spelling would claim an exactness that is not there.
const EXACT_DOUBLE: f64 = 9_007_199_254_740_992.0;

/// The one value of the text, or everything that keeps it from being I-JSON.
pub(crate) fn read(source: &Source) -> Result<Node, Vec<Problem>> {
    let text = source.text();
    serde_json::from_str::<serde_json::Value>(text).map_err(|error| vec![not_json(text, &error)])?;
    let parsed =
        jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &strict()).map_err(|error| {
            let range = error.range();
            vec![Problem::NotJson { at: span(range.start, range.end), why: error.kind().to_string() }]
        })?;
    let Some(value) = parsed.value else {
        return Err(vec![Problem::NotJson { at: Span::default(), why: "the text is empty".to_owned() }]);
    };
    let mut problems = Vec::new();
    let node = node(&value, &mut problems);
    if problems.is_empty() { Ok(node) } else { Err(problems) }
}

fn strict() -> ParseOptions {
    ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// The message of `serde_json` without its "at line 1 column 2", which becomes a place.
fn not_json(text: &str, error: &serde_json::Error) -> Problem {
    let whole = error.to_string();
    let why = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(why, _)| why).to_owned();
    let line_start: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let mut start = (line_start + error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let end = start + text[start..].chars().next().map_or(0, char::len_utf8);
    Problem::NotJson { at: span(start, end), why }
}

fn span(start: usize, end: usize) -> Span {
    Span { start, end }
}

fn node(value: &Value<'_>, problems: &mut Vec<Problem>) -> Node {
    let (range, shape) = match value {
        Value::NullKeyword(null) => (null.range, Shape::Null),
        Value::BooleanLit(boolean) => (boolean.range, Shape::Bool(boolean.value)),
        Value::NumberLit(literal) => (literal.range, number(literal, problems)),
        Value::StringLit(text) => (text.range, Shape::Text(text.value.to_string())),
        Value::Array(array) => (array.range, list(array, problems)),
        Value::Object(members) => (members.range, object(members, problems)),
    };
    Node { span: span(range.start, range.end), shape }
}

fn list(array: &Array<'_>, problems: &mut Vec<Problem>) -> Shape {
    Shape::List(array.elements.iter().map(|element| node(element, problems)).collect())
}

fn object(object: &Object<'_>, problems: &mut Vec<Problem>) -> Shape {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    let mut members = Vec::with_capacity(object.properties.len());
    for property in &object.properties {
        let range = property.range;
        let key = property.name.as_str();
        let key_span = span(range.start, key_end(property, range.start));
        if let Some(first) = seen.insert(key, key_span) {
            problems.push(Problem::DuplicateKey { key: key.to_owned(), first, second: key_span });
        }
        members.push(Member { key: key.to_owned(), key_span, value: node(&property.value, problems) });
    }
    Shape::Object(members)
}

fn key_end(property: &jsonc_parser::ast::ObjectProp<'_>, start: usize) -> usize {
    match &property.name {
        jsonc_parser::ast::ObjectPropName::String(literal) => literal.range.end,
        jsonc_parser::ast::ObjectPropName::Word(word) => start.max(word.range.end),
    }
}

/// A number as I-JSON wants to see it again: integral ones without fraction or exponent.
fn number(literal: &NumberLit<'_>, problems: &mut Vec<Problem>) -> Shape {
    let parsed: Option<serde_json::Number> = serde_json::from_str(literal.value).ok();
    let integral = !literal.value.contains(['.', 'e', 'E']);
    match parsed {
        Some(number) if number.is_f64() && !integral => Shape::Number(without_fraction(number)),
        Some(number) if !number.is_f64() => Shape::Number(number),
        _ => {
            let at = span(literal.range.start, literal.range.end);
            problems.push(Problem::InexactNumber { at, text: literal.value.to_owned() });
            Shape::Null
        }
    }
}

fn without_fraction(number: serde_json::Number) -> serde_json::Number {
    match number.as_f64() {
        Some(double) if double.fract() == 0.0 && double.abs() <= EXACT_DOUBLE => {
            format!("{double:.0}").parse::<i64>().map_or(number, serde_json::Number::from)
        }
        _ => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        read(&Source::new("t", text)).unwrap_err()[0].to_string()
    }

    fn number_of(text: &str) -> String {
        match read(&Source::new("t", text)).unwrap().shape {
            Shape::Number(number) => number.to_string(),
            other => other.noun().to_owned(),
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            "{",
            "{a: 1}",
            "[1,]",
            "// c\n1",
            "'a'",
            "01",
            "+1",
            "0x1",
            "NaN",
            "\"\\ud800\"",
            "\"\\x41\"",
            "1 2",
        ] {
            assert!(read(&Source::new("t", text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duplicate_key_is_refused_at_any_depth() {
        assert_eq!(problem(r#"[{"a": {"k": 1, "k": 2}}]"#), "key `k` is there twice");
    }

    #[test]
    fn keys_are_compared_after_decoding() {
        assert_eq!(problem(r#"{"k": 1, "\u006b": 2}"#), "key `k` is there twice");
    }

    #[test]
    fn integral_numbers_lose_their_fraction_and_exponent() {
        assert_eq!(number_of("1.0"), "1");
        assert_eq!(number_of("1e3"), "1000");
        assert_eq!(number_of("-2.5"), "-2.5");
        assert_eq!(number_of("18446744073709551615"), "18446744073709551615");
    }

    #[test]
    fn an_integer_that_would_be_rounded_is_refused() {
        assert_eq!(problem("18446744073709551616"), "number 18446744073709551616 cannot be kept exactly");
    }

    #[test]
    fn deep_nesting_is_refused_instead_of_overflowing_the_stack() {
        assert!(read(&Source::new("t", &"[".repeat(100_000))).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}:,\"\\\\ua0-9e.+\\- truefalsn]{0,60}") {
            drop(read(&Source::new("t", &text)));
        }
    }
}
