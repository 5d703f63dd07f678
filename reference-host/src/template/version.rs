//! Which Packer's templates we run, and `min_packer_version`.

/// The Packer whose templates we run; what `{{packer_version}}` yields.
pub const PACKER_VERSION: &str = "1.6.6";

/// Whether templates of Packer `wanted` are ours to run; `None` if it is no version.
///
/// Versions are compared number by number. A pre-release comes before its release, so it asks for no more.
pub(super) fn is_met(wanted: &str) -> Option<bool> {
    Some(numbers(wanted)? <= numbers(PACKER_VERSION)?)
}

fn numbers(version: &str) -> Option<[u64; 3]> {
    let release = version.strip_prefix('v').unwrap_or(version).split(['-', '+']).next()?;
    let mut numbers = [0; 3];
    let mut parts = release.split('.');
    for number in &mut numbers {
        match parts.next() {
            Some(part) => *number = part.parse().ok()?,
            None => break,
        }
    }
    (parts.next().is_none() && !release.is_empty()).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(is_met("1.6.6"), Some(true));
        assert_eq!(is_met("1.6"), Some(true));
        assert_eq!(is_met("v0.9.0-dev"), Some(true));
        assert_eq!(is_met("1.10.0"), Some(false));
        assert_eq!(is_met("1.6.10"), Some(false));
    }

    #[test]
    fn what_is_no_version_is_said() {
        for text in ["", "one", "1..2", "1.2.3.4", "-1"] {
            assert_eq!(is_met(text), None, "{text}");
        }
    }
}
