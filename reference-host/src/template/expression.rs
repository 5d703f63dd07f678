//! The subset of Go's template language that we run: calls of functions, one inside another in brackets.
//!
//! What the plugin fills in (`{{ .Name }}`) stays as it was written. Everything else of Go's language is refused by
//! name: a template must not mean one thing to Packer and another to us.

use std::ops::Range;

use super::lexer::{Lexer, Token, Unreadable};
use super::problem::Problem;
use super::source::{Source, Span};

/// Brackets deeper than this are no honest template.
const DEEPEST: usize = 32;
const KEYWORDS: [&str; 14] = [
    "if", "else", "end", "range", "with", "template", "define", "block", "break", "continue", "nil", "true",
    "false", "return",
];

/// A string of the template, and where its literal stands.
#[derive(Clone, Copy)]
pub(super) struct Phrase<'a> {
    pub(super) source: &'a Source,
    pub(super) literal: Span,
    pub(super) text: &'a str,
}

impl Phrase<'_> {
    fn span(&self, part: Range<usize>) -> Span {
        let end = part.end.max(part.start + 1).min(self.text.len());
        self.source.within(self.literal, part.start.min(end)..end)
    }
}

/// One stretch of a string.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Text that stays as it is: outside of brackets, or the plugin's.
    Verbatim(String),
    /// What a function yields.
    Call(Call),
}

/// A function with what it is given.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) at: Span,
    pub(super) arguments: Vec<Argument>,
}

/// One thing that a function is given.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Argument {
    Text(String),
    Number(i64),
    Call(Call),
}

/// Takes a string apart.
pub(super) fn parse(phrase: Phrase<'_>) -> Result<Vec<Piece>, Problem> {
    let mut pieces = Vec::new();
    let mut offset = 0;
    while let Some(open) = phrase.text[offset..].find("{{").map(|found| offset + found) {
        verbatim(&mut pieces, &phrase.text[offset..open]);
        let mut action = Action { phrase, open, lexer: Lexer::new(phrase.text, open + 2) };
        let (piece, end) = action.parse()?;
        match piece {
            Some(Piece::Verbatim(text)) => verbatim(&mut pieces, &text),
            other => pieces.extend(other),
        }
        offset = end;
    }
    verbatim(&mut pieces, &phrase.text[offset..]);
    Ok(pieces)
}

fn verbatim(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Verbatim(before)) => before.push_str(text),
        _ => pieces.push(Piece::Verbatim(text.to_owned())),
    }
}

/// A word and where it stands.
type Found = (Token, Range<usize>);

/// What stands between one `{{` and its `}}`.
struct Action<'a> {
    phrase: Phrase<'a>,
    open: usize,
    lexer: Lexer<'a>,
}

