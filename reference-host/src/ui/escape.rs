//! Text from outside, disarmed before a terminal sees it.

/// The text of one line with every control and bidi character shown instead of obeyed.
///
/// Tabs stay. What is escaped: C0, DEL, C1, and the characters that turn the direction of text.
#[must_use]
pub fn escaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for character in line.chars() {
        if is_harmful(character) {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

fn is_harmful(character: char) -> bool {
    (character.is_control() && character != '\t') || is_bidi(character) || is_line_end(character)
}

fn is_bidi(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Some terminals break lines at these, and so out of our prefix.
fn is_line_end(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    // host.ui-escapes
    #[test]
    fn control_characters_are_shown() {
        assert_eq!(escaped("a\u{1b}[31mb\x07\u{9b}\x7f"), "a\\u{1b}[31mb\\u{7}\\u{9b}\\u{7f}");
        assert_eq!(escaped("\u{202e}txt.exe\u{2066}"), "\\u{202e}txt.exe\\u{2066}");
        assert_eq!(escaped("one\rtwo\ntwo"), "one\\rtwo\\ntwo");
    }

    #[test]
    fn letters_of_all_languages_stay() {
        assert_eq!(escaped("\té 日本 עברית 😀"), "\té 日本 עברית 😀");
    }
}
