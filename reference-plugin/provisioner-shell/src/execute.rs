//! `execute_command`: a text with the places `{{ .Vars }}` and `{{ .Path }}`, which are this plugin's to fill.

/// A command with places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExecuteCommand(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Vars,
    Path,
}

impl ExecuteCommand {
    /// Reads it; the error says which expression means nothing here.
    pub(crate) fn parse(mut text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        while let Some((before, rest)) = text.split_once("{{") {
            let (expression, after) = rest.split_once("}}").ok_or("`{{` has no `}}`")?;
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(match expression.trim() {
                ".Vars" => Piece::Vars,
                ".Path" => Piece::Path,
                other => {
                    return Err(format!(
                        "`{{{{ {other} }}}}` means nothing here: `{{{{ .Vars }}}}` and `{{{{ .Path }}}}` do"
                    ));
                }
            });
            text = after;
        }
        pieces.push(Piece::Text(text.to_owned()));
        Ok(Self(pieces))
    }

    /// The command for one script.
    pub(crate) fn fill(&self, vars: &str, path: &str) -> String {
        let filled = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Vars => vars,
            Piece::Path => path,
        });
        filled.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_other_text_stays() {
        let command = ExecuteCommand::parse("sudo {{.Vars}} sh {{ .Path }} }} {").unwrap();
        assert_eq!(command.fill("A='1'", "/x"), "sudo A='1' sh /x }} {");
        assert_eq!(ExecuteCommand::parse("").unwrap().fill("a", "b"), "");
    }

    #[test]
    fn what_means_nothing_is_named() {
        let wrong = ExecuteCommand::parse("{{ .Paht }}").unwrap_err();
        assert_eq!(wrong, "`{{ .Paht }}` means nothing here: `{{ .Vars }}` and `{{ .Path }}` do");
        assert_eq!(ExecuteCommand::parse("{{ .Path").unwrap_err(), "`{{` has no `}}`");
    }
}
