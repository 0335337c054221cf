//! A lenient look at one level of a JSON object: what is missing or of another type is simply not there.

use std::borrow::Cow;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::kit::decimal;

/// The members of a JSON object, undecoded.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    raw: &'a str,
    members: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Fields<'a> {
    /// Reads an object; `None` for anything else, `null` among it.
    pub(super) fn parse(raw: &'a str) -> Option<Self> {
        if !raw.starts_with('{') {
            return None;
        }
        let mut reader = serde_json::Deserializer::from_str(raw);
        reader.deserialize_map(Members).ok().map(|members| Self { raw, members })
    }

    /// An object without members.
    pub(super) const fn empty() -> Self {
        Self { raw: "{}", members: Vec::new() }
    }

    /// The object's own text.
    pub(super) const fn raw(&self) -> &'a str {
        self.raw
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        // the last of equal keys: what most parsers see
        self.members.iter().rev().find(|(key, _)| key == name).map(|&(_, value)| value).filter(|&value| value != "null")
    }

    /// Whether a member stands there and is not `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A member that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        self.get(name).and_then(Self::parse)
    }

    /// A member that is a string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// The text of a member that is a number, or a string that holds one.
    pub(super) fn number(&self, name: &str) -> Option<&'a str> {
        let raw = self.get(name)?.trim_matches('"');
        raw.starts_with(|first: char| first.is_ascii_digit() || first == '-').then_some(raw)
    }

    /// A member that is a count; `12.0` is one too, negative numbers and fractions are not.
    pub(super) fn count(&self, name: &str) -> Option<u64> {
        u64::try_from(decimal::exact(self.number(name)?, 0).ok()?).ok()
    }

    /// A count that is zero when it is missing.
    pub(super) fn sum(&self, name: &str) -> u64 {
        self.count(name).unwrap_or_default()
    }

    /// The first of several names for the same count.
    pub(super) fn count_of(&self, names: &[&str]) -> Option<u64> {
        names.iter().find_map(|name| self.count(name))
    }

    /// The items of a member that is an array of objects.
    pub(super) fn list(&self, name: &str) -> Vec<Self> {
        let items: Vec<&'a RawValue> =
            self.get(name).and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default();
        items.into_iter().filter_map(|item| Self::parse(item.get())).collect()
    }
}

/// The text at a JSON pointer without escapes: `/choices/0/usage`.
pub(super) fn at<'a>(raw: &'a str, pointer: &str) -> Option<&'a str> {
    pointer.split('/').skip(1).try_fold(raw, |raw, step| match step.parse::<usize>() {
        Ok(index) if raw.starts_with('[') => {
            let items: Vec<&'a RawValue> = serde_json::from_str(raw).ok()?;
            items.get(index).map(|item| item.get())
        }
        _ => Fields::parse(raw)?.get(step),
    })
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de str)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            let value: &'de RawValue = map.next_value()?;
            members.push((key, value.get()));
        }
        Ok(members)
    }
}

/// A key, borrowed unless it holds escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
