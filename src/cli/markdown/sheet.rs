//! Lines on a terminal, broken between words: a word is written once it is whole, and a colour with it.

use std::io::{self, Write};

use unicode_width::UnicodeWidthChar;

/// What stands at no line's beginning: it stays with the character before.
const CLOSING: &str = "、。，．：；！？）」』】》〉〕ー々";
/// What stands at no line's end: it stays with the character behind.
const OPENING: &str = "（「『【《〈〔\u{200d}";

/// Where text is written.
pub(super) struct Sheet<W> {
    to: W,
    /// How many columns there are; `None` breaks no line.
    pub(super) width: Option<usize>,
    /// Code keeps its lines.
    pub(super) code: bool,
    /// What begins a line that was broken: an indent, a quote's mark.
    pub(super) lead: String,
    column: usize,
    spaces: usize,
    word: String,
    wide: usize,
}

impl<W: Write> Sheet<W> {
    pub(super) const fn new(to: W) -> Self {
        Self { to, width: None, code: false, lead: String::new(), column: 0, spaces: 0, word: String::new(), wide: 0 }
    }

    /// What the terminal obeys: it takes no room.
    pub(super) fn style(&mut self, escape: &str) {
        self.word += escape;
    }

    /// Text within a line.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        for c in text.chars() {
            if c == ' ' {
                self.word_end()?;
                self.spaces += 1;
            } else {
                if breaks(self.word.chars().last(), c) {
                    self.word_end()?;
                }
                self.word.push(c);
                self.wide += c.width().unwrap_or(0);
            }
        }
        Ok(())
    }

    /// What follows begins below here where the line is too long.
    pub(super) fn hang(&mut self) -> io::Result<()> {
        self.word_end()?;
        self.lead = " ".repeat(self.column + self.spaces);
        Ok(())
    }

    pub(super) fn line_end(&mut self) -> io::Result<()> {
        self.word_end()?;
        self.to.write_all(b"\n")?;
        (self.column, self.spaces) = (0, 0);
        self.lead.clear();
        Ok(())
    }

    /// Writes the word under way, on a line of its own where it does not fit any more.
    pub(super) fn word_end(&mut self) -> io::Result<()> {
        if self.wide > 0 {
            let begun = self.column > self.lead.chars().count();
            let ends = self.column + self.spaces + self.wide;
            if begun && !self.code && self.width.is_some_and(|width| ends > width) {
                write!(self.to, "\n{}", self.lead)?;
                (self.column, self.spaces) = (self.lead.chars().count(), 0);
            }
            write!(self.to, "{}", " ".repeat(self.spaces))?;
            self.column += self.spaces + self.wide;
            (self.spaces, self.wide) = (0, 0);
        }
        self.to.write_all(self.word.as_bytes())?;
        self.word.clear();
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Whether a line may be broken before `next` although there is no space: languages whose characters are two columns wide
/// write none between words.
fn breaks(last: Option<char>, next: char) -> bool {
    let wide = |c: char| c.width() == Some(2);
    last.is_some_and(|last| {
        let (meets, joined) = (wide(next) || (wide(last) && next.is_alphanumeric()), OPENING.contains(last));
        meets && !joined && !CLOSING.contains(next)
    })
}
