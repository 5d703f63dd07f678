//! The command line that tries one requirement again, with all that made the run what it was.

use crate::cli;

/// The command, quoted for a shell.
pub(crate) fn again(id: &str, flags: &[String], typed: &[String]) -> String {
    let is_a_subcommand = typed.first().is_some_and(|word| cli::is_a_subcommand(word));
    let dashes = is_a_subcommand.then_some("--".to_owned());
    let only = ["conformance".to_owned(), "--only".to_owned(), id.to_owned()];
    let words = only.iter().chain(flags).chain(&dashes).chain(typed);
    words.map(|word| quote(word)).collect::<Vec<_>>().join(" ")
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
        assert_eq!(
            again("exit.leave", &[], &typed),
            r"conformance --only exit.leave -- list 'it'\''s a file'"
        );
    }

    #[test]
    fn a_command_to_type_again_has_what_made_the_run_what_it_was() {
        let flags = ["--scenario", "my scenario.toml", "--seed", "7"].map(str::to_owned);
        let told = again("run.once", &flags, &["./plugin".to_owned()]);
        assert_eq!(told, "conformance --only run.once --scenario 'my scenario.toml' --seed 7 ./plugin");
    }
}
