//! Times as the template language writes them: Go's layouts and `strftime`, both in UTC.

use time::OffsetDateTime;

/// Longest first where one begins like another, so that the first that fits is the right one.
const LAYOUT: [(&str, Part); 33] = [
    ("January", Part::MonthName),
    ("Jan", Part::MonthShort),
    ("Monday", Part::DayName),
    ("Mon", Part::DayShort),
    ("MST", Part::Zone("UTC")),
    ("002", Part::DayOfYear('0')),
    ("__2", Part::DayOfYear(' ')),
    ("01", Part::Month(2)),
    ("02", Part::Day('0')),
    ("03", Part::Hour12(2)),
    ("04", Part::Minute(2)),
    ("05", Part::Second(2)),
    ("06", Part::YearShort),
    ("2006", Part::Year),
    ("15", Part::Hour),
    ("_2006", Part::UnderscoreYear),
    ("_2", Part::Day(' ')),
    ("1", Part::Month(1)),
    ("2", Part::Day('-')),
    ("3", Part::Hour12(1)),
    ("4", Part::Minute(1)),
    ("5", Part::Second(1)),
    ("PM", Part::Half(true)),
    ("pm", Part::Half(false)),
    ("Z07:00:00", Part::Zone("Z")),
    ("Z070000", Part::Zone("Z")),
    ("Z07:00", Part::Zone("Z")),
    ("Z0700", Part::Zone("Z")),
    ("Z07", Part::Zone("Z")),
    ("-07:00", Part::Zone("+00:00")),
    ("-0700", Part::Zone("+0000")),
    ("-07", Part::Zone("+00")),
    ("-070000", Part::Zone("+000000")),
];

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Year,
    UnderscoreYear,
    YearShort,
    MonthName,
    MonthShort,
    Month(usize),
    DayName,
    DayShort,
    Day(char),
    DayOfYear(char),
    Hour,
    Hour12(usize),
    Minute(usize),
    Second(usize),
    Half(bool),
    Zone(&'static str),
}

/// The time as `2006-01-02T15:04:05Z`.
pub(super) fn rfc3339(time: OffsetDateTime) -> String {
    go("2006-01-02T15:04:05Z07:00", time)
}

/// The time in the shape of a Go layout: the reference time, written the way it shall look.
pub(super) fn go(layout: &str, time: OffsetDateTime) -> String {
    let time = time.to_offset(time::UtcOffset::UTC);
    let mut text = String::new();
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        if let Some((length, fraction)) = fraction(rest, time) {
            text.push_str(&fraction);
            rest = &rest[length..];
        } else if let Some((sample, part)) = part_of(rest) {
            text.push_str(&written(part, time));
            rest = &rest[sample.len()..];
        } else {
            text.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    text
}

fn part_of(rest: &str) -> Option<(&'static str, Part)> {
    LAYOUT
        .into_iter()
        .filter(|(sample, part)| rest.strip_prefix(sample).is_some_and(|after| stands_alone(*part, after)))
        .max_by_key(|(sample, _)| sample.len())
}

/// `Janet` is not a month, `Month` not a day.
fn stands_alone(part: Part, after: &str) -> bool {
    let short = matches!(part, Part::MonthShort | Part::DayShort);
    !short || !after.starts_with(|next: char| next.is_ascii_lowercase())
}

/// `.000` and `,999`: fractions of a second; nines drop the zeros at the end.
fn fraction(rest: &str, time: OffsetDateTime) -> Option<(usize, String)> {
    let separator = rest.chars().next().filter(|first| matches!(first, '.' | ','))?;
    let digit = rest[1..].chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let digits = rest[1..].chars().take_while(|next| *next == digit).count();
    if rest[1 + digits..].starts_with(|next: char| next.is_ascii_digit()) {
        return None;
    }
    let nanoseconds = format!("{:09}", time.nanosecond());
    let shown: String = nanoseconds.chars().chain(std::iter::repeat('0')).take(digits).collect();
    let shown = if digit == '9' { shown.trim_end_matches('0') } else { &shown };
    let text = if shown.is_empty() { String::new() } else { format!("{separator}{shown}") };
    Some((1 + digits, text))
}

fn written(part: Part, time: OffsetDateTime) -> String {
    match part {
        Part::Year => format!("{:04}", time.year()),
        Part::UnderscoreYear => format!("_{:04}", time.year()),
        Part::YearShort => format!("{:02}", time.year().rem_euclid(100)),
        Part::MonthName => time.month().to_string(),
        Part::MonthShort => time.month().to_string()[..3].to_owned(),
        Part::Month(width) => format!("{:0width$}", u8::from(time.month())),
        Part::DayName => time.weekday().to_string(),
        Part::DayShort => time.weekday().to_string()[..3].to_owned(),
        Part::Day('0') => format!("{:02}", time.day()),
        Part::Day(' ') => format!("{:2}", time.day()),
        Part::Day(_) => time.day().to_string(),
        Part::DayOfYear('0') => format!("{:03}", time.ordinal()),
        Part::DayOfYear(_) => format!("{:3}", time.ordinal()),
        Part::Hour => format!("{:02}", time.hour()),
        Part::Hour12(width) => format!("{:0width$}", (time.hour() + 11) % 12 + 1),
        Part::Minute(width) => format!("{:0width$}", time.minute()),
        Part::Second(width) => format!("{:0width$}", time.second()),
        Part::Half(upper) => half(time, upper).to_owned(),
        Part::Zone(utc) => utc.to_owned(),
    }
}

fn half(time: OffsetDateTime, upper: bool) -> &'static str {
    match (time.hour() < 12, upper) {
        (true, true) => "AM",
        (false, true) => "PM",
        (true, false) => "am",
        (false, false) => "pm",
    }
}

