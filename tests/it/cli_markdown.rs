//! Markdown on a terminal: whatever a model writes, however it arrives.

use keywheel::cli::markdown::Markdown;
use proptest::collection::vec;
use proptest::prelude::*;

/// What a terminal of so many columns gets of these parts.
fn written(parts: &[&str], columns: usize) -> String {
    let mut out = Vec::new();
    let mut page = Markdown::new(&mut out).wide(columns);
    parts.iter().for_each(|part| page.push(part).unwrap());
    page.end().unwrap();
    String::from_utf8(out).unwrap()
}

/// The text without its colours.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// Its letters and digits; a table's row of rules has none, and a mark is none.
fn letters(text: &str) -> Vec<char> {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Pieces of which Markdown is made, and anything.
fn pieces() -> impl Strategy<Value = String> {
    let mark = prop::sample::select(vec![
        "\n",
        "\n",
        "\t",
        " ",
        "  ",
        "> ",
        "- ",
        "* ",
        "12. ",
        "# ",
        "*",
        "**",
        "`",
        "```",
        "~~~",
        "---",
        "| ",
        "|",
        "a | b",
        "|--|:",
        "\\|",
        "word",
        "語",
        "は。",
        "（",
        "👩\u{200d}👧",
        "é",
        "\u{1b}[2J",
        "\r",
    ]);
    let any = prop_oneof![6 => mark.prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    vec(any, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_or_loses_a_letter_wherever_it_is_cut(text in pieces(), cuts in vec(any::<prop::sample::Index>(), 0..4), columns in 1_usize..60) {
        let mut at: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(cut.index(text.len() + 1))).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        let parts: Vec<&str> = at.windows(2).map(|ends| &text[ends[0]..ends[1]]).collect();
        let shown = written(&parts, columns);
        prop_assert_eq!(letters(&plain(&shown)), letters(&text));
        prop_assert_eq!(shown, written(&[&text], columns));
    }
}

#[test]
fn a_quote_behind_tabs_goes_on_below_its_mark() {
    let text = plain(&written(&["\t\t> said of old times"], 12));
    assert_eq!(text, "\t\t│ said of\n│ old times");
}

#[test]
fn words_without_spaces_are_broken_and_arrive_one_by_one() {
    let text = "今日は、晴れです。「散歩」へ行く。";
    let shown = plain(&written(&[text], 10));
    assert_eq!(shown.replace('\n', ""), text);
    for line in shown.lines() {
        assert!(line.chars().count() <= 5, "{shown}");
        assert!(!line.starts_with(['、', '。', '」']) && !line.ends_with('「'), "{shown}");
    }
    let mut out = Vec::new();
    Markdown::new(&mut out).wide(10).push("晴れです").unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "晴れで", "all but the character that a mark may follow");
    // a family is one sign, and a word beside it stays whole
    let shown = plain(&written(&["word語word 👩\u{200d}👧"], 8));
    assert_eq!(shown, "word語\nword\n👩\u{200d}👧");
}
