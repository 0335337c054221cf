//! Bars for people: as wide as the terminal, in eighths of a character.

use std::fmt;

/// The width where no terminal says another.
const WIDTH: u16 = 80;
/// The most that a bar's name takes of the width, in parts.
const NAME: usize = 3;
/// Parts of a character, from one eighth to seven.
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// Whether colours may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// No colours: nobody looks, or nobody wants them.
    Plain,
    /// Colours.
    Coloured,
}

/// One bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// What stands before it.
    pub name: String,
    /// How long it is, beside the others; negative ones have no length.
    pub amount: i128,
    /// What stands behind it.
    pub says: String,
}

/// Bars below each other.
pub struct Chart<'a> {
    /// The bars.
    pub bars: &'a [Bar],
    /// The terminal's width, where there is one.
    pub width: Option<u16>,
    /// Whether colours may be used.
    pub paint: Paint,
}

impl fmt::Display for Chart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = usize::from(self.width.unwrap_or(WIDTH).max(20));
        let longest = |of: fn(&Bar) -> &str| self.bars.iter().map(|bar| of(bar).chars().count()).max().unwrap_or(0);
        let name = longest(|bar| &bar.name).min(width / NAME);
        let says = longest(|bar| &bar.says).min(width / NAME);
        let room = width.saturating_sub(name + says + 2).max(1);
        let most = self.bars.iter().map(|bar| bar.amount).max().unwrap_or(0).max(1);
        let (on, off) = if self.paint == Paint::Coloured { ("\u{1b}[36m", "\u{1b}[0m") } else { ("", "") };
        for (at, bar) in self.bars.iter().enumerate() {
            let line = blocks(bar.amount, most, room);
            let gap = " ".repeat(room.saturating_sub(line.chars().count()));
            let end = if at + 1 == self.bars.len() { "" } else { "\n" };
            write!(f, "{:name$} {on}{line}{off}{gap} {:>says$}{end}", clip(&bar.name, name), clip(&bar.says, says))?;
        }
        Ok(())
    }
}

/// A bar of this amount where the largest takes all the room. What is not nothing is seen.
fn blocks(amount: i128, most: i128, room: usize) -> String {
    let room = i128::try_from(room).unwrap_or(1) * 8;
    // the ratio first: an amount times a width may be larger than any integer
    let eighths = match amount {
        ..=0 => 0,
        _ if most > i128::MAX / room => amount / (most / room),
        _ => (amount * room + most - 1) / most,
    };
    let eighths = usize::try_from(eighths.clamp(i128::from(amount > 0), room)).unwrap_or(0);
    let mut line = "█".repeat(eighths / 8);
    line.extend((eighths % 8).checked_sub(1).map(|part| EIGHTHS[part]));
    line
}

/// A text of at most so many characters; what is cut off shows.
fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, amount: i128) -> Bar {
        Bar { name: name.to_owned(), amount, says: format!("${amount}") }
    }

    #[test]
    fn bars_fit_the_width_and_the_smallest_is_seen() {
        let bars = [bar("first", 1000), bar("a name that is longer than its place", 500), bar("last", 1), bar("no", 0)];
        for width in [20, 33, 80, 200] {
            let text = Chart { bars: &bars, width: Some(width), paint: Paint::Plain }.to_string();
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines.iter().all(|line| line.chars().count() == usize::from(width)), "{width}:\n{text}");
            assert!(lines[2].contains(EIGHTHS) && !lines[3].contains(EIGHTHS), "{text}");
            assert!(lines[1].contains('…') || width == 200, "{text}");
        }
    }

    #[test]
    fn colours_come_only_where_they_may_and_huge_amounts_do_not_overflow() {
        let bars = [bar("a", i128::MAX), bar("b", i128::MAX / 2), bar("c", i128::MIN)];
        let chart = |paint| Chart { bars: &bars, width: None, paint }.to_string();
        assert!(!chart(Paint::Plain).contains('\u{1b}'));
        assert!(chart(Paint::Coloured).contains("\u{1b}[36m█"));
    }
}
