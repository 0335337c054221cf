//! A bar that says how many parts of a work are done, for a person at a terminal.

use std::io::{self, Write};

/// How wide the bar is.
const WIDTH: usize = 24;

/// A bar on one line, drawn over and over. It goes when it is dropped, also where its work is given up.
pub struct Bar<W: Write> {
    to: Option<W>,
    parts: usize,
    drawn: bool,
}

impl<W: Write> Bar<W> {
    /// A bar for so many parts; nothing is drawn where nobody looks.
    pub const fn new(to: Option<W>, parts: usize) -> Self {
        Self { to, parts, drawn: false }
    }

    /// So many are done.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, done: usize) -> io::Result<()> {
        let (Some(to), parts @ 1..) = (&mut self.to, self.parts) else { return Ok(()) };
        let full = WIDTH * done.min(parts) / parts;
        write!(to, "\r{}{} {done}/{parts}", "█".repeat(full), "░".repeat(WIDTH - full))?;
        self.drawn = true;
        to.flush()
    }

    /// Leaves the line as it was.
    fn clear(&mut self) -> io::Result<()> {
        let (Some(to), true) = (&mut self.to, std::mem::take(&mut self.drawn)) else { return Ok(()) };
        write!(to, "\r\u{1b}[K")?;
        to.flush()
    }
}

impl<W: Write> Drop for Bar<W> {
    fn drop(&mut self) {
        // a terminal that is gone has no line to clear
        drop(self.clear());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_of_it_stays_where_its_work_is_given_up() {
        let mut out = Vec::new();
        let work = async {
            let mut bar = Bar::new(Some(&mut out), 3);
            bar.draw(1).unwrap();
            std::future::pending::<()>().await;
        };
        tokio::time::timeout(std::time::Duration::from_millis(5), work).await.unwrap_err();
        assert!(out.ends_with(b" 1/3\r\x1b[K"), "{out:?}");
    }

    #[test]
    fn it_fills_part_by_part_and_leaves_nothing_behind() {
        let mut out = Vec::new();
        let mut bar = Bar::new(Some(&mut out), 3);
        (0..=3).for_each(|done| bar.draw(done).unwrap());
        drop(bar);
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
        bar.draw(1).unwrap();
        drop(bar);
        let mut out = Vec::new();
        Bar::new(Some(&mut out), 0).draw(0).unwrap();
        drop(Bar::new(Some(&mut out), 3));
        assert_eq!(out, b"");
    }
}
