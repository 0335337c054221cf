//! Walks over JSON text and checks all of it, without decoding any: where each top-level member stands.
//!
//! A request's body is mostly a few long strings full of escapes (a conversation, source text), and every agent sends it
//! again each turn. A parser stops at each escape; here a string is read in blocks of 64 bytes, each byte of which is one
//! bit in a few masks, so that only its end is a stop.

use std::ops::Range;

const BLOCK: usize = 64;

/// Calls `member` with the places of each key (with its quotes) and value of an object. `None` when the text is not one
/// JSON object; what is wrong is for a parser to say.
pub(super) fn object(text: &[u8], mut member: impl FnMut(Range<usize>, Range<usize>)) -> Option<()> {
    let mut scan = Scan { text, ascii: true };
    let mut at = scan.expect(scan.blank(0), b'{')?;
    if text.get(scan.blank(at)) == Some(&b'}') {
        at = scan.blank(at) + 1;
    } else {
        loop {
            let key = scan.blank(at);
            let value = scan.key(key)?;
            at = scan.value(value)?;
            // a key ends at its last quote, before the colon
            let quote = text[key..value].iter().rposition(|&byte| byte == b'"')?;
            member(key..key + quote + 1, value..at);
            at = scan.blank(at) + 1;
            match text.get(at - 1)? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
    }
    let whole = scan.blank(at) == text.len() && (scan.ascii || std::str::from_utf8(text).is_ok());
    whole.then_some(())
}

struct Scan<'a> {
    text: &'a [u8],
    /// Whether no other byte was seen in a string; elsewhere they are errors.
    ascii: bool,
}

impl Scan<'_> {
    fn blank(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count()
    }

    fn expect(&self, at: usize, byte: u8) -> Option<usize> {
        (*self.text.get(at)? == byte).then_some(at + 1)
    }

    /// From a key to where its value begins.
    fn key(&mut self, at: usize) -> Option<usize> {
        let inside = self.expect(at, b'"')?;
        let end = self.string(inside)?;
        let colon = self.expect(self.blank(end), b':')?;
        Some(self.blank(colon))
    }

    /// From a value to its end. A list of what is open stands in for recursion, which a hostile body could exhaust.
    fn value(&mut self, mut at: usize) -> Option<usize> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            at = match *self.text.get(at)? {
                b'"' => self.string(at + 1)?,
                b'-' | b'0'..=b'9' => self.number(at)?,
                b't' => self.word(at, b"true")?,
                b'f' => self.word(at, b"false")?,
                b'n' => self.word(at, b"null")?,
                bracket @ (b'{' | b'[') => {
                    // in ASCII the closing bracket comes two behind the opening one
                    let close = bracket + 2;
                    let inside = self.blank(at + 1);
                    if *self.text.get(inside)? == close {
                        inside + 1
                    } else {
                        open.push(close);
                        at = if close == b'}' { self.key(inside)? } else { inside };
                        continue;
                    }
                }
                _ => return None,
            };
            // behind a value: brackets that close, then a comma or the end
            loop {
                let Some(&close) = open.last() else { return Some(at) };
                at = self.blank(at) + 1;
                match *self.text.get(at - 1)? {
                    byte if byte == close => open.pop(),
                    b',' => {
                        at = self.blank(at);
                        if close == b'}' {
                            at = self.key(at)?;
                        }
                        break;
                    }
                    _ => return None,
                };
            }
        }
    }

    fn word(&self, at: usize, word: &[u8]) -> Option<usize> {
        self.text[at..].starts_with(word).then_some(at + word.len())
    }

    fn number(&self, mut at: usize) -> Option<usize> {
        let is = |at: usize, bytes: &[u8]| self.text.get(at).is_some_and(|byte| bytes.contains(byte));
        at += usize::from(is(at, b"-"));
        at = if is(at, b"0") { at + 1 } else { self.digits(at)? };
        if is(at, b".") {
            at = self.digits(at + 1)?;
        }
        if is(at, b"eE") {
            at += 1;
            at += usize::from(is(at, b"+-"));
            at = self.digits(at)?;
        }
        Some(at)
    }

    fn digits(&self, at: usize) -> Option<usize> {
        let count = self.text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(at + count)
    }

    /// From the first byte in a string to the one behind its closing quote.
    fn string(&mut self, mut at: usize) -> Option<usize> {
        // whether the byte before the block escapes its first one
        let mut escaping = false;
        loop {
            let mut copy = [b' '; BLOCK];
            let block = match self.text.get(at..).and_then(<[u8]>::first_chunk) {
                Some(block) => block,
                None => {
                    let rest = self.text.get(at..).filter(|rest| !rest.is_empty())?;
                    copy[..rest.len()].copy_from_slice(rest);
                    &copy
                }
            };
            let masks = Masks::of(block);
            let escaped = escaped(masks.backslash, &mut escaping);
            let quotes = masks.quote & !escaped;
            // the bits below the lowest quote, all where there is none
            let inside = quotes.wrapping_sub(1) & !quotes;
            if masks.control & inside != 0 || !self.escapes(at, block, escaped & inside) {
                return None;
            }
            self.ascii &= masks.ascii;
            if quotes != 0 {
                return Some(at + quotes.trailing_zeros() as usize + 1);
            }
            at += BLOCK;
        }
    }

    /// Whether each escaped byte of a block may be escaped.
    fn escapes(&self, at: usize, block: &[u8; BLOCK], mut escaped: u64) -> bool {
        let mut good = true;
        while escaped != 0 {
            let place = escaped.trailing_zeros() as usize;
            good &= ESCAPES[usize::from(block[place])];
            if block[place] == b'u' {
                let hex = self.text.get(at + place + 1..at + place + 5);
                good &= hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
            }
            escaped &= escaped - 1;
        }
        good
    }
}