impl Action<'_> {
    /// The piece, none for a comment, and the offset behind `}}`.
    fn parse(&mut self) -> Result<(Option<Piece>, usize), Problem> {
        if self.comment()? {
            return Ok((None, self.close()?));
        }
        let (token, at) = self.next()?;
        match token {
            Token::Dots => self.late(),
            Token::Trim => self.trimmed(at),
            Token::Text(text) => Ok((Some(Piece::Verbatim(text)), self.close()?)),
            Token::Word(name) => {
                let (arguments, end) = self.arguments(&name, &at, 0)?;
                self.must_be(&Token::End, &end)?;
                Ok((Some(Piece::Call(self.call(name, at, arguments)?)), end.1.end))
            }
            Token::End => Err(self.wrong(at, "there is nothing between `{{` and `}}`")),
            other => Err(self.misplaced(&other, at)),
        }
    }

    /// `{{ .Name }}` goes to the plugin as it was written.
    fn late(&mut self) -> Result<(Option<Piece>, usize), Problem> {
        let (mut token, mut at) = self.next()?;
        if token == Token::Trim {
            (token, at) = self.next()?;
        }
        self.must_be(&Token::End, &(token, at.clone()))?;
        Ok((Some(Piece::Verbatim(self.phrase.text[self.open..at.end].to_owned())), at.end))
    }

    fn trimmed(&mut self, at: Range<usize>) -> Result<(Option<Piece>, usize), Problem> {
        match self.next()? {
            (Token::Dots, _) => self.late(),
            _ => Err(self.not_there_yet(at, "trimming (`{{-`, `-}}`)")),
        }
    }

    /// Everything up to the word that ends this call: `}}` or `)`, which is returned too.
    fn arguments(
        &mut self,
        function: &str,
        named: &Range<usize>,
        depth: usize,
    ) -> Result<(Vec<Argument>, Found), Problem> {
        if KEYWORDS.contains(&function) {
            return Err(self.not_there_yet(named.clone(), &format!("`{function}`")));
        }
        let mut arguments = Vec::new();
        loop {
            let (token, at) = self.next()?;
            arguments.push(match token {
                Token::End | Token::Close => return Ok((arguments, (token, at))),
                Token::Text(text) => Argument::Text(text),
                Token::Number(number) => Argument::Number(number),
                Token::Word(name) if KEYWORDS.contains(&name.as_str()) => {
                    return Err(self.not_there_yet(at, &format!("`{name}`")));
                }
                Token::Word(name) => Argument::Call(self.call(name, at, Vec::new())?),
                Token::Open => Argument::Call(self.bracketed(at, depth + 1)?),
                other => return Err(self.misplaced(&other, at)),
            });
        }
    }

    fn bracketed(&mut self, open: Range<usize>, depth: usize) -> Result<Call, Problem> {
        if depth > DEEPEST {
            return Err(self.wrong(open, "brackets are nested too deeply"));
        }
        match self.next()? {
            (Token::Word(name), at) => {
                let (arguments, end) = self.arguments(&name, &at, depth)?;
                self.must_be(&Token::Close, &end)?;
                self.call(name, at, arguments)
            }
            (other, at) => Err(self.misplaced(&other, at)),
        }
    }

    fn call(&self, name: String, at: Range<usize>, arguments: Vec<Argument>) -> Result<Call, Problem> {
        let call = Call { name, at: self.phrase.span(at), arguments };
        super::function::check(&call)?;
        Ok(call)
    }

    fn next(&mut self) -> Result<Found, Problem> {
        self.lexer.next().map_err(|unreadable| unreadable_at(&self.phrase, self.open, unreadable))
    }

    fn comment(&mut self) -> Result<bool, Problem> {
        self.lexer.comment().map_err(|unreadable| unreadable_at(&self.phrase, self.open, unreadable))
    }

    fn close(&mut self) -> Result<usize, Problem> {
        let end = self.next()?;
        self.must_be(&Token::End, &end)?;
        Ok(end.1.end)
    }

    fn must_be(&self, wanted: &Token, found: &Found) -> Result<(), Problem> {
        let (token, at) = found;
        match token {
            token if token == wanted => Ok(()),
            Token::End => Err(self.wrong(at.clone(), "`(` has no `)`")),
            other => Err(self.misplaced(other, at.clone())),
        }
    }

    fn misplaced(&self, token: &Token, at: Range<usize>) -> Problem {
        match token {
            Token::Pipe => self.not_there_yet(at, "a pipeline (`|`)"),
            Token::Dollar => self.not_there_yet(at, "a variable (`$`)"),
            Token::Trim => self.not_there_yet(at, "trimming (`{{-`, `-}}`)"),
            Token::Dots => self.not_there_yet(at, "giving a function what only the plugin knows"),
            _ => self.wrong(at, "this is not expected here"),
        }
    }

    fn not_there_yet(&self, at: Range<usize>, what: &str) -> Problem {
        Problem::ExpressionNotThereYet { at: self.phrase.span(at), what: what.to_owned() }
    }

    fn wrong(&self, at: Range<usize>, why: &str) -> Problem {
        Problem::Expression { at: self.phrase.span(at), why: why.to_owned() }
    }
}

