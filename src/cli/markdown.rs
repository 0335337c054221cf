//! Markdown for a terminal, as it arrives: headings, code, lists, quotes and bold text by colour and weight, lines broken
//! between words. What may still become a mark is held back, which is a few characters; of a table all its rows.

mod grid;
mod sheet;

use std::io::{self, Write};

use sheet::Sheet;

const RESET: &str = "\u{1b}[0m";
const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const HEADING: &str = "\u{1b}[1;36m";
const CODE: &str = "\u{1b}[33m";
const BULLET: &str = "\u{1b}[36m";
/// As wide as a line between two parts gets.
const RULE: usize = 40;

/// Longer beginnings of lines are no marks.
const LONGEST_MARK: usize = 12;

/// Writes Markdown to a terminal.
pub struct Markdown<W> {
    to: Sheet<W>,
    held: String,
    block: Block,
    bold: bool,
    italic: bool,
    code: bool,
    /// The last letter before what is held.
    last: char,
    /// The rows of the table under way.
    rows: Vec<String>,
}

/// What the line under way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    /// Not known yet.
    Start,
    /// The beginning of a line inside a fence.
    FencedStart,
    /// A line inside a fence.
    Fenced,
    /// A fence itself; what follows is inside where `true`.
    Fence(bool),
    Heading,
    Text,
    /// A row of a table.
    Row,
}

/// How many columns the terminal has; never so few that no word fits.
pub fn columns() -> usize {
    crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns).max(20))
}

impl<W: Write> Markdown<W> {
    /// Writes to a terminal.
    pub fn new(to: W) -> Self {
        let (to, held, rows) = (Sheet::new(to), String::new(), Vec::new());
        Self { to, held, block: Block::Start, bold: false, italic: false, code: false, last: ' ', rows }
    }

    /// With lines of at most so many columns, save in code.
    #[must_use]
    pub const fn wide(mut self, columns: usize) -> Self {
        self.to.width = Some(columns);
        self
    }

