//! Masking: what nobody may see is replaced in every line, in each form it is likely to take.

use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use aho_corasick::AhoCorasick;

/// What stands where a secret stood; Packer's word.
const MASK: &str = "<sensitive>";
/// Masking less would shred the output and tell the secret by its absence.
const SHORTEST: usize = 4;
const MOST: usize = 256;
/// The stable middle of a secret inside longer base64 must be at least this long to be told from chance.
const SHORTEST_BASE64: usize = 8;

/// The secrets of a run. Shared by all that prints; secrets may join while it prints.
#[derive(Debug, Default)]
pub struct Secrets {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    count: usize,
    forms: Vec<Vec<u8>>,
    automaton: Option<AhoCorasick>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Known").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Why a secret is not masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its longest line has fewer than four bytes.
    #[error("a secret of less than {SHORTEST} bytes would shred all output")]
    TooShort,
    /// There are 256 already.
    #[error("there are {MOST} secrets already")]
    TooMany,
    /// Together they are beyond what can be searched for.
    #[error("the secrets are too long to be searched for")]
    TooLong,
}

impl Secrets {
    /// Masks this text from now on: as it is, each of its lines, in base64, URL-encoded and JSON-escaped.
    ///
    /// # Errors
    /// It is too short, or there are too many.
    pub fn add(&self, secret: &str) -> Result<(), Refused> {
        let forms = forms(secret);
        if forms.is_empty() {
            return Err(Refused::TooShort);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if forms.iter().all(|form| known.forms.binary_search(form).is_ok()) {
            return Ok(());
        }
        if known.count == MOST {
            return Err(Refused::TooMany);
        }
        known.forms.extend(forms);
        known.forms.sort();
        known.forms.dedup();
        known.automaton = Some(AhoCorasick::new(&known.forms).map_err(|_| Refused::TooLong)?);
        known.count += 1;
        Ok(())
    }

    /// One line without its secrets. Where two overlap, both are covered.
    #[must_use]
    pub fn masked(&self, line: &str) -> String {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let Some(automaton) = &known.automaton else { return line.to_owned() };
        let mut text = String::with_capacity(line.len());
        let mut shown = 0;
        for covered in union(automaton.find_overlapping_iter(line).map(|found| found.range()).collect()) {
            text.push_str(line.get(shown..covered.start).unwrap_or_default());
            text.push_str(MASK);
            shown = covered.end;
        }
        text.push_str(line.get(shown..).unwrap_or_default());
        text
    }

    /// The longest text that is searched for, in bytes: who cuts a line must look this much further first.
    #[must_use]
    pub fn longest(&self) -> usize {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.forms.iter().map(Vec::len).max().unwrap_or_default()
    }
}

fn union(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

fn forms(secret: &str) -> Vec<Vec<u8>> {
    let lines = secret.split(['\n', '\r']).map(str::trim_end);
    let mut texts: Vec<&str> = lines.chain([secret]).filter(|text| text.len() >= SHORTEST).collect();
    texts.dedup();
    let mut forms: Vec<Vec<u8>> = Vec::new();
    for text in texts {
        forms.push(text.into());
        forms.push(json_escaped(text).into());
        forms.push(go_escaped(text).into());
        forms.extend([url_encoded(text, true), url_encoded(text, false)].map(String::into_bytes));
        forms.extend(base64_forms(text.as_bytes()));
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Go's encoder escapes these three as well.
fn go_escaped(text: &str) -> String {
    json_escaped(text).replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn url_encoded(text: &str, upper: bool) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if upper => format!("%{byte:02X}"),
        _ => format!("%{byte:02x}"),
    };
    text.bytes().map(encode).collect()
}

/// The secret encoded alone, and the part of it that stays the same when it is encoded amid other bytes.
fn base64_forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for shift in 0..3 {
        let padded: Vec<u8> = std::iter::repeat_n(0, shift).chain(secret.iter().copied()).collect();
        let encoded = base64(&padded);
        let first = (shift * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        if shift == 0 {
            forms.push(encoded.clone());
        }
        if last >= first + SHORTEST_BASE64 {
            forms.push(encoded[first..last].to_vec());
        }
    }
    let url_safe = |byte: &u8| match byte {
        b'+' => b'-',
        b'/' => b'_',
        other => *other,
    };
    let url: Vec<Vec<u8>> = forms.iter().map(|form| form.iter().map(url_safe).collect()).collect();
    forms.extend(url);
    forms
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::new();
    for chunk in bytes.chunks(3) {
        let three = [chunk[0], chunk.get(1).copied().unwrap_or(0), chunk.get(2).copied().unwrap_or(0)];
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        text.extend((0..=chunk.len()).map(|digit| ALPHABET[(bits >> (18 - 6 * digit)) as usize & 63]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(all: &[&str]) -> Secrets {
        let secrets = Secrets::default();
        for secret in all {
            secrets.add(secret).unwrap();
        }
        secrets
    }

    fn check(secret: &str, line: &str, masked: &str) {
        assert_eq!(secrets(&[secret]).masked(line), masked);
    }

    // host.ui-masks
    #[test]
    fn a_secret_is_masked_in_its_forms() {
        check("s3cr&t \"pass\"", "-> s3cr&t \"pass\" <-", "-> <sensitive> <-");
        check("s3cr&t \"pass\"", r#"{"p":"s3cr&t \"pass\""}"#, r#"{"p":"<sensitive>"}"#);
        check("s3cr&t \"pass\"", r#"{"p":"s3cr\u0026t \"pass\""}"#, r#"{"p":"<sensitive>"}"#);
        check("s3cr&t \"pass\"", "?p=s3cr%26t%20%22pass%22&q", "?p=<sensitive>&q");
        check("hunter22", "aHVudGVyMjI=", "<sensitive>=");
    }

    #[test]
    fn base64_hides_nothing_whatever_stands_before() {
        for before in ["", "a", "ab", "abc"] {
            let encoded =
                String::from_utf8(base64(format!("{before}correct horse{before}").as_bytes())).unwrap();
            let masked = secrets(&["correct horse"]).masked(&encoded);
            assert!(masked.contains("<sensitive>"), "{encoded} {masked}");
        }
    }

    #[test]
    fn each_line_of_a_key_is_masked() {
        check("-----BEGIN-----\nabcdefgh\n-----END-----\n", "x abcdefgh y", "x <sensitive> y");
    }

    #[test]
    fn overlapping_secrets_are_covered_together() {
        assert_eq!(secrets(&["abcdef", "defghi"]).masked("xabcdefghiy"), "x<sensitive>y");
        assert_eq!(secrets(&["abcd", "abcdefgh"]).masked("abcdefgh"), "<sensitive>");
    }

    #[test]
    fn a_short_secret_is_refused_instead_of_shredding_the_output() {
        let secrets = Secrets::default();
        assert_eq!(secrets.add("e"), Err(Refused::TooShort));
        assert_eq!(secrets.add("a\nb\nc"), Ok(()));
        assert_eq!(secrets.masked("he said a b c"), "he said a b c");
    }

    #[test]
    fn there_is_an_end_to_secrets() {
        let secrets = Secrets::default();
        for number in 0..MOST {
            secrets.add(&format!("secret-{number}")).unwrap();
        }
        assert_eq!(secrets.add("secret-7"), Ok(()));
        assert_eq!(secrets.add("one more"), Err(Refused::TooMany));
    }

    proptest::proptest! {
        #[test]
        fn no_line_shows_a_secret(line in "[ab ]{0,30}", secret in "[ab]{4,6}") {
            let masked = secrets(&[&secret]).masked(&line);
            proptest::prop_assert!(!masked.contains(&secret));
        }
    }
}
