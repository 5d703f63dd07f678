//! Packer's durations, which are Go's: `1h2m3.5s`, `500ms`.

use std::time::Duration;

const UNITS: [(&str, f64); 7] =
    [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

/// The length of time, or `None` if this is no duration. Negative ones make no sense here and are none.
pub(super) fn read(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = 0.0;
    loop {
        let (amount, after) = amount(rest)?;
        let (unit, after) = unit(after)?;
        total += amount * unit;
        if after.is_empty() {
            return Duration::try_from_secs_f64(total).ok();
        }
        rest = after;
    }
}

fn amount(text: &str) -> Option<(f64, &str)> {
    let end =
        text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    number.bytes().any(|byte| byte.is_ascii_digit()).then_some(())?;
    Some((number.parse().ok()?, rest))
}

/// The longest unit that the text begins with: `ms` is not `m`.
fn unit(text: &str) -> Option<(f64, &str)> {
    let (name, seconds) =
        UNITS.iter().filter(|(name, _)| text.starts_with(name)).max_by_key(|(name, _)| name.len())?;
    Some((*seconds, &text[name.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_durations_of_packer_are_read() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1.5h", 5_400_000),
            ("+2s", 2000),
            ("1us", 0),
        ] {
            assert_eq!(read(text).map(|length| length.as_millis()), Some(millis), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "+", "5", "s", "-1s", "1 s", "1d", ".s", "1..5s", "1e3s"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_duration_or_not(text in "[0-9.+\\-hmsuµn ]{0,20}") {
            let _length = read(&text);
        }
    }
}
