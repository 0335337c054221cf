//! A bar that says how many parts of a work are done, for a person at a terminal.

use std::io::{self, Write};

/// How wide the bar is.
const WIDTH: usize = 24;

/// A bar on one line, drawn over and over.
pub struct Bar<W> {
    to: Option<W>,
    parts: usize,
}

impl<W: Write> Bar<W> {
    /// A bar for so many parts; nothing is drawn where nobody looks.
    pub const fn new(to: Option<W>, parts: usize) -> Self {
        Self { to, parts }
    }

    /// So many are done.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, done: usize) -> io::Result<()> {
        let (Some(to), parts @ 1..) = (&mut self.to, self.parts) else { return Ok(()) };
        let full = WIDTH * done.min(parts) / parts;
        write!(to, "\r{}{} {done}/{parts}", "█".repeat(full), "░".repeat(WIDTH - full))?;
        to.flush()
    }

    /// Leaves the line as it was.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn clear(&mut self) -> io::Result<()> {
        let Some(to) = &mut self.to else { return Ok(()) };
        write!(to, "\r\u{1b}[K")?;
        to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fills_part_by_part_and_leaves_nothing_behind() {
        let mut out = Vec::new();
        let mut bar = Bar::new(Some(&mut out), 3);
        (0..=3).for_each(|done| bar.draw(done).unwrap());
        bar.clear().unwrap();
        let text = String::from_utf8(out).unwrap();
        let drawn: Vec<(usize, &str)> = text
            .split('\r')
            .skip(1)
            .map(|line| (line.matches('█').count(), line.trim_start_matches(['█', '░'])))
            .collect();
        assert_eq!(drawn, [(0, " 0/3"), (8, " 1/3"), (16, " 2/3"), (24, " 3/3"), (0, "\u{1b}[K")]);
    }

    #[test]
    fn nothing_is_drawn_where_nobody_looks_or_nothing_is_to_be_done() {
        let mut bar = Bar::new(None::<Vec<u8>>, 3);
        bar.draw(1).and_then(|()| bar.clear()).unwrap();
        let mut out = Vec::new();
        Bar::new(Some(&mut out), 0).draw(0).unwrap();
        assert_eq!(out, b"");
    }
}