/// What may stand behind a backslash.
const ESCAPES: [bool; 256] = {
    let (mut table, known) = ([false; 256], b"\"\\/bfnrtu");
    let mut at = 0;
    while at < known.len() {
        table[known[at] as usize] = true;
        at += 1;
    }
    table
};

/// What the bytes of a block are, the first byte in the lowest bit.
struct Masks {
    quote: u64,
    backslash: u64,
    /// Bytes that JSON allows in no string.
    control: u64,
    ascii: bool,
}

impl Masks {
    // the loops become vector instructions; each mask is put together from what they compared
    #[inline(always)]
    fn of(block: &[u8; BLOCK]) -> Self {
        let (mut quote, mut backslash, mut control, mut all) = ([0; BLOCK], [0; BLOCK], 0, 0);
        for (at, &byte) in block.iter().enumerate() {
            quote[at] = u8::from(byte == b'"');
            backslash[at] = u8::from(byte == b'\\');
            control |= u8::from(byte < 0x20);
            all |= byte;
        }
        let control = if control == 0 { 0 } else { mask(&block.map(|byte| u8::from(byte < 0x20))) };
        Self { quote: mask(&quote), backslash: mask(&backslash), control, ascii: all.is_ascii() }
    }
}

/// One bit for each byte, which is 0 or 1.
#[inline(always)]
fn mask(flags: &[u8; BLOCK]) -> u64 {
    let (words, _) = flags.as_chunks::<8>();
    // the product's highest byte holds the lowest bit of each of the eight
    let gathered = words.iter().map(|&word| u64::from_le_bytes(word).wrapping_mul(0x0102_0408_1020_4080) >> 56);
    gathered.enumerate().fold(0, |mask, (at, bits)| mask | bits << (at * 8))
}

/// The bytes that a backslash escapes: of each run of backslashes every second one, and what follows an odd run.
/// (Langdale and Lemire, "Parsing gigabytes of JSON per second", section 3.1.1.)
#[inline(always)]
fn escaped(backslash: u64, escaping: &mut bool) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let carried = u64::from(*escaping);
    if backslash | carried == 0 {
        return 0;
    }
    let backslash = backslash & !carried;
    let follows = backslash << 1 | carried;
    let odd_starts = backslash & !EVEN & !follows;
    let (even_runs, carry) = odd_starts.overflowing_add(backslash);
    *escaping = carry;
    (EVEN ^ (even_runs << 1)) & follows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_object(text: &[u8]) -> bool {
        object(text, |_, _| {}).is_some()
    }

    /// What a parser says of the same text.
    fn parses(text: &[u8]) -> bool {
        let object = text.trim_ascii_start().starts_with(b"{");
        object
            && std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
    }

    #[test]
    fn a_string_may_end_and_escape_at_every_place_of_a_block() {
        for length in 0..150 {
            let plain = "x".repeat(length);
            for (end, good) in [
                ("", true),
                ("\\\\", true),
                ("\\\"", true),
                ("\\\\\\\"", true),
                ("\\u00e9", true),
                ("\u{e9}", true),
                ("\\", false),
                ("\\x", false),
                ("\\u00g0", false),
                ("\u{1}", false),
                ("\n", false),
            ] {
                for text in [format!("{{\"a\":\"{plain}{end}\"}}"), format!("{{\"a\":\"{plain}{end}{plain}\" }}\n")] {
                    assert_eq!(parses(text.as_bytes()), good, "{text}");
                    assert_eq!(is_object(text.as_bytes()), good, "{text}");
                }
            }
            assert!(!is_object(format!("{{\"a\":\"{plain}").as_bytes()));
            assert!(!is_object(&[format!("{{\"a\":\"{plain}").as_bytes(), b"\xff\"}"].concat()));
        }
    }

    #[test]
    fn what_stands_outside_of_strings_is_checked_too() {
        let deep = |count: usize| format!("{{\"a\":{}{}}}", "[".repeat(count), "]".repeat(count));
        assert!(is_object(deep(100_000).as_bytes()));
        for value in ["1", "-0.5e+10", "[]", "{}", "[1,{\"b\":[true,false,null]} , \"c\"]", "1E5", "0"] {
            assert!(is_object(format!(" {{ \"a\" : {value} }}\r\n").as_bytes()), "{value}");
        }
        for value in
            ["01", "-", "1.", "1e", ".5", "+1", "[1,]", "[,]", "{\"b\"}", "{\"b\":1,}", "[}", "tru", "NaN", "/**/1"]
        {
            assert!(!is_object(format!("{{\"a\":{value}}}").as_bytes()), "{value}");
        }
    }

    proptest! {
        #[test]
        fn it_accepts_what_a_parser_accepts(
            pieces in proptest::collection::vec(
                proptest::sample::select(vec![
                    "{", "}", "[", "]", ",", ":", "\"", "\\", "\"a\":", "\"b\":", "1", "0", "-", ".", "e", "true", "null",
                    " ", "\n", "\\u00", "ff", "é", "\"text\"", "[]", "{}", "{\"a\":", "\\\"", "\u{1}",
                ]),
                0..24,
            ),
        ) {
            let text = format!("{{\"a\":{}}}", pieces.concat());
            prop_assert_eq!(is_object(text.as_bytes()), parses(text.as_bytes()), "{}", text);
        }
    }
}
