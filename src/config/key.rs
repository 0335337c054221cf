//! The way to a value in the settings.

use std::fmt;

/// One step of the way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Into a table.
    Name(String),
    /// Into a list, from 0.
    Index(usize),
}

/// The way to a value; empty for the file as a whole. Shown dotted, quoted where TOML would quote:
/// `accounts[0].provider`, `models."gpt-4.1".route`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Vec<Part>);

impl Key {
    /// The way through these tables.
    pub fn of(names: &[&str]) -> Self {
        names.iter().fold(Self::default(), |key, name| key.name(name))
    }

    /// One step further, into a table.
    #[must_use]
    pub fn name(&self, name: &str) -> Self {
        self.step(Part::Name(name.to_owned()))
    }

    /// One step further, into a list.
    #[must_use]
    pub fn index(&self, at: usize) -> Self {
        self.step(Part::Index(at))
    }

    /// What holds this value; `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        let (_, held) = self.0.split_last()?;
        Some(Self(held.to_vec()))
    }

    /// The names on the way, without the places in lists.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().filter_map(|part| if let Part::Name(name) = part { Some(name.as_str()) } else { None }).collect()
    }

    fn step(&self, part: Part) -> Self {
        let mut parts = self.0.clone();
        parts.push(part);
        Self(parts)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            match part {
                Part::Index(index) => write!(f, "[{index}]")?,
                Part::Name(name) => write!(f, "{}{}", if at == 0 { "" } else { "." }, quoted(name))?,
            }
        }
        Ok(())
    }
}

fn quoted(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { name.to_owned() } else { toml::Value::from(name).to_string() }
}
