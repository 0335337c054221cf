//! Which models to ask first where the choice is ours: a small table, dated and reviewed, shipped inside the binary.

use std::sync::LazyLock;

use serde::Deserialize;

use super::glob::Glob;

/// The table as its file says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranks {
    /// The day on which people last went through it, `YYYY-MM-DD`.
    pub checked: String,
    apart: Vec<Glob>,
    ranks: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    model: Glob,
    rank: u8,
}

impl Ranks {
    /// The table that is shipped.
    pub fn shipped() -> &'static Self {
        static SHIPPED: LazyLock<Ranks> = LazyLock::new(|| {
            let text = include_str!("../../providers/reasoning/ranks.toml");
            // a test reads the file; were it broken all the same, models would merely have no rank
            toml::from_str(text).unwrap_or_else(|_| Ranks {
                checked: String::new(),
                apart: Vec::new(),
                ranks: Vec::new(),
            })
        });
        &SHIPPED
    }

    /// How well a model reasons, 1 to 100, by its name without the provider; `None` for one that is not in the table.
    pub fn of(&self, model: &str) -> Option<u8> {
        let name = model.to_ascii_lowercase();
        if self.is_apart(&name) {
            return None;
        }
        self.ranks.iter().find(|row| row.model.fits(&name)).map(|row| row.rank)
    }

    /// Whether a model is no partner in a conversation (embeddings, images, speech), or answers elsewhere than at
    /// chat/completions.
    pub fn is_apart(&self, model: &str) -> bool {
        let name = model.to_ascii_lowercase();
        self.apart.iter().any(|glob| glob.fits(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_ranks_are_dated_and_their_first_fitting_row_decides() {
        let ranks = Ranks::shipped();
        assert!(ranks.checked.starts_with("20") && ranks.ranks.len() > 30, "{}", ranks.checked);
        assert!(ranks.ranks.iter().all(|row| (1..=100).contains(&row.rank)));
        assert!(ranks.of("router/gpt-6.1-sol") > ranks.of("GPT-4o-mini"));
        assert_eq!(ranks.of("my-own-model"), None);
        assert!(ranks.is_apart("text-embedding-3-large") && !ranks.is_apart("gpt-6.1-sol"));
    }

    #[test]
    fn no_row_hides_behind_an_earlier_one() {
        let ranks = Ranks::shipped();
        for (at, row) in ranks.ranks.iter().enumerate() {
            let name = row.model.to_string().replace('*', "");
            let first = ranks.ranks.iter().position(|row| row.model.fits(&name));
            assert_eq!(first, Some(at), "{} is never reached", row.model);
        }
    }
}
