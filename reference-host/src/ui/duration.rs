//! Lengths of time in words.

use std::time::Duration;

const UNITS: [(&str, u128); 7] = [
    ("week", 604_800_000_000),
    ("day", 86_400_000_000),
    ("hour", 3_600_000_000),
    ("minute", 60_000_000),
    ("second", 1_000_000),
    ("millisecond", 1_000),
    ("microsecond", 1),
];

/// The two largest units that are not zero: `1 second 406 milliseconds`.
pub(super) fn words(length: Duration) -> String {
    let mut rest = length.as_micros();
    let mut words = Vec::new();
    for (unit, micros) in UNITS {
        let count = rest / micros;
        rest %= micros;
        if count > 0 {
            words.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    words.truncate(2);
    if words.is_empty() { "0 microseconds".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_are_enough() {
        assert_eq!(words(Duration::from_micros(1_406_210)), "1 second 406 milliseconds");
        assert_eq!(words(Duration::from_micros(10_481)), "10 milliseconds 481 microseconds");
        assert_eq!(words(Duration::from_secs(3600)), "1 hour");
        assert_eq!(words(Duration::from_secs(86_400 * 8 + 1)), "1 week 1 day");
        assert_eq!(words(Duration::ZERO), "0 microseconds");
    }
}
