//! The lines of one build: `==> NAME: headline`, `    NAME: detail`.

use std::sync::Arc;

use tokio::sync::Notify;

use super::terminal::{Colour, Paint, Terminal};

/// What stands before each line.
#[derive(Clone, Debug)]
enum Voice {
    /// A mark and the name of the build.
    Build(Arc<str>),
    /// Nothing: a command speaks for itself, and its errors go elsewhere.
    Command { errors: Arc<Terminal> },
}

/// Where one build, one post-processor of it, or a command prints. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BuildUi {
    terminal: Arc<Terminal>,
    voice: Voice,
    colour: Colour,
    /// Told of each line, also of those that go to another name.
    heard: Arc<Notify>,
}

impl BuildUi {
    /// The lines of the build `name`, the `index`th of the run.
    #[must_use]
    pub fn new(terminal: Arc<Terminal>, name: &str, index: usize) -> Self {
        Self { terminal, voice: Voice::Build(name.into()), colour: Colour::of(index), heard: Arc::default() }
    }

    /// The lines of a command of a plugin: as they are, its errors on another terminal.
    #[must_use]
    pub fn of_command(terminal: Arc<Terminal>, errors: Arc<Terminal>) -> Self {
        Self { terminal, voice: Voice::Command { errors }, colour: Colour::Green, heard: Arc::default() }
    }

    /// The same build with another name before its lines, such as `NAME (TYPE)` for a post-processor.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self { voice: Voice::Build(name.into()), ..self.clone() }
    }

    /// A headline.
    pub fn say(&self, text: &str) {
        self.print("==>", text, Paint::Bold(self.colour));
    }

    /// A detail.
    pub fn message(&self, text: &str) {
        self.print("   ", text, Paint::Light(self.colour));
    }

    /// What went wrong.
    pub fn error(&self, text: &str) {
        match &self.voice {
            Voice::Build(_) => self.print("==>", text, Paint::Bold(Colour::Red)),
            Voice::Command { errors } => errors.print("", text.trim_end(), Paint::Bold(Colour::Red)),
        }
    }

    /// Masks these from now on; says whose they are where one cannot be masked.
    pub(crate) fn mask(&self, secrets: impl IntoIterator<Item = String>, whose: &str) {
        for secret in secrets {
            if let Err(refused) = self.terminal.secrets().add(&secret) {
                self.error(&format!("a secret of {whose} is not masked: {refused}"));
            }
        }
    }

    /// Notified of each line of a run: whoever still says something still works.
    pub(crate) fn heard(&self) -> &Notify {
        &self.heard
    }

    /// A run said something.
    pub(super) fn hear(&self) {
        self.heard.notify_waiters();
    }

    /// Where all builds print.
    #[must_use]
    pub fn terminal(&self) -> &Arc<Terminal> {
        &self.terminal
    }

    /// A line end that ends the text adds no empty line.
    fn print(&self, mark: &str, text: &str, paint: Paint) {
        match &self.voice {
            Voice::Build(name) => self.terminal.print(&format!("{mark} {name}: "), text.trim_end(), paint),
            Voice::Command { .. } => self.terminal.print("", text.trim_end(), Paint::Plain),
        }
    }
}

/// Says which build has which colour, where there are colours.
pub fn announce_colours<'a>(terminal: &Terminal, builds: impl IntoIterator<Item = &'a str>) {
    if !terminal.has_colours() {
        return;
    }
    for (index, name) in builds.into_iter().enumerate() {
        terminal.print(
            &format!("{name}: "),
            "output will be in this color.",
            Paint::Light(Colour::of(index)),
        );
    }
    terminal.print("", "", Paint::Plain);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::secrets::Secrets;
    use super::*;
    use std::io::Write;
    use std::sync::Mutex;

    /// Remembers what was written, one entry for each write.
    #[derive(Clone, Default)]
    pub(crate) struct Recorder(Arc<Mutex<Vec<String>>>);

    impl Recorder {
        pub(crate) fn text(&self) -> String {
            self.0.lock().unwrap().concat()
        }
    }

    impl Write for Recorder {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    pub(crate) fn terminal(colours: bool) -> (Arc<Terminal>, Recorder) {
        let recorder = Recorder::default();
        let secrets = Arc::new(Secrets::default());
        (Arc::new(Terminal::new(Box::new(recorder.clone()), colours, secrets)), recorder)
    }

    fn speak(ui: &BuildUi) {
        ui.say("Building\nit\n");
        ui.message("  a detail  \n\nanother");
        ui.error("it broke");
    }

    #[test]
    fn every_line_says_whose_it_is() {
        let (terminal, recorder) = terminal(false);
        speak(&BuildUi::new(terminal, "box", 0));
        insta::assert_snapshot!(recorder.text(), @r"
        ==> box: Building
        ==> box: it
            box:   a detail
            box:
            box: another
        ==> box: it broke
        ");
    }

    #[test]
    fn builds_have_colours_and_errors_are_red() {
        let (terminal, recorder) = terminal(true);
        announce_colours(&terminal, ["a", "b"]);
        speak(&BuildUi::new(terminal, "b", 1).named("b (manifest)"));
        insta::assert_snapshot!(recorder.text().replace('\x1b', "ESC"), @r"
        ESC[32ma: output will be in this color.ESC[0m
        ESC[36mb: output will be in this color.ESC[0m

        ESC[1mESC[36m==> b (manifest): BuildingESC[0m
        ESC[1mESC[36m==> b (manifest): itESC[0m
        ESC[36m    b (manifest):   a detailESC[0m
        ESC[36m    b (manifest):ESC[0m
        ESC[36m    b (manifest): anotherESC[0m
        ESC[1mESC[31m==> b (manifest): it brokeESC[0m
        ");
    }

    #[test]
    fn secrets_and_control_characters_stay_inside() {
        let (terminal, recorder) = terminal(false);
        terminal.secrets().add("hunter22").unwrap();
        BuildUi::new(terminal, "b\u{1b}", 0).say("\u{1b}[2Jpassword hunter22");
        assert_eq!(recorder.text(), "==> b\\u{1b}: \\u{1b}[2Jpassword <sensitive>\n");
    }

    #[test]
    fn a_text_is_one_write_so_that_lines_never_mix() {
        let (terminal, recorder) = terminal(false);
        BuildUi::new(terminal, "b", 0).say("one\ntwo");
        assert_eq!(recorder.0.lock().unwrap().len(), 1);
    }
}
