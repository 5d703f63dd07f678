//! Which checks the user wants: patterns over ids.

/// Why a selection is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
pub enum SelectError {
    /// A pattern that no id matches: most likely a slip of the keyboard.
    #[error("no check matches `{pattern}`")]
    NoMatch {
        /// As it was typed.
        pattern: String,
        /// What may have been meant.
        #[help]
        hint: Option<String>,
    },
    /// Everything that was selected was also left out.
    #[error("nothing is left to check")]
    #[diagnostic(help(
        "--only, --skip and --level together leave no rule: `conformance list` tells all of them, with their levels"
    ))]
    Nothing,
}

/// Where no id is like a pattern.
const ALL: &str = "`conformance list` tells the ids; `exit.*` takes those that begin so";

/// Whether an id is matched by a pattern in which `*` stands for any characters.
pub fn matches(pattern: &str, id: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = id.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Checks that each pattern matches one of all ids there are.
pub fn known<'a>(ids: &[&str], patterns: impl IntoIterator<Item = &'a String>) -> Result<(), SelectError> {
    match patterns.into_iter().find(|pattern| !ids.iter().any(|id| matches(pattern, id))) {
        Some(pattern) => {
            let hint = did_you_mean(pattern, ids).or_else(|| Some(ALL.to_owned()));
            Err(SelectError::NoMatch { pattern: pattern.clone(), hint })
        }
        None => Ok(()),
    }
}

/// The ids to run: those that are wanted and not left out.
pub fn select<'a>(ids: &[&'a str], only: &[String], skip: &[String]) -> Result<Vec<&'a str>, SelectError> {
    let any = |patterns: &[String], id: &str| patterns.iter().any(|pattern| matches(pattern, id));
    let wanted = |id: &&str| (only.is_empty() || any(only, id)) && !any(skip, id);
    let run: Vec<&str> = ids.iter().copied().filter(wanted).collect();
    if run.is_empty() { Err(SelectError::Nothing) } else { Ok(run) }
}

/// The known id that is most like a word, if one is like it at all.
pub fn did_you_mean(word: &str, ids: &[&str]) -> Option<String> {
    let likeness = |id: &str| strsim::jaro_winkler(word, id);
    let nearest = ids.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(nearest) > 0.8).then(|| format!("did you mean `{nearest}`?"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDS: [&str; 3] = ["exit.leave", "exit.half-close", "token.exact-bytes"];

    #[test]
    fn a_star_stands_for_any_characters() {
        assert!(matches("exit.*", "exit.leave") && matches("*", "x.y") && matches("*.le*e", "exit.leave"));
        assert!(!matches("exit", "exit.leave") && !matches("exit.*x", "exit.leave") && !matches("a*a", "a"));
    }

    #[test]
    fn a_pattern_without_a_match_is_an_error_with_a_hint() {
        let error = known(&IDS, &["exit.*".into(), "exit.leaves".into()]).unwrap_err();
        assert_eq!(
            error,
            SelectError::NoMatch {
                pattern: "exit.leaves".into(),
                hint: Some("did you mean `exit.leave`?".into())
            }
        );
        assert_eq!(select(&IDS, &["exit.*".into()], &["*".into()]).unwrap_err(), SelectError::Nothing);
    }

    #[test]
    fn what_is_skipped_is_left_out() {
        assert_eq!(select(&IDS, &[], &["exit.*".into()]).unwrap(), [IDS[2]]);
        assert_eq!(select(&IDS, &["*.*e".into()], &["*.h*".into()]).unwrap(), [IDS[0]]);
    }

    proptest! {
        #[test]
        fn a_pattern_made_of_an_id_matches_it(id in "[a-c.]{0,8}", at in 0usize..9, length in 0usize..9) {
            let (from, to) = (at.min(id.len()), (at + length).min(id.len()));
            let pattern = format!("{}*{}", &id[..from], &id[to.max(from)..]);
            prop_assert!(matches(&pattern, &id));
        }
    }
}
