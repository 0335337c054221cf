//! Takes `<think>…</think>` off the head of a text that arrives bit by bit.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// The state between two bits.
#[derive(Default)]
pub(super) enum Inline {
    /// Nothing has come that decides; what came is kept.
    #[default]
    Head,
    Held(String),
    /// Inside, with what may be the beginning of its end.
    Inside(String),
    /// All that still comes is the answer; blank lines before it are left out once.
    Over {
        blank: bool,
    },
}

impl Inline {
    /// What is passed on of the next bit.
    pub(super) fn push(&mut self, text: &str) -> String {
        match std::mem::take(self) {
            Self::Head => self.head(text.to_owned()),
            Self::Held(held) => self.head(held + text),
            Self::Inside(held) => self.inside(held + text),
            Self::Over { blank } => self.over(blank, text),
        }
    }

    /// What was kept back, once the text has ended.
    pub(super) fn end(&mut self) -> String {
        match std::mem::replace(self, Self::Over { blank: false }) {
            Self::Held(held) => held,
            _ => String::new(),
        }
    }

    fn head(&mut self, text: String) -> String {
        let begun = text.trim_start();
        if let Some(rest) = begun.strip_prefix(OPEN) {
            return self.inside(rest.to_owned());
        }
        if OPEN.starts_with(begun) {
            *self = if text.is_empty() { Self::Head } else { Self::Held(text) };
            return String::new();
        }
        *self = Self::Over { blank: false };
        text
    }

    fn inside(&mut self, text: String) -> String {
        if let Some((_, rest)) = text.split_once(CLOSE) {
            return self.over(true, rest);
        }
        let tail = (1..CLOSE.len()).rev().find(|size| text.ends_with(&CLOSE[..*size])).unwrap_or(0);
        *self = Self::Inside(CLOSE[..tail].to_owned());
        String::new()
    }

    fn over(&mut self, blank: bool, text: &str) -> String {
        let text = if blank { text.trim_start() } else { text };
        *self = Self::Over { blank: blank && text.is_empty() };
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_at_the_head_go_and_nothing_else_does_however_the_text_is_cut() {
        let cases = [
            ("\n<think>a < b </thin k>\n</think>\n\nThe <think>answer</think>.", "The <think>answer</think>."),
            ("plain <think>text</think>", "plain <think>text</think>"),
            ("<thin air", "<thin air"),
            ("<think>never ends", ""),
        ];
        for (text, left) in cases {
            for size in 1..=text.len() {
                let (mut state, mut kept) = (Inline::default(), String::new());
                text.as_bytes().chunks(size).for_each(|bit| kept += &state.push(&String::from_utf8_lossy(bit)));
                kept += &state.end();
                assert_eq!(kept, left, "{text} in bits of {size}");
            }
        }
    }
}
