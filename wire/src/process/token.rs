//! The value of `PACKER_PLUGIN_TOKEN`: how the host knows the plugin that it started.

use std::fmt::{self, Write};
use std::hint::black_box;
use std::io;
use std::str::FromStr;

use rustix::rand::{GetRandomFlags, getrandom};

const RANDOM_BYTES: usize = 32;

/// A secret, good for one attach. It shows itself only through [`Token::reveal`]. To a plugin it is opaque:
/// it hands on what it was given, byte for byte.
#[derive(Clone)]
pub struct Token(String);

/// The text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is empty")]
pub struct BadToken;

impl Token {
    /// A token that nobody else has: 256 random bits as 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// The system has no random bytes to give.
    pub fn fresh() -> io::Result<Self> {
        let mut digits = String::with_capacity(2 * RANDOM_BYTES);
        for byte in random_bytes()? {
            // Writing into a string cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        Ok(Self(digits))
    }

    /// The text that stands in the environment and in `hello`.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `text`, sent by whoever dialled, is this token byte for byte. Takes the same time however
    /// much of it is right.
    pub fn is(&self, text: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), text.as_bytes());
        let differences = ours.iter().zip(theirs).fold(0, |seen, (a, b)| black_box(seen | (a ^ b)));
        ours.len() == theirs.len() && differences == 0
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for Token {}

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        if text.is_empty() { Err(BadToken) } else { Ok(Self(text.to_owned())) }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(…)")
    }
}

fn random_bytes() -> io::Result<[u8; RANDOM_BYTES]> {
    let mut bytes = [0; RANDOM_BYTES];
    let mut filled = 0;
    while filled < RANDOM_BYTES {
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // host.token-fresh
    #[test]
    fn a_fresh_token_is_64_lower_case_digits() {
        let token = Token::fresh().unwrap();
        assert_eq!(token.reveal().len(), 64);
        assert!(token.reveal().bytes().all(|digit| b"0123456789abcdef".contains(&digit)));
    }

    // host.token-fresh
    #[test]
    fn two_tokens_differ_and_equal_only_themselves() {
        let (one, other) = (Token::fresh().unwrap(), Token::fresh().unwrap());
        assert_ne!(one, other);
        assert_eq!(one, one.clone());
        assert!(one.is(one.reveal()));
        assert!(!one.is(other.reveal()));
    }

    #[test]
    fn every_digit_counts_and_so_does_the_length() {
        let token = Token::fresh().unwrap();
        let text = token.reveal();
        for at in 0..text.len() {
            let mut changed = text.to_owned();
            changed.replace_range(at..=at, "x");
            assert!(!token.is(&changed));
        }
        for other in
            ["", &text[1..], &text[..63], &format!("{text}0"), &format!("{text}\n"), &text.to_uppercase()]
        {
            assert!(!token.is(other), "{other:?}");
        }
    }

    #[test]
    fn a_debugged_token_stays_secret() {
        assert_eq!(format!("{:?}", Token::fresh().unwrap()), "Token(…)");
    }

    #[test]
    fn an_empty_token_is_refused() {
        assert_eq!("".parse::<Token>().unwrap_err(), BadToken);
    }

    proptest! {
        #[test]
        fn a_token_is_handed_on_as_it_was_given(text in ".+") {
            let token: Token = text.parse().unwrap();
            prop_assert_eq!(token.reveal(), text);
        }
    }
}
