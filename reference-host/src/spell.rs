//! "Did you mean": the known word that a mistyped one is nearest to.

/// The candidate a person most likely meant, if one is near enough to be worth saying.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate.to_owned())
}

/// "did you mean `x`?", or what else there is.
pub(crate) fn hint<'a>(near: Option<&str>, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if let Some(near) = near {
        return Some(format!("did you mean `{near}`?"));
    }
    let known: Vec<_> = known.into_iter().map(|word| format!("`{word}`")).collect();
    (!known.is_empty()).then(|| format!("known here: {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_recognised() {
        let known = ["builders", "provisioners", "variables"];
        assert_eq!(nearest("biulders", known).as_deref(), Some("builders"));
        assert_eq!(nearest("Builders", known).as_deref(), Some("builders"));
        assert_eq!(nearest("provisioner", known).as_deref(), Some("provisioners"));
    }

    #[test]
    fn a_different_word_is_not() {
        assert_eq!(nearest("metadata", ["builders", "data"]), None);
        assert_eq!(nearest("", ["a"]).as_deref(), Some("a"));
    }
}
