//! `execute_command`: a text with the places `{{ .Vars }}` and `{{ .Path }}`, which are this plugin's to fill.

use packwire_plugin::dots::Dots;

/// A command with places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExecuteCommand(Dots<2>);

impl ExecuteCommand {
    /// Reads it; the error says which expression means nothing here.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Dots::parse(text, ["Vars", "Path"]).map(Self)
    }

    /// The command for one script.
    pub(crate) fn fill(&self, vars: &str, path: &str) -> String {
        self.0.fill([vars, path])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_two_places() {
        let command = ExecuteCommand::parse("sudo {{.Vars}} sh {{ .Path }}").unwrap();
        assert_eq!(command.fill("A='1'", "/x"), "sudo A='1' sh /x");
        let wrong = ExecuteCommand::parse("{{ .Paht }}").unwrap_err();
        assert_eq!(wrong, "`{{ .Paht }}` means nothing here: `{{ .Vars }}` and `{{ .Path }}` do");
    }
}
