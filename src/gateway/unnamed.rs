//! What a client from whom accounts are kept reads of them: that there are some, and none of their names.

use crate::config::Settings;

/// The sentence without the names of accounts.
pub(super) fn unnamed(sentence: &str, settings: &Settings) -> String {
    let is_name = |word: &str| settings.accounts.iter().any(|account| account.id == word);
    let (mut said, mut rest) = (String::with_capacity(sentence.len()), sentence);
    while let Some(start) = rest.find(is_part) {
        said.push_str(&rest[..start]);
        rest = &rest[start..];
        let whole = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        // a dot may end a sentence
        let word = if is_name(whole) { whole } else { whole.trim_end_matches('.') };
        let word = if word.is_empty() { whole } else { word };
        rest = &rest[word.len()..];
        if !is_name(word) {
            said.push_str(word);
        } else if let Some(reason) = rest.strip_prefix(": ").filter(|_| said.ends_with('(') || said.ends_with("; ")) {
            // as the reasons of several accounts are listed
            rest = reason;
        } else if said.strip_suffix("account ").is_some_and(|before| !before.ends_with(is_part)) {
            said.truncate(said.len() - "account ".len());
            said.push_str("an account");
        } else {
            said.push_str("ID");
        }
    }
    said + rest
}

/// Whether it may stand in a name.
fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_from_whom_accounts_are_kept_reads_none_of_their_names() {
        let account = |id: &str| format!("[[accounts]]\nid = \"{id}\"\nprovider = \"sim\"\n");
        let text = ["one", "two", "lab-a", "lab"].map(account).concat();
        let settings = crate::config::parse(&text).expect("settings");
        for (said, kept) in [
            (
                "no account can take this call (one: it rests; two: the vault is locked); account two: wait",
                "no account can take this call (it rests; the vault is locked); an account: wait",
            ),
            (
                "account lab-a: the vault holds nothing under \"lab-a\"; put its key there: keywheel account add lab-a",
                "an account: the vault holds nothing under \"ID\"; put its key there: keywheel account add ID",
            ),
            (
                "the login of lab has ended; run: keywheel account login lab",
                "the login of ID has ended; run: keywheel account login ID",
            ),
            ("it is two.", "it is ID."),
            ("two-fold, one.5 and lab-b, not lab_a ... ", "two-fold, one.5 and lab-b, not lab_a ... "),
        ] {
            assert_eq!(unnamed(said, &settings), kept);
        }
    }
}