/// An expression without an end is shown where it begins.
fn unreadable_at(phrase: &Phrase<'_>, open: usize, unreadable: Unreadable) -> Problem {
    let Unreadable { at, why } = unreadable;
    let at = if at.start >= phrase.text.len() { open..open + 2 } else { at };
    Problem::Expression { at: phrase.span(at), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> Result<Vec<Piece>, String> {
        let literal = serde_json::to_string(text).unwrap();
        let source = Source::new("t", &literal);
        let phrase = Phrase { source: &source, literal: Span { start: 0, end: literal.len() }, text };
        parse(phrase).map_err(|problem| {
            let (at, _) = problem.labels()[0];
            format!("{problem} @ {}", &literal[at.start..at.end])
        })
    }

    fn refused(text: &str) -> String {
        parse_text(text).unwrap_err()
    }

    #[test]
    fn what_the_plugin_fills_in_stays_as_written() {
        let text = "chmod +x {{ .Path }}; {{.Vars}} {{- .A.B -}} x {{.}}";
        assert_eq!(parse_text(text), Ok(vec![Piece::Verbatim(text.to_owned())]));
    }

    #[test]
    fn calls_take_strings_numbers_and_calls() {
        let pieces = parse_text("a{{split (user `x`) \"-\\n\" 1}}{{/* c */}}{{`{{`}}").unwrap();
        insta::assert_compact_debug_snapshot!(pieces, @r#"[Verbatim("a"), Call(Call { name: "split", at: Span { start: 4, end: 9 }, arguments: [Call(Call { name: "user", at: Span { start: 11, end: 15 }, arguments: [Text("x")] }), Text("-\n"), Number(1)] }), Verbatim("{{")]"#);
    }

    #[test]
    fn the_rest_of_the_language_is_refused_by_name_and_place() {
        insta::assert_snapshot!(refused("{{if .X}}"), @"`if` in template expressions is not there yet @ if");
        insta::assert_snapshot!(refused("{{user `x` | upper}}"), @"a pipeline (`|`) in template expressions is not there yet @ |");
        insta::assert_snapshot!(refused("{{$x}}"), @"a variable (`$`) in template expressions is not there yet @ $");
        insta::assert_snapshot!(refused("{{- user `x`}}"), @"trimming (`{{-`, `-}}`) in template expressions is not there yet @ -");
        insta::assert_snapshot!(refused("{{upper .Name}}"), @"giving a function what only the plugin knows in template expressions is not there yet @ .Name");
    }

    #[test]
    fn what_cannot_be_read_is_shown_where_it_stands() {
        insta::assert_snapshot!(refused("é\n{{ user `x"), @"the template expression cannot be read: this string has no end @ `");
        insta::assert_snapshot!(refused("é\n{{ uuid"), @"the template expression cannot be read: `{{` has no `}}` @ {{");
        insta::assert_snapshot!(refused("{{}}"), @"the template expression cannot be read: there is nothing between `{{` and `}}` @ }}");
        insta::assert_snapshot!(refused("{{upper (uuid}}"), @"the template expression cannot be read: `(` has no `)` @ }}");
        insta::assert_snapshot!(refused("{{upper ; }}"), @"the template expression cannot be read: this character has no meaning here @ ;");
    }

    #[test]
    fn endless_brackets_are_refused() {
        assert!(refused(&format!("{{{{upper {}", "(upper ".repeat(10_000))).contains("nested too deeply"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([{}`\"\\\\().|$\\-a é0]|\\{\\{|\\}\\}|user|\n){0,40}") {
            let _pieces = parse_text(&text);
        }

        #[test]
        fn text_without_brackets_stays(text in "[^{]{0,40}") {
            let kept = if text.is_empty() { vec![] } else { vec![Piece::Verbatim(text.clone())] };
            proptest::prop_assert_eq!(parse_text(&text), Ok(kept));
        }
    }
}
