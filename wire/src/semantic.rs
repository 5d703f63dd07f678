//! Semantic Versioning 2.0.0, as far as a host asks for it: whether a text is such a version.

/// `MAJOR.MINOR.PATCH`, then `-` and identifiers, then `+` and identifiers.
pub(crate) fn is_version(text: &str) -> bool {
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (core, before) = text.split_once('-').map_or((text, None), |(core, before)| (core, Some(before)));
    let plain = |word: &str| is_identifier(word) && (!is_digits(word) || is_number(word));
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && before.is_none_or(|words| words.split('.').all(plain))
        && build.is_none_or(|words| words.split('.').all(is_identifier))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    is_digits(text) && (text == "0" || !text.starts_with('0'))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_other_texts() {
        for version in ["0.1.0", "1.20.3-rc.1+build.007", "1.0.0--", "1.0.0-0a", "1.0.0+a-b"] {
            assert!(is_version(version), "{version}");
        }
        for other in
            ["", "1", "1.0", "01.0.0", "1.0.0-01", "1.0.0-", "1.0.0+", "v1.0.0", "1.0.0.0", "1.0.0-ä"]
        {
            assert!(!is_version(other), "{other}");
        }
    }
}
