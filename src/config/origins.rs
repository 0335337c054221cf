//! What is in force and who said so.

use std::collections::BTreeMap;
use std::fmt;

use toml::{Table, Value};

use super::key::Key;
use super::layers::Layer;
use super::problem::Problem;
use super::read::Place;

/// Who set a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The layer.
    pub layer: Layer,
    /// The file and line, variable or flag; `None` for a default of the program.
    pub place: Option<Place>,
}

/// `built-in`, `user /home/ann/.config/keywheel/keywheel.toml:3`, `environment KEYWHEEL_LISTEN`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            None => write!(f, "{}", self.layer),
            Some(Place { file, line: None }) => write!(f, "{} {file}", self.layer),
            Some(Place { file, line: Some(line) }) => write!(f, "{} {file}:{line}", self.layer),
        }
    }
}

/// A setting in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its key, dotted.
    pub key: String,
    /// Its value as TOML, without the passwords of URLs.
    pub value: String,
    /// Who set it.
    pub origin: Origin,
}

/// Every setting in force with its origin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origins {
    table: Table,
    places: BTreeMap<Key, (Layer, Place)>,
}

impl Origins {
    pub(super) fn new(table: Table, places: BTreeMap<Key, (Layer, Place)>) -> Self {
        Self { table, places }
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// Every setting, sorted by key; lists are one value, except for accounts.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        self.collect(&Key::default(), &self.table, &mut rows);
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Who said something about `key`, or about what holds it.
    pub fn of(&self, key: &Key) -> Origin {
        let mut at = Some(key.clone());
        while let Some(key) = at {
            if let Some((layer, place)) = self.places.get(&key) {
                return Origin { layer: *layer, place: Some(place.clone()) };
            }
            at = key.parent();
        }
        Origin { layer: Layer::BuiltIn, place: None }
    }

    /// A problem at `key`, with the place where it was set.
    pub(super) fn problem(&self, key: &Key, message: impl Into<String>) -> Problem {
        let (file, line) = self.of(key).place.map_or((String::new(), None), |place| (place.file, place.line));
        Problem { line, key: key.to_string(), ..Problem::in_file(file, message) }
    }

    fn collect(&self, at: &Key, table: &Table, rows: &mut Vec<(Key, Row)>) {
        for (name, value) in table {
            let key = at.name(name);
            match value {
                Value::Table(table) if !table.is_empty() => self.collect(&key, table, rows),
                Value::Array(list) if list.iter().all(Value::is_table) && name == "accounts" => {
                    for (index, item) in list.iter().enumerate() {
                        self.collect(&key.index(index), item.as_table().unwrap_or(&Table::new()), rows);
                    }
                }
                value => {
                    let set = self.places.get(&key);
                    let layer = set.map_or(Layer::BuiltIn, |(layer, _)| *layer);
                    let origin = Origin { layer, place: set.map(|(_, place)| place.clone()) };
                    let row = Row { key: key.to_string(), value: masked(value).to_string(), origin };
                    rows.push((key, row));
                }
            }
        }
    }
}

/// The value without the user and password of any URL in it: settings are pasted into bug reports.
fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(mask_url(text)),
        Value::Array(list) => Value::Array(list.iter().map(masked).collect()),
        Value::Table(table) => Value::Table(table.iter().map(|(key, value)| (key.clone(), masked(value))).collect()),
        other => other.clone(),
    }
}

fn mask_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let host_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..host_ends].rfind('@') {
        Some(at) => format!("{scheme}://***{}", &rest[at..]),
        None => text.to_owned(),
    }
}
