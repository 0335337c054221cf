//! Where a command writes: data to stdout, words to stderr. A reader that left is the end, not an error.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};

use serde::Serialize;

use super::Format;
use super::table::Table;

/// The two ways out of a command.
pub struct Lines<'a> {
    data: &'a mut dyn Write,
    words: &'a mut dyn Write,
}

impl<'a> Lines<'a> {
    /// Data goes here, words there.
    pub fn new(data: &'a mut dyn Write, words: &'a mut dyn Write) -> Self {
        Self { data, words }
    }

    /// One line of data.
    pub fn data(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.data, "{}", harmless(line.to_string()))
    }

    /// Where data goes, for those who write more than lines.
    pub fn raw(&mut self) -> &mut dyn Write {
        self.data
    }

    /// One line for the person at the terminal. A closed stderr loses it and nothing else.
    pub fn say(&mut self, line: impl Display) {
        drop(writeln!(self.words, "{}", harmless(line.to_string())));
    }

    /// A list: one JSON object a line, or a table; an empty table becomes the words `none`.
    pub fn list<T: Serialize>(&mut self, format: Format, rows: &[T], table: Table, none: &str) -> io::Result<()> {
        if format.json {
            return rows.iter().try_for_each(|row| self.json(row));
        }
        if rows.is_empty() {
            self.say(none);
            return Ok(());
        }
        self.data(table)
    }

    /// One JSON object on one line.
    pub fn json(&mut self, row: &impl Serialize) -> io::Result<()> {
        let line = serde_json::to_string(row).map_err(io::Error::other)?;
        writeln!(self.data, "{line}")
    }
}

/// Without control characters: names of models and words of providers come from others, and a terminal obeys them.
fn harmless(text: String) -> String {
    let obeyed = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.contains(obeyed) { text.replace(obeyed, "\u{fffd}") } else { text }
}

/// Whether a write failed because nobody reads any more.
pub fn reader_left(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

/// The width to which tables on stdout are wrapped; `None` when no person reads them.
pub fn width() -> Option<u16> {
    io::stdout().is_terminal().then(|| comfy_table::Table::new().width()).flatten()
}
