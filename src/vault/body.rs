//! What is sealed: the entries, and data keys that are no longer in use.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Item;
use super::data_key::DataKey;
use super::item::ItemKind;
use crate::kit::seal::{Key, SealError};
use crate::kit::{Secret, Time};

/// How many data keys are remembered after a re-key: what was sealed under older ones is lost.
const MAX_RETIRED: usize = 16;

/// The opened body.
#[derive(Default)]
pub(super) struct Body {
    pub items: BTreeMap<String, Item>,
    /// The newest last.
    pub retired: Vec<DataKey>,
}

impl Body {
    /// Remembers a data key that the vault itself will not use again.
    pub(super) fn retire(&mut self, key: DataKey) {
        self.retired.push(key);
        let surplus = self.retired.len().saturating_sub(MAX_RETIRED);
        self.retired.drain(..surplus);
    }

    /// The body as JSON, in one allocation of the right size: a growing buffer would leave pieces of secrets behind.
    pub(super) fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let items = self.items.iter().map(|(name, item)| (name.as_str(), Written::from(item))).collect();
        let retired = self.retired.iter().map(|key| key.key().bytes().as_slice()).collect();
        let body = WrittenBody { items, retired };
        let mut length = Length(0);
        serde_json::to_writer(&mut length, &body).map_err(|_| SealError::Length)?;
        let mut json = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer(&mut *json, &body).map_err(|_| SealError::Length)?;
        Ok(json)
    }

    pub(super) fn from_json(json: &[u8]) -> Option<Self> {
        let read: ReadBody = serde_json::from_slice(json).ok()?;
        let items = read.items.into_iter().map(|(name, item)| (name, item.into())).collect();
        let key = |bytes: Zeroizing<[u8; 32]>| DataKey::from_key(Key::new(*bytes));
        let retired = read.retired.into_iter().map(|bytes| key(Zeroizing::new(bytes))).collect();
        Some(Self { items, retired })
    }
}

/// Counts what would be written.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Serialize)]
struct WrittenBody<'a> {
    items: BTreeMap<&'a str, Written<'a>>,
    retired: Vec<&'a [u8]>,
}

#[derive(Deserialize)]
struct ReadBody {
    items: BTreeMap<String, Read>,
    #[serde(default)]
    retired: Vec<[u8; 32]>,
}

/// `Item` has no `Serialize`, so that it can be written nowhere but here.
#[derive(Serialize)]
struct Written<'a> {
    kind: ItemKind,
    secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refreshing: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Time>,
}

#[derive(Deserialize)]
struct Read {
    kind: ItemKind,
    secret: String,
    refresh: Option<String>,
    issued_at: Option<Time>,
    expires_at: Option<Time>,
    refreshing: Option<Time>,
    ended: Option<Time>,
}

impl<'a> From<&'a Item> for Written<'a> {
    fn from(item: &'a Item) -> Self {
        let Item { kind, ref secret, ref refresh, issued_at, expires_at, refreshing, ended } = *item;
        let (secret, refresh) = (secret.expose(), refresh.as_ref().map(Secret::expose));
        Self { kind, secret, refresh, issued_at, expires_at, refreshing, ended }
    }
}

impl From<Read> for Item {
    fn from(read: Read) -> Self {
        let Read { kind, secret, refresh, issued_at, expires_at, refreshing, ended } = read;
        let refresh = refresh.map(Secret::new);
        Self { kind, secret: Secret::new(secret), refresh, issued_at, expires_at, refreshing, ended }
    }
}
