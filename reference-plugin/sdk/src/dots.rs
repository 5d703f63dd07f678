//! Dot expressions, `{{ .Name }}`: places in a text that are a component's own to fill. All else between two braces is the
//! host's, and filled before a component sees the text.
//!
//! ```
//! use packwire_plugin::dots::Dots;
//!
//! let path = Dots::parse("out/{{ .BuildName }}.{{.Kind}}", ["BuildName", "Kind"]).unwrap();
//! assert_eq!(path.fill(["disk", "md5"]), "out/disk.md5");
//! ```

/// A text with `N` kinds of places, each any number of times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dots<const N: usize>(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// By its number among the names.
    Place(usize),
}

impl<const N: usize> Dots<N> {
    /// Reads a text in which these names, here without their dots, have a meaning.
    ///
    /// # Errors
    /// Which expression has none.
    pub fn parse(mut text: &str, names: [&str; N]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        while let Some((before, rest)) = text.split_once("{{") {
            let (expression, after) = rest.split_once("}}").ok_or("`{{` has no `}}`")?;
            let expression = expression.trim();
            let name = expression.strip_prefix('.');
            let place = names.iter().position(|one| Some(*one) == name);
            let place = place.ok_or_else(|| meaningless(expression, &names))?;
            pieces.extend([Piece::Text(before.to_owned()), Piece::Place(place)]);
            text = after;
        }
        pieces.push(Piece::Text(text.to_owned()));
        Ok(Self(pieces))
    }

    /// The same of a path, which has no NUL.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), or that there is a NUL.
    pub fn parse_path(path: &str, names: [&str; N]) -> Result<Self, String> {
        if path.contains('\0') { Err("a path has no NUL".to_owned()) } else { Self::parse(path, names) }
    }

    /// The text with its places filled; the values stand in the order of the names.
    pub fn fill(&self, values: [&str; N]) -> String {
        let filled = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text,
            // Every place was found among as many names.
            Piece::Place(at) => values.get(*at).copied().unwrap_or_default(),
        });
        filled.collect()
    }
}

fn meaningless(expression: &str, names: &[&str]) -> String {
    let known: Vec<_> = names.iter().map(|name| format!("`{{{{ .{name} }}}}`")).collect();
    let known = match &known[..] {
        [] => "nothing does".to_owned(),
        [one] => format!("only {one} does"),
        [most @ .., last] => format!("{} and {last} do", most.join(", ")),
    };
    format!("`{{{{ {expression} }}}}` means nothing here: {known}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_other_text_stays() {
        let command = Dots::parse("sudo {{.Vars}} sh {{ .Path }} {{.Path}} }} {", ["Vars", "Path"]).unwrap();
        assert_eq!(command.fill(["A='1'", "/{{.Vars}}"]), "sudo A='1' sh /{{.Vars}} /{{.Vars}} }} {");
        assert_eq!(Dots::parse("", []).unwrap().fill([]), "");
    }

    #[test]
    fn what_means_nothing_is_named() {
        let wrong = |text| Dots::parse(text, ["Vars", "Path"]).unwrap_err();
        let told =
            ["{{ .Paht }}", "{{Path}}", "{{.}}", "{{}}", "a {{ .Path", "{{{.Path}}}"].map(wrong).join("\n");
        insta::assert_snapshot!(told, @r"
        `{{ .Paht }}` means nothing here: `{{ .Vars }}` and `{{ .Path }}` do
        `{{ Path }}` means nothing here: `{{ .Vars }}` and `{{ .Path }}` do
        `{{ . }}` means nothing here: `{{ .Vars }}` and `{{ .Path }}` do
        `{{  }}` means nothing here: `{{ .Vars }}` and `{{ .Path }}` do
        `{{` has no `}}`
        `{{ {.Path }}` means nothing here: `{{ .Vars }}` and `{{ .Path }}` do
        ");
        assert_eq!(Dots::parse("{{x}}", []).unwrap_err(), "`{{ x }}` means nothing here: nothing does");
        let wrong = Dots::parse("{{x}}", ["Y"]).unwrap_err();
        assert_eq!(wrong, "`{{ x }}` means nothing here: only `{{ .Y }}` does");
    }
}
