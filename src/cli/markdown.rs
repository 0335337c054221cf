//! Markdown for a terminal, as it arrives: headings, code, lists, quotes and bold text by colour and weight, nothing
//! moved. What may still become a mark is held back, which is a few characters and never a line.

use std::io::{self, Write};

const RESET: &str = "\u{1b}[0m";
const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const HEADING: &str = "\u{1b}[1;36m";
const CODE: &str = "\u{1b}[33m";
const BULLET: &str = "\u{1b}[36m";

/// Longer beginnings of lines are no marks.
const LONGEST_MARK: usize = 12;

/// Writes Markdown to a terminal.
pub struct Markdown<W> {
    to: W,
    held: String,
    block: Block,
    bold: bool,
    code: bool,
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
}

impl<W: Write> Markdown<W> {
    /// Writes to a terminal.
    pub const fn new(to: W) -> Self {
        Self { to, held: String::new(), block: Block::Start, bold: false, code: false }
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
        self.to.write_all(held.as_bytes())?;
        self.to.write_all(RESET.as_bytes())?;
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
        }
        if ended { self.line_end() } else { Ok(()) }
    }

    /// The beginning of the line tells what it is.
    fn begin(&mut self) -> io::Result<()> {
        let line = self.held.trim_start();
        let inside = self.block == Block::FencedStart;
        if line.starts_with("```") || line.starts_with("~~~") {
            self.block = Block::Fence(!inside);
            self.to.write_all(DIM.as_bytes())?;
            return self.plain();
        }
        if inside {
            self.block = Block::Fenced;
            self.to.write_all(CODE.as_bytes())?;
            return self.plain();
        }
        if is_heading(line) {
            self.block = Block::Heading;
            self.to.write_all(HEADING.as_bytes())?;
            return self.plain();
        }
        self.block = Block::Text;
        let indent = self.held.len() - line.len();
        let mark = mark_length(line);
        if mark > 0 {
            let rest = self.held.split_off(indent + mark);
            write!(self.to, "{}{BULLET}{}{RESET}", &self.held[..indent], shown(&self.held[indent..]))?;
            self.held = rest;
        }
        // what follows the mark is read as it would have been read one by one
        for c in std::mem::take(&mut self.held).chars() {
            self.held.push(c);
            self.inline()?;
        }
        Ok(())
    }

    /// Text with bold and code in it; `*` waits for its neighbour.
    fn inline(&mut self) -> io::Result<()> {
        match self.held.as_str() {
            "`" => {
                self.code = !self.code;
                self.held.clear();
                self.to.write_all(if self.code { CODE } else { self.weight() }.as_bytes())
            }
            "*" if !self.code => Ok(()),
            "**" if !self.code => {
                self.bold = !self.bold;
                self.held.clear();
                self.to.write_all(if self.bold { BOLD } else { RESET }.as_bytes())
            }
            _ if self.held.len() > 1 && self.held.ends_with('`') => {
                self.held.pop();
                self.plain()?;
                self.held.push('`');
                self.inline()
            }
            _ => self.plain(),
        }
    }

    fn weight(&self) -> &'static str {
        if self.bold { "\u{1b}[0;1m" } else { RESET }
    }

    fn plain(&mut self) -> io::Result<()> {
        // a colour that crosses the line end would fill the rest of the screen in some terminals
        let text = self.held.strip_suffix('\n').unwrap_or(&self.held);
        self.to.write_all(text.as_bytes())?;
        let ended = text.len() < self.held.len();
        self.held.clear();
        if ended {
            self.held.push('\n');
        }
        Ok(())
    }

    fn line_end(&mut self) -> io::Result<()> {
        if self.block != Block::Text || self.bold || self.code {
            self.to.write_all(RESET.as_bytes())?;
        }
        self.held.clear();
        self.to.write_all(b"\n")?;
        // emphasis ends with its paragraph at the latest, and models forget to close it
        (self.bold, self.code) = (false, false);
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
    number || matches!(line, "-" | "*" | "+" | ">") || (line.len() <= 6 && line.chars().all(|c| c == '#'))
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

    const TEXT: &str = "# Title\n\nSome **bold** text, `code` and 2*3.\n- one\n 12. two\n> said\n```rust\nlet **x** = 1; # no\n\n```\nsnake_case * star\n";

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
            ("Some \u{1b}[1mbold\u{1b}[0m text", "bold"),
            ("\u{1b}[33mcode\u{1b}[0m and 2*3.\n", "code, and a star that is none"),
            ("\u{1b}[36m• \u{1b}[0mone\n", "a list"),
            (" \u{1b}[36m12. \u{1b}[0mtwo\n", "a numbered list"),
            ("\u{1b}[36m│ \u{1b}[0msaid\n", "a quote"),
            ("\u{1b}[33mlet **x** = 1; # no\u{1b}[0m\n", "nothing is read inside a fence"),
            ("snake_case * star\n", "plain text"),
        ] {
            assert!(text.contains(shown), "{why}: {text:?}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_left_out() {
        let text = written(&["a\u{1b}]0;title\u{7}b\u{1b}[2J"]);
        assert_eq!(text, format!("a]0;titleb[2J{RESET}"));
    }
}
