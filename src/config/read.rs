//! Reads one text against the schema: what is right becomes a table, everything that is wrong becomes a problem with
//! its line. A wrong value is left out, so that the rest can still be looked at.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Schema;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::key::Key;
use super::limits;
use super::problem::{Problem, nearest};

/// One text that says something about the settings.
pub(super) struct Source<'a> {
    /// The file, environment variable or flag.
    pub name: String,
    /// Whether its lines mean something to a person.
    pub lines: Lines,
    /// The text, TOML.
    pub text: String,
    /// What may stand in it.
    pub schema: &'a Schema,
    /// Where in the settings its top is: `providers.ID` for a provider's file.
    pub at: Key,
}

/// Whether lines of a text are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// It is a file.
    Shown,
    /// It is made of one environment variable or flag.
    Hidden,
}

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, environment variable or flag.
    pub file: String,
    /// The line, from 1.
    pub line: Option<usize>,
}

/// What a text says.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Its right values.
    pub table: Table,
    /// Where each of its keys stands, seen from the top of the settings.
    pub places: BTreeMap<Key, Place>,
}

/// Reads a text; `None` when it is not even TOML.
pub(super) fn read(source: &Source<'_>, problems: &mut Vec<Problem>) -> Option<Said> {
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    let mut reader = Reader { source, problems, places: BTreeMap::new() };
    if !errors.is_empty() {
        for error in errors {
            let line = error.span().and_then(|span| reader.line(span.start));
            let message = format!("not TOML: {}", error.message());
            reader.problems.push(Problem { line, ..Problem::in_file(&source.name, message) });
        }
        return None;
    }
    let names = source.at.names();
    if !names.is_empty() {
        reader.mark(&source.at, 0);
    }
    let table = reader.object(source.schema, document.get_ref(), 0, &source.at);
    let nest = |table, name: &&str| Table::from_iter([((*name).to_owned(), Value::Table(table))]);
    Some(Said { table: names.iter().rev().fold(table, nest), places: reader.places })
}

struct Reader<'a> {
    source: &'a Source<'a>,
    problems: &'a mut Vec<Problem>,
    places: BTreeMap<Key, Place>,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> Option<usize> {
        let before = self.source.text.as_bytes().get(..offset)?;
        (self.source.lines == Lines::Shown).then(|| 1 + memchr::memchr_iter(b'\n', before).count())
    }

    fn mark(&mut self, key: &Key, offset: usize) {
        let place = Place { file: self.source.name.clone(), line: self.line(offset) };
        self.places.insert(key.clone(), place);
    }

    fn wrong(&mut self, key: &Key, offset: usize, message: impl Into<String>, meant: Option<String>) {
        let problem = Problem::in_file(&self.source.name, message).meant(meant);
        self.problems.push(Problem { line: self.line(offset), key: key.to_string(), ..problem });
    }

    fn object(&mut self, schema: &Schema, table: &DeTable<'_>, start: usize, at: &Key) -> Table {
        let known = schema["properties"].as_object();
        let names = || known.into_iter().flatten().map(|(name, _)| name.as_str());
        let mut said = Table::new();
        for (name, value) in table {
            let key = at.name(name.get_ref());
            self.mark(&key, name.span().start);
            let below = known.and_then(|known| known.get(name.get_ref().as_ref()));
            let below =
                below.or_else(|| schema.get("additionalProperties").filter(|rest| **rest != Schema::Bool(false)));
            let Some(below) = below else {
                let meant = nearest(name.get_ref(), names());
                self.wrong(&key, name.span().start, "unknown key", meant);
                continue;
            };
            if let Some(value) = self.value(below, value, &key) {
                said.insert(name.get_ref().to_string(), value);
            }
        }
        for missing in schema["required"].as_array().into_iter().flatten().filter_map(Schema::as_str) {
            if !table.iter().any(|(name, _)| name.get_ref() == missing) {
                self.wrong(at, start, format!("`{missing}` is missing"), None);
            }
        }
        said
    }

    fn value(&mut self, schema: &Schema, value: &Spanned<DeValue<'_>>, key: &Key) -> Option<Value> {
        let start = value.span().start;
        match (schema["type"].as_str(), value.get_ref()) {
            (Some("object"), DeValue::Table(table)) => Some(Value::Table(self.object(schema, table, start, key))),
            (Some("array"), DeValue::Array(list)) => {
                if let Some(wrong) = limits::count(schema, list.len()) {
                    self.wrong(key, start, wrong, None);
                }
                let items = list.iter().enumerate();
                Some(Value::Array(items.filter_map(|(at, item)| self.item(schema, at, item, key)).collect()))
            }
            _ => {
                let plain = Value::deserialize(toml::de::ValueDeserializer::from(value.clone())).ok()?;
                self.checked(schema, plain, key, start)
            }
        }
    }

    fn item(&mut self, schema: &Schema, at: usize, item: &Spanned<DeValue<'_>>, list: &Key) -> Option<Value> {
        let key = list.index(at);
        self.mark(&key, item.span().start);
        self.value(schema["prefixItems"].get(at).unwrap_or(&schema["items"]), item, &key)
    }

    fn checked(&mut self, schema: &Schema, value: Value, key: &Key, start: usize) -> Option<Value> {
        match limits::check(schema, &value) {
            Ok(()) => Some(value),
            Err(wrong) => {
                self.wrong(key, start, wrong.message, wrong.nearest);
                None
            }
        }
    }
}
