//! The words between `{{` and `}}`.

use std::ops::Range;

/// One word of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// The name of a function or a keyword.
    Word(String),
    /// `.`, `.Name`, `.Name.Field`: what the plugin fills in.
    Dots,
    /// A string, without its quotes.
    Text(String),
    /// An integer.
    Number(i64),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `|`
    Pipe,
    /// `$`
    Dollar,
    /// The `-` of `{{-` or `-}}`.
    Trim,
    /// `}}`
    End,
}

/// What keeps the next word from being read, and where.
#[derive(Debug, PartialEq)]
pub(super) struct Unreadable {
    pub(super) at: Range<usize>,
    pub(super) why: String,
}

/// Reads words from `text`, beginning behind `{{`.
pub(super) struct Lexer<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, offset: usize) -> Self {
        Self { text, offset }
    }

    /// The next word and where it stands; after the last one it is an error, because `}}` must come first.
    pub(super) fn next(&mut self) -> Result<(Token, Range<usize>), Unreadable> {
        self.skip_space();
        let start = self.offset;
        let token = self.token()?;
        Ok((token, start..self.offset))
    }

    /// Skips a comment that begins right here; whether there was one.
    pub(super) fn comment(&mut self) -> Result<bool, Unreadable> {
        if !self.rest().starts_with("/*") {
            return Ok(false);
        }
        match self.rest().find("*/") {
            Some(length) => self.offset += length + 2,
            None => return Err(self.unreadable(2, "the comment has no `*/`")),
        }
        Ok(true)
    }

    fn token(&mut self) -> Result<Token, Unreadable> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Err(self.unclosed()) };
        if rest.starts_with("}}") {
            return Ok(self.take(2, Token::End));
        }
        match first {
            '(' => Ok(self.take(1, Token::Open)),
            ')' => Ok(self.take(1, Token::Close)),
            '|' => Ok(self.take(1, Token::Pipe)),
            '$' => Ok(self.take(1, Token::Dollar)),
            '-' if !rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                Ok(self.take(1, Token::Trim))
            }
            '.' => Ok(self.dots()),
            '`' => self.raw(),
            '"' => self.quoted(),
            '-' | '0'..='9' => self.number(),
            _ if is_word(first) => Ok(self.word()),
            _ => Err(self.unreadable(first.len_utf8(), "this character has no meaning here")),
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.offset..]
    }

    fn skip_space(&mut self) {
        self.offset = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, length: usize, token: Token) -> Token {
        self.offset += length;
        token
    }

    fn dots(&mut self) -> Token {
        let rest = self.rest();
        let length = rest.find(|character| character != '.' && !is_word(character)).unwrap_or(rest.len());
        self.take(length, Token::Dots)
    }

    fn word(&mut self) -> Token {
        let rest = self.rest();
        let length = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
        self.take(length, Token::Word(rest[..length].to_owned()))
    }

    fn number(&mut self) -> Result<Token, Unreadable> {
        let rest = self.rest();
        let digits = rest[1..].find(|character: char| !is_word(character) && character != '.');
        let length = digits.map_or(rest.len(), |digits| digits + 1);
        match rest[..length].parse() {
            Ok(number) => Ok(self.take(length, Token::Number(number))),
            Err(_) => Err(self.unreadable(length, "this is not an integer")),
        }
    }

    fn raw(&mut self) -> Result<Token, Unreadable> {
        match self.rest()[1..].find('`') {
            Some(length) => {
                let text = self.rest()[1..=length].to_owned();
                Ok(self.take(length + 2, Token::Text(text)))
            }
            None => Err(self.unreadable(1, "this string has no end")),
        }
    }

    fn quoted(&mut self) -> Result<Token, Unreadable> {
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => return Ok(self.take(at + 1, Token::Text(text))),
                '\\' => match characters.next().and_then(|(_, escaped)| unescape(escaped)) {
                    Some(meant) => text.push(meant),
                    None => {
                        return Err(self.unreadable(at + 1, "this string has an escape that is not known"));
                    }
                },
                plain => text.push(plain),
            }
        }
        Err(self.unreadable(1, "this string has no end"))
    }

    fn unreadable(&self, length: usize, why: &str) -> Unreadable {
        Unreadable { at: self.offset..self.offset + length, why: why.to_owned() }
    }

    fn unclosed(&self) -> Unreadable {
        self.unreadable(0, "`{{` has no `}}`")
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn unescape(escaped: char) -> Option<char> {
    match escaped {
        'n' => Some('\n'),
        't' => Some('\t'),
        'r' => Some('\r'),
        '\\' | '"' | '\'' => Some(escaped),
        _ => None,
    }
}
