//! What the TOML editor would lose: it knows only `LF`, while a file from Windows has `CRLF` and begins with a byte order
//! mark. An edit must leave both as they are.

const MARK: &str = "\u{feff}";

/// The text with `LF` alone and without a mark.
pub(super) fn plain(text: &str) -> String {
    text.strip_prefix(MARK).unwrap_or(text).replace("\r\n", "\n")
}

/// The edited text with the line endings of the text before: line by line where lines are the same from the top or from
/// the end, and in between when as many lines came as went; otherwise as most lines have it.
pub(super) fn like(before: &str, edited: &str) -> String {
    let (mark, before) = before.split_at(if before.starts_with(MARK) { MARK.len() } else { 0 });
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = edited.split_inclusive('\n').collect();
    let same = |(old, new): (&&str, &&str)| plain(old) == **new;
    let top = old.iter().zip(&new).take_while(|pair| same(*pair)).count();
    let rest = old.len().min(new.len()) - top;
    let end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|pair| same(*pair)).count();
    let windows = |line: &&&str| line.ends_with("\r\n");
    let mostly = old.iter().filter(windows).count() * 2 > old.len();
    let mut text = mark.to_owned() + &old[..top].concat();
    for (at, line) in new[top..new.len() - end].iter().enumerate() {
        let paired = old.get(top + at).filter(|_| old.len() == new.len());
        match line.strip_suffix('\n') {
            Some(line) if paired.map_or(mostly, |old| windows(&old)) => text.extend([line, "\r\n"]),
            _ => text.push_str(line),
        }
    }
    text + &old[old.len() - end..].concat()
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn new_lines_end_as_most_lines_do() {
        assert_eq!(like("a\r\nb\r\n", "a\nx\ny\nb\n"), "a\r\nx\r\ny\r\nb\r\n");
        assert_eq!(like("a\nb\n", "a\nx\nb\n"), "a\nx\nb\n");
        assert_eq!(like("a\r\nb\nc\n", "a\nx\nc\n"), "a\r\nx\nc\n");
        assert_eq!(like("a\r\n", ""), "");
    }
}
