//! What several models say at the same time: in panes on a terminal, side by side where it is wide enough, else one
//! below the other; as labelled lines where no terminal is.

use std::io::{self, Write};

use crossterm::cursor::{MoveToColumn, MoveUp};
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType};
use unicode_width::UnicodeWidthChar;

/// A pane that is narrower is not read.
const NARROWEST: usize = 34;
const GAP: usize = 3;

/// One model's words.
#[derive(Clone, Debug, Default)]
pub struct Pane {
    /// Above them: its role and model.
    pub title: String,
    /// What became of it: empty while it speaks.
    pub state: String,
    /// Its words, without control characters.
    text: String,
    /// Up to where the words went out as labelled lines.
    told: usize,
}

/// All panes, and how much of the screen they take.
#[derive(Default)]
pub struct Panes {
    panes: Vec<Pane>,
    /// Lines that the last drawing took.
    drawn: u16,
}

impl Pane {
    /// An empty pane.
    pub fn new(title: String) -> Self {
        Self { title: harmless(&title), ..Self::default() }
    }
}

impl Panes {
    /// These panes, in this order.
    pub fn new(titles: impl IntoIterator<Item = String>) -> Self {
        Self { panes: titles.into_iter().map(Pane::new).collect(), drawn: 0 }
    }

    /// Adds to what a model says. Models say what they like: a terminal must not obey it.
    pub fn say(&mut self, pane: usize, text: &str) {
        if let Some(pane) = self.panes.get_mut(pane) {
            pane.text += &harmless(text);
        }
    }

    /// Says what became of a model.
    pub fn end(&mut self, pane: usize, state: &str) {
        if let Some(pane) = self.panes.get_mut(pane) {
            pane.state = harmless(state);
        }
    }

    /// Something else was written: what was drawn stays, and the next drawing comes below.
    pub const fn leave(&mut self) {
        self.drawn = 0;
    }

    /// Draws all panes over what was drawn before.
    pub fn draw(&mut self, to: &mut impl Write, (width, height): (usize, usize)) -> io::Result<()> {
        let lines = self.lines(width, height);
        if self.drawn > 0 {
            queue!(to, MoveUp(self.drawn), MoveToColumn(0), Clear(ClearType::FromCursorDown))?;
        }
        for line in &lines {
            writeln!(to, "{}", line.trim_end())?;
        }
        self.drawn = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        to.flush()
    }

    /// Writes the lines that are complete, each with its model's title; with `all` also the last ones.
    pub fn tell(&mut self, to: &mut impl Write, all: bool) -> io::Result<()> {
        for pane in &mut self.panes {
            let fresh = &pane.text[pane.told..];
            let end = if all { fresh.len() } else { fresh.rfind('\n').map_or(0, |at| at + 1) };
            for line in fresh[..end].lines() {
                writeln!(to, "{} | {line}", pane.title)?;
            }
            pane.told += end;
        }
        to.flush()
    }

    /// The picture, line by line.
    fn lines(&self, width: usize, height: usize) -> Vec<String> {
        let count = self.panes.len().max(1);
        let across = (width + GAP) / count;
        let beside = across >= NARROWEST + GAP;
        // the picture may not be higher than the screen: a terminal does not go back over its upper edge
        let room = height.saturating_sub(3).clamp(2, 24);
        if !beside {
            let each = (room / count).saturating_sub(1).max(1);
            return self.panes.iter().flat_map(|pane| pane.lines(width, each)).collect();
        }
        let columns: Vec<Vec<String>> = self.panes.iter().map(|pane| pane.lines(across - GAP, room - 1)).collect();
        let rows = columns.iter().map(Vec::len).max().unwrap_or_default();
        let row = |row: usize| {
            let cells = columns.iter().map(|column| padded(column.get(row).map_or("", String::as_str), across - GAP));
            cells.collect::<Vec<_>>().join(" │ ")
        };
        (0..rows).map(row).collect()
    }
}

impl Pane {
    /// The title and the last lines of the words.
    fn lines(&self, width: usize, most: usize) -> Vec<String> {
        let state = if self.state.is_empty() { String::new() } else { format!(" · {}", self.state) };
        let mut lines = vec![cut(&format!("{}{state}", self.title), width)];
        let wrapped = wrapped(&self.text, width);
        lines.extend_from_slice(&wrapped[wrapped.len().saturating_sub(most)..]);
        lines
    }
}

/// Text in lines of at most this width, broken between words where that can be.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.trim_end().lines() {
        let (mut open, mut used) = (String::new(), 0);
        for word in line.split_inclusive(' ') {
            if used > 0 && used + wide(word.trim_end()) > width {
                lines.push(std::mem::take(&mut open));
                used = 0;
            }
            for letter in word.chars() {
                let more = letter.width().unwrap_or(0);
                if used + more > width && letter != ' ' {
                    lines.push(std::mem::take(&mut open));
                    used = 0;
                }
                open.push(letter);
                used += more;
            }
        }
        lines.push(open.trim_end().to_owned());
    }
    lines
}

fn wide(text: &str) -> usize {
    text.chars().map(|letter| letter.width().unwrap_or(0)).sum()
}

fn cut(text: &str, width: usize) -> String {
    wrapped(text, width.max(1)).into_iter().next().unwrap_or_default()
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(wide(text))))
}

/// Without control characters besides line ends; a tab is four spaces.
pub fn harmless(text: &str) -> String {
    let text = text.replace('\t', "    ");
    text.chars().filter(|letter| *letter == '\n' || !letter.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panes() -> Panes {
        let mut panes = Panes::new(["thesis lab/a".to_owned(), "antithesis lab/b".to_owned()]);
        panes.say(0, "one two three four five six seven eight nine ten eleven twelve");
        panes.say(1, "日本語の文章はこの幅では二行になるはずですがどうでしょうか");
        panes.end(1, "done");
        panes
    }

    #[test]
    fn panes_stand_side_by_side_where_there_is_room_and_below_each_other_where_not() {
        let beside = panes().lines(83, 24);
        assert!(beside[0].contains("thesis lab/a") && beside[0].contains(" │ antithesis lab/b · done"), "{beside:?}");
        assert!(beside.iter().all(|line| wide(line) <= 83), "{beside:?}");
        let stacked = panes().lines(40, 24);
        assert_eq!((&*stacked[0], &*stacked[3]), ("thesis lab/a", "antithesis lab/b · done"), "{stacked:?}");
        assert!(stacked.iter().all(|line| wide(line) <= 40 && !line.contains('│')), "{stacked:?}");
    }

    #[test]
    fn a_picture_is_never_higher_than_the_screen_and_shows_the_last_words() {
        for (width, height) in [(100, 6), (40, 8), (100, 24), (10, 5)] {
            let mut panes = panes();
            (0..200).for_each(|line| panes.say(0, &format!("\nline {line}")));
            let lines = panes.lines(width, height);
            assert!(lines.len() < height.max(5), "{width}x{height}: {lines:?}");
            assert!(lines.iter().any(|line| line.contains("199")), "{width}x{height}: {lines:?}");
        }
    }

    #[test]
    fn labelled_lines_come_whole_and_a_terminal_has_nothing_to_obey() {
        let mut panes = Panes::new(["a".to_owned(), "b".to_owned()]);
        let mut out = Vec::new();
        panes.say(0, "first\nsec\u{1b}[2Jond");
        panes.say(1, "other");
        panes.tell(&mut out, false).expect("written");
        panes.say(0, " half\n");
        panes.tell(&mut out, true).expect("written");
        assert_eq!(String::from_utf8(out).expect("text"), "a | first\na | sec[2Jond half\nb | other\n");
    }
}
