//! Lengths of time, as Packer's templates have them.
use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};

const UNITS: [(&str, f64); 7] =
    [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

/// A length of time as Go and Packer write it: `1h30m`, `2.5s`, `500ms`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Length(pub Duration);

impl Length {
    /// Reads it; `None` for what is no length. There are no negative ones.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "0" {
            return Some(Self::default());
        }
        let (mut rest, mut seconds) = (text, 0.0);
        loop {
            let end = rest.find(|one: char| !one.is_ascii_digit() && one != '.')?;
            let (amount, after) = rest.split_at(end);
            // The longest: `ms` is not `m`.
            let fitting = UNITS.iter().filter(|(unit, _)| after.starts_with(unit));
            let (unit, worth) = fitting.max_by_key(|(unit, _)| unit.len())?;
            seconds += amount.parse::<f64>().ok()? * worth;
            rest = &after[unit.len()..];
            if rest.is_empty() {
                return Duration::try_from_secs_f64(seconds).ok().map(Self);
            }
        }
    }
}

impl fmt::Display for Length {
    /// As [`parse`](Self::parse) reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0.as_secs(), self.0.subsec_nanos());
        if whole == 0 && part > 0 {
            return write!(f, "{}ms", f64::from(part) / 1e6);
        }
        let (hours, minutes) = (whole / 3600, whole / 60 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        // Within a minute, a float is exact enough.
        let seconds = (self.0 - Duration::from_secs(whole - whole % 60)).as_secs_f64();
        if seconds > 0.0 || whole == 0 { write!(f, "{seconds}s") } else { Ok(()) }
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| D::Error::custom("must be a length of time, such as `30s` or `1h30m`"))
    }
}

impl JsonSchema for Length {
    fn schema_name() -> Cow<'static, str> {
        "Length".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["30s", "1h30m"]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lengths_of_packer_are_read() {
        for (text, millis) in
            [("0", 0), ("0s", 0), ("1m30s", 90_000), ("500ms", 500), ("1.5h", 5_400_000), ("1us", 0)]
        {
            assert_eq!(Length::parse(text).map(|length| length.0.as_millis()), Some(millis), "{text}");
        }
        for text in ["", "5", "s", "-1s", "1 s", "1d", ".s", "1..5s", "1e3s", "9999999999999999999h"] {
            assert_eq!(Length::parse(text), None, "{text}");
        }
    }

    #[test]
    fn they_are_told_as_they_are_written() {
        for text in ["0s", "30s", "1h30m", "2h", "1m2.5s", "500ms", "1.5ms"] {
            assert_eq!(Length::parse(text).map(|length| length.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_is_no_length_is_told_with_its_place() {
        #[derive(Debug, Deserialize, JsonSchema)]
        struct Config {
            #[expect(dead_code, reason = "only its reading is tried")]
            pause: Length,
        }
        let told = |text: &str| {
            let problems = super::super::read::<Config>(text).unwrap_err();
            format!("{}: {}", problems[0].path, problems[0].summary)
        };
        assert_eq!(told(r#"{"pause": "1d"}"#), "/pause: must be a length of time, such as `30s` or `1h30m`");
        assert_eq!(told(r#"{"pause": 5}"#), "/pause: must be a string, not a number");
    }
}
