//! Line endings: the TOML editor knows only `LF`, a file from Windows has `CRLF`, and an edit must leave both as they are.

/// The text with `LF` alone.
pub fn plain(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// The edited text with the line endings of the text before: the same where lines are the same from the top or from the
/// end, in between as most lines have it.
pub fn like(before: &str, edited: &str) -> String {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = edited.split_inclusive('\n').collect();
    let same = |(old, new): (&&str, &&str)| plain(old) == **new;
    let top = old.iter().zip(&new).take_while(|pair| same(*pair)).count();
    let rest = old.len().min(new.len()) - top;
    let end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|pair| same(*pair)).count();
    let windows = old.iter().filter(|line| line.ends_with("\r\n")).count() * 2 > old.len();
    let mut text = old[..top].concat();
    for line in &new[top..new.len() - end] {
        match line.strip_suffix('\n') {
            Some(line) if windows => text.extend([line, "\r\n"]),
            _ => text.push_str(line),
        }
    }
    text + &old[old.len() - end..].concat()
}
