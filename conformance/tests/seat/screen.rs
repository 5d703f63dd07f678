//! What stands on a screen after all that was sent to it: as much of a terminal as the command makes use of.

/// The text of a screen of this width; a row that goes on in the next one is one line with it.
pub(crate) fn text(sent: &str, columns: usize) -> String {
    let mut screen = Screen { columns, rows: vec![Row::default()], row: 0, column: 0 };
    let mut letters = sent.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => screen.column = 0,
            '\n' => screen.down(),
            '\u{1b}' => screen.sequence(&mut letters),
            letter if letter.is_control() => panic!("{letter:?} in {sent:?}"),
            letter => screen.put(letter),
        }
    }
    let below_the_last_line = screen.rows.pop_if(|row| row.letters.is_empty());
    assert!(
        below_the_last_line.is_some(),
        "a line is not ended, or something is left in its place: {sent:?}"
    );
    screen.rows.iter().map(Row::text).collect()
}

struct Screen {
    columns: usize,
    rows: Vec<Row>,
    row: usize,
    column: usize,
}

#[derive(Default)]
struct Row {
    letters: Vec<char>,
    goes_on: bool,
}

impl Row {
    fn text(&self) -> String {
        self.letters.iter().collect::<String>() + if self.goes_on { "" } else { "\n" }
    }
}

impl Screen {
    fn put(&mut self, letter: char) {
        if self.column == self.columns {
            self.rows[self.row].goes_on = true;
            self.down();
            self.column = 0;
        }
        let letters = &mut self.rows[self.row].letters;
        letters.resize(letters.len().max(self.column + 1), ' ');
        letters[self.column] = letter;
        self.column += 1;
    }

    fn down(&mut self) {
        self.row += 1;
        self.rows.resize_with(self.rows.len().max(self.row + 1), Row::default);
    }

    /// Colours change no letter; a row is wiped from the cursor to its end.
    fn sequence(&mut self, letters: &mut impl Iterator<Item = char>) {
        assert_eq!(letters.next(), Some('['));
        match letters.find(|letter| letter.is_ascii_alphabetic()) {
            Some('m') => {}
            Some('K') => self.rows[self.row].letters.truncate(self.column),
            other => panic!("a terminal is not asked for {other:?}"),
        }
    }
}