/// The time in the shape of C's `strftime`, or the directive that Packer does not know either.
pub(super) fn strftime(format: &str, time: OffsetDateTime) -> Result<String, String> {
    let mut text = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => match characters.next() {
                Some('%') => text.push('%'),
                Some(letter) => text.push_str(&directive(letter, time).ok_or_else(|| format!("%{letter}"))?),
                None => return Err("%".to_owned()),
            },
            plain => text.push(plain),
        }
    }
    Ok(text)
}

fn directive(letter: char, time: OffsetDateTime) -> Option<String> {
    let layout = match letter {
        'a' => "Mon",
        'A' => "Monday",
        'b' => "Jan",
        'B' => "January",
        'd' => "02",
        'H' => "15",
        'I' => "03",
        'j' => "002",
        'm' => "01",
        'M' => "04",
        'p' => "PM",
        'S' => "05",
        'y' => "06",
        'Y' => "2006",
        'z' => "-0700",
        'Z' => "MST",
        'w' => return Some(time.weekday().number_days_from_sunday().to_string()),
        'f' => return Some(format!("{:09}", time.nanosecond())),
        _ => return None,
    };
    Some(go(layout, time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const MOMENT: OffsetDateTime = datetime!(2026-03-07 14:05:09.120_000_000 UTC);

    #[test]
    fn the_layouts_of_go_are_written() {
        for (layout, text) in [
            ("2006-01-02T15:04:05Z07:00", "2026-03-07T14:05:09Z"),
            ("Mon, 02 Jan 2006 15:04:05 MST", "Sat, 07 Mar 2026 14:05:09 UTC"),
            ("Monday January _2 3:4:5pm", "Saturday March  7 2:5:9pm"),
            ("060102-030405PM -0700", "260307-020509PM +0000"),
            ("15:04:05.000 .999 ,9", "14:05:09.120 .12 ,1"),
            ("002 __2 _2006", "066  66 _2026"),
            ("Janet Month é", "Janet Month é"),
            ("20060102150405", "20260307140509"),
        ] {
            assert_eq!(go(layout, MOMENT), text, "{layout}");
        }
    }

    #[test]
    fn strftime_knows_its_directives() {
        assert_eq!(strftime("%Y-%m-%dT%H:%M:%S%z 100%%", MOMENT).unwrap(), "2026-03-07T14:05:09+0000 100%");
        assert_eq!(strftime("%Q", MOMENT).unwrap_err(), "%Q");
        assert_eq!(strftime("50%", MOMENT).unwrap_err(), "%");
    }

    proptest::proptest! {
        #[test]
        fn any_layout_is_written(layout in "[0-9.,_Z:\\-JanMonSTpPMé ]{0,30}") {
            drop(go(&layout, MOMENT));
        }
    }
}
