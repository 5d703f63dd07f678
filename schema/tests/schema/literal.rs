//! Cap'n Proto's text format, as `schema/vectors` uses it: `(name = "x", union = (done = void), list = [1, 2])`.

use std::collections::BTreeMap;

use crate::statements::{self, Token};

/// A value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    /// A number, `void`, `true`, an enumerant, or `null` for a capability.
    Word(String),
    /// A text, without its quotes and escapes.
    Text(String),
    /// `[…]`
    List(Vec<Literal>),
    /// `(…)`
    Struct(BTreeMap<String, Literal>),
}

impl Literal {
    /// Reads one value; the error says what is wrong.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let statements = statements::statements(&format!("{text};"))?;
        let [statement] = statements.as_slice() else {
            return Err("not one value".to_owned());
        };
        let (literal, rest) = value(&statement.tokens)?;
        if rest.is_empty() { Ok(literal) } else { Err(format!("unexpected: {rest:?}")) }
    }
}

type Rest<'a> = &'a [Token];

fn value(tokens: Rest<'_>) -> Result<(Literal, Rest<'_>), String> {
    match tokens {
        [Token::Word(word), rest @ ..] => Ok((Literal::Word(word.clone()), rest)),
        [Token::Sign('-'), Token::Word(word), rest @ ..] => Ok((Literal::Word(format!("-{word}")), rest)),
        [Token::Text(text), rest @ ..] => Ok((Literal::Text(unescaped(text)?), rest)),
        [Token::Sign('['), rest @ ..] => {
            let (items, rest) = items(rest, ']', value)?;
            Ok((Literal::List(items), rest))
        }
        [Token::Sign('('), rest @ ..] => {
            let (fields, rest) = items(rest, ')', field)?;
            Ok((Literal::Struct(fields.into_iter().collect()), rest))
        }
        _ => Err(format!("not a value: {tokens:?}")),
    }
}

fn field(tokens: Rest<'_>) -> Result<((String, Literal), Rest<'_>), String> {
    let [Token::Word(name), Token::Sign('='), rest @ ..] = tokens else {
        return Err(format!("not a field: {tokens:?}"));
    };
    let (value, rest) = value(rest)?;
    Ok(((name.clone(), value), rest))
}

fn items<T>(
    mut tokens: Rest<'_>,
    end: char,
    item: fn(Rest<'_>) -> Result<(T, Rest<'_>), String>,
) -> Result<(Vec<T>, Rest<'_>), String> {
    let mut found = Vec::new();
    loop {
        match tokens {
            [Token::Sign(sign), rest @ ..] if *sign == end => return Ok((found, rest)),
            [Token::Sign(','), rest @ ..] if !found.is_empty() => tokens = rest,
            _ => {
                let (value, rest) = item(tokens)?;
                found.push(value);
                tokens = rest;
            }
        }
    }
}

fn unescaped(text: &str) -> Result<String, String> {
    let (mut letters, mut found) = (text.chars(), String::new());
    while let Some(letter) = letters.next() {
        found.push(match letter {
            '\\' => escaped(letters.next())?,
            letter => letter,
        });
    }
    Ok(found)
}

fn escaped(letter: Option<char>) -> Result<char, String> {
    match letter {
        Some('n') => Ok('\n'),
        Some('t') => Ok('\t'),
        Some(same @ ('"' | '\\')) => Ok(same),
        other => Err(format!("an escape that no vector uses: {other:?}")),
    }
}

#[test]
fn values_of_all_forms_are_read() {
    let read =
        Literal::read("(a = -1, b = [\"x\\\"\\n\", \"\"], c = (d = void))").expect("it is well formed");
    let Literal::Struct(fields) = read else { panic!("it is a struct: {read:?}") };
    assert_eq!(fields["a"], Literal::Word("-1".into()));
    assert_eq!(fields["b"], Literal::List(vec![Literal::Text("x\"\n".into()), Literal::Text(String::new())]));
    assert_eq!(fields["c"], Literal::Struct(BTreeMap::from([("d".into(), Literal::Word("void".into()))])));
}

#[test]
fn what_is_no_value_is_refused() {
    for bad in ["", "(a)", "(a = )", "[1", "1 2", "(a = \"\\x00\")"] {
        assert!(Literal::read(bad).is_err(), "{bad}");
    }
}
