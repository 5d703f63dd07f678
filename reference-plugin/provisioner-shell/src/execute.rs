//! `execute_command`: a text with places such as `{{ .Path }}`, which are this plugin's to fill.
use packwire_plugin::dots::Dots;

/// A command with places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExecuteCommand(Dots<3>);

/// What goes into the places.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filling<'a> {
    /// The variables, as a shell takes them.
    pub(crate) vars: &'a str,
    /// The file with the variables, on the machine; empty where there is none.
    pub(crate) vars_file: &'a str,
    /// The script, on the machine.
    pub(crate) path: &'a str,
}

impl ExecuteCommand {
    /// Reads it; the error says which expression means nothing here.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Dots::parse(text, ["Vars", "EnvVarFile", "Path"]).map(Self)
    }

    /// Whether it needs a file with the variables.
    pub(crate) fn wants_vars_file(&self) -> bool {
        // No text has a NUL of its own.
        self.0.fill(["", "\0", ""]).contains('\0')
    }

    /// Whether the variables reach the script.
    pub(crate) fn passes_vars(&self) -> bool {
        self.0.fill(["\0", "\0", ""]).contains('\0')
    }

    /// The command for one script.
    pub(crate) fn fill(&self, filling: Filling<'_>) -> String {
        let Filling { vars, vars_file, path } = filling;
        self.0.fill([vars.trim_end_matches(' '), vars_file, path])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_three_places() {
        let filling = Filling { vars: "A='1' ", vars_file: "/v", path: "/x" };
        let command = ExecuteCommand::parse("sudo {{.Vars}} sh {{ .Path }} {{ .EnvVarFile}}").unwrap();
        assert_eq!(command.fill(filling), "sudo A='1' sh /x /v");
        assert!(command.wants_vars_file());
        assert!(!ExecuteCommand::parse("{{ .Path }}").unwrap().wants_vars_file());
        let wrong = ExecuteCommand::parse("{{ .Paht }}").unwrap_err();
        let known = "`{{ .Vars }}`, `{{ .EnvVarFile }}` and `{{ .Path }}` do";
        assert_eq!(wrong, format!("`{{{{ .Paht }}}}` means nothing here: {known}"));
    }
}