    /// Writes the next part.
    pub fn push(&mut self, text: &str) -> io::Result<()> {
        for c in text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')) {
            self.held.push(c);
            self.step(c == '\n')?;
        }
        self.to.flush()
    }

    /// Writes what was held back and ends every colour.
    pub fn end(&mut self) -> io::Result<()> {
        if matches!(self.block, Block::Start | Block::FencedStart) {
            self.begin()?;
        }
        let held = std::mem::take(&mut self.held);
        match self.block {
            Block::Row => {
                self.rows.push(held);
                self.table()?;
            }
            _ => self.to.text(&held)?,
        }
        self.to.style(RESET);
        self.to.word_end()?;
        self.to.flush()
    }

    fn step(&mut self, ended: bool) -> io::Result<()> {
        match self.block {
            Block::Start | Block::FencedStart => {
                if ended || !may_be_mark(&self.held, self.block) {
                    self.begin()?;
                }
            }
            Block::Text => self.inline()?,
            Block::Fenced | Block::Fence(_) | Block::Heading => self.plain()?,
            Block::Row => {}
        }
        if ended { self.line_end() } else { Ok(()) }
    }

    /// The beginning of the line tells what it is.
    fn begin(&mut self) -> io::Result<()> {
        let line = self.held.trim_start();
        let inside = self.block == Block::FencedStart;
        if !inside && line.starts_with('|') {
            self.block = Block::Row;
            return Ok(());
        }
        self.table()?;
        let line = self.held.trim_start();
        let coloured = if line.starts_with("```") || line.starts_with("~~~") {
            Some((Block::Fence(!inside), DIM))
        } else if inside {
            Some((Block::Fenced, CODE))
        } else if is_heading(line) {
            Some((Block::Heading, HEADING))
        } else {
            None
        };
        self.to.code = matches!(coloured, Some((Block::Fenced | Block::Fence(_), _)));
        if let Some((block, colour)) = coloured {
            self.block = block;
            self.to.style(colour);
            return self.plain();
        }
        self.block = Block::Text;
        if matches!(line.trim_end(), "---" | "***" | "___") {
            self.to.style(DIM);
            self.to.text(&"─".repeat(self.to.width.unwrap_or(RULE).min(RULE)))?;
            self.to.style(RESET);
            self.held.clear();
            return Ok(());
        }
        self.mark()?;
        // what follows the mark is read as it would have been read one by one
        for c in std::mem::take(&mut self.held).chars() {
            self.held.push(c);
            self.inline()?;
        }
        Ok(())
    }

    /// Writes the mark of a list or a quote, where the line begins with one.
    fn mark(&mut self) -> io::Result<()> {
        let line = self.held.trim_start();
        let (indent, mark) = (self.held.len() - line.len(), mark_length(line));
        if mark == 0 {
            return Ok(());
        }
        let rest = self.held.split_off(indent + mark);
        self.to.text(&self.held[..indent])?;
        self.to.style(BULLET);
        self.to.text(shown(&self.held[indent..]))?;
        self.to.style(RESET);
        self.to.hang()?;
        if self.held[indent..].starts_with('>') {
            // the mark and its space are the last two columns, however many a tab before them took
            self.to.lead.truncate(self.to.lead.len().saturating_sub(2));
            self.to.lead.push_str("│ ");
        }
        self.held = rest;
        Ok(())
    }

    /// Writes the table that is over.
    fn table(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let lines = grid::lines(&rows, self.to.width);
        for (at, line) in lines.as_ref().unwrap_or(&rows).iter().enumerate() {
            let style = match (&lines, at) {
                (Some(_), 0) => BOLD,
                (Some(_), 1) => DIM,
                _ => "",
            };
            self.to.style(style);
            self.to.text(line.trim_end_matches('\n'))?;
            self.to.style(if style.is_empty() { "" } else { RESET });
            self.to.line_end()?;
        }
        Ok(())
    }

    /// Text with bold and code in it; `*` waits for its neighbour.
    fn inline(&mut self) -> io::Result<()> {
        match self.held.as_str() {
            "`" => {
                self.code = !self.code;
                self.held.clear();
                self.to.style(if self.code { CODE } else { self.weight() });
                Ok(())
            }
            "*" if !self.code => Ok(()),
            "**" if !self.code => {
                self.bold = !self.bold;
                self.held.clear();
                self.to.style(self.weight());
                Ok(())
            }
            held if held.len() > 1 && held.starts_with('*') && !self.code => {
                let after = self.held.split_off(1);
                if self.slants(&after) {
                    self.italic = !self.italic;
                    self.held.clear();
                    self.to.style(self.weight());
                } else {
                    self.plain()?;
                }
                self.held = after;
                self.inline()
            }
            _ => self.plain(),
        }
    }

    /// Whether a single star begins or ends emphasis: it clings to a word, and stands in none.
    fn slants(&self, after: &str) -> bool {
        let open = !after.starts_with(char::is_whitespace) && !self.last.is_alphanumeric();
        if self.italic { !self.last.is_whitespace() } else { open }
    }

    const fn weight(&self) -> &'static str {
        match (self.bold, self.italic) {
            (false, false) => RESET,
            (true, false) => "\u{1b}[0;1m",
            (false, true) => "\u{1b}[0;3m",
            (true, true) => "\u{1b}[0;1;3m",
        }
    }

    fn plain(&mut self) -> io::Result<()> {
        // a colour that crosses the line end would fill the rest of the screen in some terminals
        let text = self.held.strip_suffix('\n').unwrap_or(&self.held);
        self.to.text(text)?;
        self.last = text.chars().last().unwrap_or(self.last);
        let ended = text.len() < self.held.len();
        self.held.clear();
        if ended {
            self.held.push('\n');
        }
        Ok(())
    }

    fn line_end(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        if self.block == Block::Row {
            self.rows.push(held);
            self.block = Block::Start;
            return Ok(());
        }
        if self.block != Block::Text || self.bold || self.italic || self.code {
            self.to.style(RESET);
        }
        self.to.line_end()?;
        // emphasis ends with its paragraph at the latest, and models forget to close it
        (self.bold, self.italic, self.code, self.last) = (false, false, false, ' ');
        self.block = match self.block {
            Block::Fence(true) | Block::Fenced | Block::FencedStart => Block::FencedStart,
            _ => Block::Start,
        };
        Ok(())
    }
}

fn is_heading(line: &str) -> bool {
    let hashes = line.len() - line.trim_start_matches('#').len();
    (1..=6).contains(&hashes) && line[hashes..].starts_with(' ')
}

