//! Rust source as tokens, enough to tell code from comments and strings; not a parser.

/// A token that the floor plan looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A name or keyword.
    Word(String),
    /// A string literal without its quotes, escapes as written.
    Text(String),
    /// Any other sign; `::` is one.
    Sign(&'static str),
    /// A sign that no rule asks about.
    Other,
}

/// The tokens of a file with the line each begins on, up to its tests: those stand last and may name whom they like.
pub fn tokens(source: &str) -> Vec<(usize, Token)> {
    let source = source.split("\n#[cfg(test)]\n").next().unwrap();
    let mut rest = source;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let line = source[..source.len() - rest.len()].matches('\n').count() + 1;
        let (length, token) = next(rest, first);
        found.extend(token.map(|token| (line, token)));
        rest = &rest[length..];
    }
    found
}

fn next(rest: &str, first: char) -> (usize, Option<Token>) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), None);
    }
    if rest.starts_with("/*") {
        return (rest.find("*/").unwrap() + 2, None);
    }
    if let Some((length, text)) = string(rest) {
        return (length, Some(Token::Text(text.to_owned())));
    }
    if first == '\'' {
        return (character(rest), Some(Token::Other));
    }
    if first.is_alphanumeric() || first == '_' {
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        return (length, Some(Token::Word(rest[..length].to_owned())));
    }
    for sign in ["::", "{", "}", ",", ";", "*", "."] {
        if rest.starts_with(sign) {
            return (sign.len(), Some(Token::Sign(sign)));
        }
    }
    (first.len_utf8(), (!first.is_whitespace()).then_some(Token::Other))
}

/// A string literal of any kind at the beginning of `rest`: its length, and what it holds.
fn string(rest: &str) -> Option<(usize, &str)> {
    let after = ["br", "cr", "r", "b", "c", ""].into_iter().find_map(|kind| {
        let after = rest.strip_prefix(kind)?;
        after.trim_start_matches('#').starts_with('"').then_some((kind, after))
    });
    let (kind, after) = after?;
    let hashes = after.find('"')?;
    if hashes > 0 && !kind.ends_with('r') {
        return None;
    }
    let start = kind.len() + hashes + 1;
    let body = &rest[start..];
    let end = if kind.ends_with('r') {
        body.find(&format!("\"{}", "#".repeat(hashes))).unwrap()
    } else {
        let mut escaped = false;
        body.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })
        .unwrap()
    };
    Some((start + end + 1 + hashes, &body[..end]))
}

/// The length of a character literal, or of the quote alone where it begins a lifetime.
fn character(rest: &str) -> usize {
    let body = &rest[1..];
    if let Some(escaped) = body.strip_prefix('\\') {
        let skip = escaped.chars().next().unwrap().len_utf8();
        return 2 + skip + escaped[skip..].find('\'').unwrap() + 1;
    }
    match body.chars().next() {
        Some(c) if body[c.len_utf8()..].starts_with('\'') => 2 + c.len_utf8(),
        _ => 1,
    }
}
