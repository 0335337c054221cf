//! Text without secrets: this project's own code and lock file, and what programs write by the megabyte: ids, hashes,
//! pictures in base64, tables, style sheets.

use std::fs;
use std::path::{Path, PathBuf};

use super::formats::Draw;

const HEX: &str = "0123456789abcdef";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const WORDS: [&str; 24] = [
    "token", "session", "value", "index", "render", "secret", "stream", "buffer", "count", "parse", "handle", "client",
    "access", "key", "password", "route", "layout", "cache", "model", "prompt", "usage", "header", "limit", "author",
];

/// Each text and where it is from.
pub fn texts() -> Vec<(String, String)> {
    let mut draw = Draw::new(4242);
    let mut texts = own();
    let had: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let rest = 5_050_000_usize.saturating_sub(had) / 6;
    for (name, line) in [
        ("ids", ids as fn(&mut Draw) -> String),
        ("hashes", hashes),
        ("pictures", picture),
        ("numbers", numbers),
        ("code", code),
        ("styles", styles),
    ] {
        let mut text = String::new();
        while text.len() < rest {
            text += &line(&mut draw);
        }
        texts.push((name.to_owned(), text));
    }
    texts
}

/// The sources of this project but for those that are about secrets.
fn own() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> =
        ["src", "benches", "providers", "pricing", "examples"].map(|at| root.join(at)).into();
    let mut texts = vec![("Cargo.lock".to_owned(), fs::read_to_string(root.join("Cargo.lock")).expect("a lock file"))];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> =
            fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        entries.sort();
        for path in entries {
            let name = path.strip_prefix(root).expect("inside").to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with("src/redact")
                && let Ok(text) = fs::read_to_string(&path)
            {
                texts.push((name, text));
            }
        }
    }
    texts
}

fn uuid(draw: &mut Draw) -> String {
    [8, 4, 4, 4, 12].map(|count| draw.of(HEX, count)).join("-")
}

fn ids(draw: &mut Draw) -> String {
    let (id, trace, at) = (uuid(draw), draw.of(HEX, 32), 1_760_000_000_000 + draw.next(9_999_999_999));
    format!("{{\"id\":\"{id}\",\"trace_id\":\"{trace}\",\"at\":{at},\"request\":\"req_{}\"}}\n", draw.of(HEX, 24))
}

fn hashes(draw: &mut Draw) -> String {
    let sri = draw.of(BASE64, 86);
    format!(
        "{}  ./lib/{}.js\ncommit {}\n\"integrity\": \"sha512-{sri}==\",\nchecksum = \"{}\"\n",
        draw.of(HEX, 64),
        WORDS[draw.next(24)],
        draw.of(HEX, 40),
        draw.of(HEX, 64)
    )
}

fn picture(draw: &mut Draw) -> String {
    format!(
        "{{\"type\":\"image_url\",\"image_url\":{{\"url\":\"data:image/png;base64,{}\"}}}}\n",
        draw.of(BASE64, 40_000)
    )
}

fn numbers(draw: &mut Draw) -> String {
    format!(
        "{},{}.{},{},2026-{:02}-{:02}T{:02}:{:02}:07.{}Z,{}.{}.{}.{},{}\n",
        draw.next(1 << 40),
        draw.next(1000),
        draw.of("0123456789", 15),
        draw.next(100_000),
        draw.next(12) + 1,
        draw.next(28) + 1,
        draw.next(24),
        draw.next(60),
        draw.of("0123456789", 6),
        draw.next(256),
        draw.next(256),
        draw.next(256),
        draw.next(256),
        1_700_000_000 + draw.next(99_999_999),
    )
}

/// Names made of words that are often found beside secrets.
fn code(draw: &mut Draw) -> String {
    let mut word = || WORDS[draw.next(24)];
    let (a, b, c, d, e) = (word(), word(), word(), word(), word());
    let camel = format!("{a}{}{}{}{}", capital(b), capital(c), capital(d), capital(e));
    format!(
        "    let {a}_{b} = self.{c}_{d}_{e}(&{camel}, \"{a}-{b}.{c}\")?; // the {d} of {e}: {camel}\n\
         \x20   {a}_token: {b}_{c}_{d}_{e}_v2, secret = get_{a}_secret(\"{b}_{c}\"), password={d}.password,\n\
         \x20   <input type=\"password\" name=\"{a}_{b}\" autocomplete=\"current-password\" class=\"{a}-{b}-{c}\">\n\
         api_key: ${{{{ secrets.{}_{}_API_KEY }}}}\n",
        a.to_uppercase(),
        b.to_uppercase()
    )
}

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

fn styles(draw: &mut Draw) -> String {
    format!(
        ".sk-{}-{}{{background:#{};margin:{}px -{}px;grid-area:1/{}/3/{}}}@media(min-width:{}px){{.hf_{}{{flex:1 1 0}}}}\n",
        WORDS[draw.next(24)],
        WORDS[draw.next(24)],
        draw.of(HEX, 6),
        draw.next(4000),
        draw.next(90),
        draw.next(20),
        draw.next(20),
        draw.next(2000),
        WORDS[draw.next(24)],
    )
}