/// The length of a list's or quote's mark with its space.
fn mark_length(line: &str) -> usize {
    if ["- ", "* ", "+ ", "> "].iter().any(|mark| line.starts_with(mark)) {
        return 2;
    }
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let numbered = (1..=4).contains(&digits) && [". ", ") "].iter().any(|end| line[digits..].starts_with(end));
    if numbered { digits + 2 } else { 0 }
}

/// A mark as a terminal shows it.
fn shown(mark: &str) -> &str {
    match mark {
        "- " | "* " | "+ " => "• ",
        "> " => "│ ",
        other => other,
    }
}

/// Whether what is there of a line may yet become a mark.
fn may_be_mark(line: &str, block: Block) -> bool {
    let line = line.trim_start_matches([' ', '\t']);
    if line.len() > LONGEST_MARK {
        return false;
    }
    let fence = "```".starts_with(line) || "~~~".starts_with(line);
    if block == Block::FencedStart || fence {
        return fence;
    }
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = line.len() - digits.len() <= 4 && line != digits && matches!(digits, "" | "." | ")");
    number
        || matches!(line, "-" | "--" | "---" | "*" | "+" | ">")
        || (line.len() <= 6 && line.chars().all(|c| c == '#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(parts: &[&str]) -> String {
        let mut out = Vec::new();
        let mut markdown = Markdown::new(&mut out);
        parts.iter().for_each(|part| markdown.push(part).unwrap());
        markdown.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    const TEXT: &str = "# Title\n\nSome **bold** text, `code` and 2*3.\n- one\n 12. two\n> said\n```rust\nlet **x** = 1; # no\n\n```\nsnake_case * star\n| a | *b*n |\n|---|--:|\n| one | 2 |\n---\nan *air* of 2*3 and * x\n";

    #[test]
    fn it_is_the_same_however_the_text_is_cut() {
        let whole = written(&[TEXT]);
        for size in 1..TEXT.len() {
            let parts: Vec<&str> =
                TEXT.as_bytes().chunks(size).map(|part| std::str::from_utf8(part).unwrap()).collect();
            assert_eq!(written(&parts), whole, "cut every {size}");
        }
    }

    #[test]
    fn the_words_stay_and_the_marks_become_colours() {
        let text = written(&[TEXT]);
        for (shown, why) in [
            ("\u{1b}[1;36m# Title\u{1b}[0m\n", "a heading"),
            ("Some \u{1b}[0;1mbold\u{1b}[0m text", "bold"),
            ("\u{1b}[33mcode\u{1b}[0m and 2*3.\n", "code, and a star that is none"),
            ("\u{1b}[36m•\u{1b}[0m one\n", "a list"),
            (" \u{1b}[36m12.\u{1b}[0m two\n", "a numbered list"),
            ("\u{1b}[36m│\u{1b}[0m said\n", "a quote"),
            ("\u{1b}[33mlet **x** = 1; # no\u{1b}[0m\n", "nothing is read inside a fence"),
            ("snake_case * star\n", "plain text"),
            ("\u{1b}[1ma   │ *b*n\u{1b}[0m\n\u{1b}[2m────┼─────\u{1b}[0m\none │    2\n", "a table"),
            ("────\u{1b}[0m\n", "a line"),
            ("an \u{1b}[0;3mair\u{1b}[0m of 2*3 and * x\n", "a word that stands out, and stars that are none"),
        ] {
            assert!(text.contains(shown), "{why}: {text:?}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_left_out() {
        let text = written(&["a\u{1b}]0;title\u{7}b\u{1b}[2J"]);
        assert_eq!(text, format!("a]0;titleb[2J{RESET}"));
    }

    #[test]
    fn lines_are_broken_between_words_and_code_is_left_alone() {
        let mut out = Vec::new();
        let mut markdown = Markdown::new(&mut out).wide(16);
        markdown.push("some words that go on\n- a list that goes on\n> said of old times\n").unwrap();
        markdown.push("```\nlet long = \"a line of code\";\n```\nunbreakable_beyond_16\n").unwrap();
        markdown.end().unwrap();
        let text = String::from_utf8(out).unwrap();
        for shown in [
            "some words that\ngo on\n",
            "•\u{1b}[0m a list that\n  goes on\n",
            "│\u{1b}[0m said of old\n│ times\n",
            "let long = \"a line of code\";",
            "\nunbreakable_beyond_16\n",
        ] {
            assert!(text.contains(shown), "{shown:?} in {text:?}");
        }
    }
}
