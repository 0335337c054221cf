//! Shortens a text that arrives bit by bit to the first sentence of each paragraph.

/// The state between two bits.
#[derive(Default)]
pub(super) struct Short {
    /// The first sentence of this paragraph has ended.
    told: bool,
    /// The last character, which may have ended it.
    last: Option<char>,
}

impl Short {
    /// What is kept of the next bit.
    pub(super) fn push(&mut self, text: &str) -> String {
        let mut kept = String::new();
        for c in text.chars() {
            let ended = matches!(self.last, Some('.' | '!' | '?' | '。')) && c.is_whitespace();
            if c == '\n' {
                if !matches!(self.last, None | Some('\n')) {
                    kept.push('\n');
                }
                self.told = false;
            } else if ended {
                self.told = true;
            }
            if !self.told && c != '\n' {
                kept.push(c);
            }
            self.last = Some(c);
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_of_each_paragraph_is_kept_however_the_text_is_cut() {
        let text = "First, 1.5 is more. Then more words! And more.\n\nSecond? No.\nThird without an end";
        let short = "First, 1.5 is more.\nSecond?\nThird without an end";
        for size in 1..text.len() {
            let (mut state, mut kept) = (Short::default(), String::new());
            let bits: Vec<char> = text.chars().collect();
            bits.chunks(size).for_each(|bit| kept += &state.push(&bit.iter().collect::<String>()));
            assert_eq!(kept, short, "in bits of {size}");
        }
    }
}
