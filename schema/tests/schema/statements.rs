//! Cap'n Proto's language as its own lexer sees it: statements of tokens, each ended by `;` or by a block of statements.

use std::iter::Peekable;
use std::str::Chars;

/// The smallest piece that means something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A name, a keyword, or a number as it was written.
    Word(String),
    /// `@0x8a82…` or `@3`, without the `@`.
    Id(String),
    /// A string, without its quotes, escapes left as they are.
    Text(String),
    /// `->`
    Arrow,
    /// Any other sign.
    Sign(char),
}

impl Token {
    /// Whether it is this word.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(found) if found == word)
    }
}

/// Tokens up to `;`, or up to a block and with it.
#[derive(Debug)]
pub(crate) struct Statement {
    /// The line of the first token, from 1.
    pub(crate) line: usize,
    /// What stands before the `;` or the block.
    pub(crate) tokens: Vec<Token>,
    /// The statements within `{` and `}`.
    pub(crate) block: Option<Vec<Statement>>,
}

/// Cuts a file into its statements; the error says what is wrong, and in which line.
pub(crate) fn statements(text: &str) -> Result<Vec<Statement>, String> {
    let mut lexer = Lexer { rest: text.chars().peekable(), line: 1 };
    let (statements, closed) = lexer.statements()?;
    if closed { Err(format!("line {}: a `}}` without its `{{`", lexer.line)) } else { Ok(statements) }
}

struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

/// What ends a run of tokens.
enum Stop {
    Semicolon,
    Open,
    Close,
    End,
}

impl Lexer<'_> {
    /// Statements up to a `}` (true) or the end of the file (false).
    fn statements(&mut self) -> Result<(Vec<Statement>, bool), String> {
        let mut found = Vec::new();
        loop {
            let (line, tokens, stop) = self.tokens()?;
            let block = match stop {
                Stop::Semicolon => None,
                Stop::Open => Some(self.block(line)?),
                Stop::Close | Stop::End if tokens.is_empty() => {
                    return Ok((found, matches!(stop, Stop::Close)));
                }
                Stop::Close | Stop::End => return Err(format!("line {line}: a statement without its `;`")),
            };
            found.push(Statement { line, tokens, block });
        }
    }

    fn block(&mut self, line: usize) -> Result<Vec<Statement>, String> {
        match self.statements()? {
            (statements, true) => Ok(statements),
            (_, false) => Err(format!("line {line}: a `{{` without its `}}`")),
        }
    }

    fn tokens(&mut self) -> Result<(usize, Vec<Token>, Stop), String> {
        self.skip_blank();
        let (line, mut tokens) = (self.line, Vec::new());
        loop {
            self.skip_blank();
            match self.next() {
                None => return Ok((line, tokens, Stop::End)),
                Some(';') => return Ok((line, tokens, Stop::Semicolon)),
                Some('{') => return Ok((line, tokens, Stop::Open)),
                Some('}') => return Ok((line, tokens, Stop::Close)),
                Some(first) => tokens.push(self.token(first)?),
            }
        }
    }

    fn token(&mut self, first: char) -> Result<Token, String> {
        Ok(match first {
            '"' => Token::Text(self.string()?),
            '@' => Token::Id(self.word(String::new())),
            '-' if self.rest.next_if_eq(&'>').is_some() => Token::Arrow,
            first if is_word(first) => Token::Word(self.word(first.into())),
            sign => Token::Sign(sign),
        })
    }

    fn word(&mut self, mut word: String) -> String {
        while let Some(letter) = self.rest.next_if(|letter| is_word(*letter)) {
            word.push(letter);
        }
        word
    }

    fn string(&mut self) -> Result<String, String> {
        let (line, mut string) = (self.line, String::new());
        loop {
            match self.next() {
                None => return Err(format!("line {line}: a string without its end")),
                Some('"') => return Ok(string),
                Some('\\') => string.extend(['\\'].into_iter().chain(self.next())),
                Some(letter) => string.push(letter),
            }
        }
    }

    fn skip_blank(&mut self) {
        while let Some(letter) = self.rest.peek().copied() {
            match letter {
                '#' => while self.rest.next_if(|letter| *letter != '\n').is_some() {},
                letter if letter.is_whitespace() => drop(self.next()),
                _ => return,
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.rest.next()?;
        self.line += usize::from(letter == '\n');
        Some(letter)
    }
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[test]
fn comments_and_strings_hide_what_they_hold() {
    let found = statements("a \"; # {\" b; # c;\nd @0xf -> {e;}").expect("it is well formed");
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].tokens[1], Token::Text("; # {".into()));
    assert_eq!(found[1].tokens, [Token::Word("d".into()), Token::Id("0xf".into()), Token::Arrow]);
    assert_eq!((found[1].line, found[1].block.as_ref().map(Vec::len)), (2, Some(1)));
}

#[test]
fn what_is_not_closed_is_told_with_its_line() {
    let error = |text| statements(text).expect_err("it is not well formed");
    assert_eq!(error("a {\nb;"), "line 1: a `{` without its `}`");
    assert_eq!(error("a;\n}"), "line 2: a `}` without its `{`");
    assert_eq!(error("a;\nb"), "line 2: a statement without its `;`");
    assert_eq!(error("\n\"a"), "line 2: a string without its end");
}
