//! Shares as people read them, and as programs do.
use std::time::Duration;

use crate::course::Share;

/// How a part ends that is not worth a word.
const DONE: &str = "done";

/// A line for each share; the columns are what, how long, how much of the whole, and how it ended if not well.
pub(crate) fn table(shares: &[Share], total: Duration) -> String {
    let what = width(shares, |share| share.what.clone());
    let took = width(shares, |share| length(share.took));
    let line = |share: &Share| {
        let Share { what: name, took: time, outcome, .. } = share;
        let (time, percent) = (length(*time), percent(*time, total));
        let ended = if outcome == DONE { "" } else { outcome };
        format!("{name:what$}  {time:>took$}  {percent:>3} %  {ended}").trim_end().to_owned()
    };
    shares.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn width(shares: &[Share], cell: impl Fn(&Share) -> String) -> usize {
    shares.iter().map(|share| cell(share).chars().count()).max().unwrap_or_default()
}

/// The fields of one share for programs.
pub(crate) fn fields(build: &str, share: &Share) -> Vec<String> {
    let Share { what, index, took, outcome } = share;
    let index = index.map(|index| index.to_string()).unwrap_or_default();
    vec![build.to_owned(), what.clone(), index, took.as_millis().to_string(), outcome.clone()]
}

/// A duration, as exact as its size asks for.
pub(crate) fn length(length: Duration) -> String {
    // What would be shown as 60.0 s is a minute.
    if length < Duration::from_millis(59_950) {
        return format!("{:.1} s", length.as_secs_f64());
    }
    let seconds = (length + Duration::from_millis(500)).as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours == 0 { format!("{minutes} min {seconds:02} s") } else { format!("{hours} h {minutes:02} min") }
}

fn percent(part: Duration, whole: Duration) -> u128 {
    (100 * part.as_millis() + whole.as_millis() / 2).checked_div(whole.as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_as_exact_as_its_size_asks_for() {
        let lengths = [0, 49, 950, 59_949, 59_950, 61_499, 3_599_499, 3_599_500, 7_260_000];
        let told = lengths.map(|millis| length(Duration::from_millis(millis)));
        let expected = [
            "0.0 s",
            "0.0 s",
            "0.9 s",
            "59.9 s",
            "1 min 00 s",
            "1 min 01 s",
            "59 min 59 s",
            "1 h 00 min",
            "2 h 01 min",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_build_without_length_has_shares_of_nothing() {
        assert_eq!(percent(Duration::ZERO, Duration::ZERO), 0);
        assert_eq!(percent(Duration::from_secs(1), Duration::from_secs(3)), 33);
        assert_eq!(percent(Duration::from_secs(2), Duration::from_secs(3)), 67);
    }
}
