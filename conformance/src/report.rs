//! A run, told to people and to programs.

mod human;
mod json;

use crate::check::Status;
use crate::preflight::Preflight;
use crate::suite::Run;

pub use human::human;
pub use json::json;

/// The name under which reports count the versions of this suite.
const SUITE: &str = env!("CARGO_PKG_VERSION");

/// The verdict in words. It never says more than was tried.
pub(crate) fn verdict(run: &Run) -> String {
    let (failed, errors) = (run.count(Status::Fail), run.count(Status::Error));
    let (passed, untried) = (tried(run) - failed, untried(run));
    let all = run.results.len();
    match &run.met {
        Preflight::Attached(..) if failed > 0 => format!("not conformant ({failed} of {all} rules broken)"),
        Preflight::Attached(..) if errors > 0 => {
            format!("no verdict (an error of the suite in {errors} of {all} rules)")
        }
        Preflight::Attached(..) if untried > 0 => {
            let needy = run.count(Status::NotExercised);
            let needy = if needy > 0 { format!("; {needy} need --scenario") } else { String::new() };
            format!("conformant as far as tested ({passed} of {all} rules tried{needy})")
        }
        Preflight::Attached(..) => format!("conformant (all {all} rules)"),
        _ => "not tested, the program never attached".to_owned(),
    }
}

/// How many requirements have an answer that is the plugin's.
fn tried(run: &Run) -> usize {
    [Status::Pass, Status::Fail, Status::Warn, Status::NotApplicable]
        .into_iter()
        .map(|status| run.count(status))
        .sum()
}

fn untried(run: &Run) -> usize {
    run.results.len() - tried(run)
}

/// The counts in words, only those that are not zero; the passed ones always.
pub(crate) fn counts(of: impl Fn(Status) -> usize) -> String {
    const WORDS: [(Status, &str); 7] = [
        (Status::Pass, "passed"),
        (Status::Fail, "failed"),
        (Status::Warn, "with a warning"),
        (Status::NotApplicable, "not applicable"),
        (Status::NotExercised, "not exercised"),
        (Status::Skipped, "skipped"),
        (Status::Error, "ended in an error of the suite"),
    ];
    let told = WORDS.iter().filter(|(status, _)| *status == Status::Pass || of(*status) > 0);
    told.map(|(status, word)| format!("{} {word}", of(*status))).collect::<Vec<_>>().join(", ")
}

/// What may help when the system refuses to start a program.
pub(crate) fn start_hint(why: &str) -> Option<String> {
    let hint = match why {
        why if why.contains("os error 8") => "a script needs a #! line, a binary the right architecture",
        why if why.contains("os error 2") => "the file exists: its interpreter or loader does not",
        why if why.contains("os error 13") => "this user may not execute it",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// The command line that tries one requirement again.
pub(crate) fn again(id: &str, typed: &[String]) -> String {
    let quoted = typed.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
    let dashes = if matches!(typed.first().map(String::as_str), Some("list" | "explain" | "help")) {
        "-- "
    } else {
        ""
    };
    format!("conformance --only {id} {dashes}{quoted}")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_type_again_survives_the_shell() {
        let typed = ["list".to_owned(), "it's a file".to_owned()];
        assert_eq!(again("exit.leave", &typed), r"conformance --only exit.leave -- list 'it'\''s a file'");
    }
}
