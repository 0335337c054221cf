//! One client as it stands in `clients.toml`, and as a door holds it.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::{KeyError, text};
use crate::kit::Time;
use crate::kit::file::{self, FileError};
use crate::serve::rate::Rate;
use crate::wire::Caller;

/// A client, without anything secret but hashes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRow {
    /// Its name.
    pub name: String,
    /// The eight characters by which its key is found.
    pub id: String,
    /// The SHA-256 of its key, in hexadecimal digits.
    pub hash: String,
    /// The only models it may call, as globs over `provider/model`; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When its key stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Requests a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpm: Option<u32>,
    /// Whether it is not told which account answered.
    #[serde(default)]
    pub hide_account: bool,
    /// The key before the last rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
}

/// A key that was rotated and still works for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    /// The SHA-256 of the key.
    pub hash: String,
    /// When it stops working.
    pub until: Timestamp,
}

/// The file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Store {
    #[serde(default)]
    client: Vec<KeyRow>,
}

/// Reads the store; a missing file is an empty one.
pub(super) fn read(path: &Path) -> Result<Vec<KeyRow>, KeyError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::Io("read", path.to_owned(), error).into()),
    };
    file::check_private(path)?;
    let damaged = |why: String| KeyError::Damaged(path.to_owned(), why);
    let store: Store = toml::from_str(&text).map_err(|error| damaged(error.to_string().trim_end().to_owned()))?;
    for row in &store.client {
        let hashes = [Some(&row.hash), row.previous.as_ref().map(|previous| &previous.hash)];
        if hashes.into_iter().flatten().any(|hash| text::unhex(hash).is_none()) {
            return Err(damaged(format!("the hash of client {:?} is not 64 hexadecimal digits", row.name)));
        }
    }
    Ok(store.client)
}

/// Replaces the store in one step.
pub(super) fn write(path: &Path, rows: Vec<KeyRow>) -> Result<(), KeyError> {
    const HEAD: &str =
        "# Client keys, written by `keywheel client`. Only hashes stand here; no key can be read out of it.\n\n";
    let store = Store { client: rows };
    let text = toml::to_string(&store).map_err(|error| KeyError::Damaged(path.to_owned(), error.to_string()))?;
    Ok(file::replace(path, format!("{HEAD}{text}").as_bytes())?)
}

/// A client as a door holds it: parsed once, checked often.
pub(super) struct Holder {
    pub(super) hash: [u8; 32],
    pub(super) previous: Option<([u8; 32], Time)>,
    pub(super) expires: Option<Time>,
    pub(super) caller: Arc<Caller>,
    pub(super) rate: Option<Arc<Rate>>,
}

impl Holder {
    /// From a row that `read` has checked; what `before` has used of the same rate limit stays used.
    pub(super) fn new(row: KeyRow, before: Option<&Self>) -> Self {
        let hash = |hex: &str| text::unhex(hex).unwrap_or_default();
        let rate = row.rpm.and_then(|rpm| {
            let old = before.and_then(|before| before.rate.clone()).filter(|rate| rate.per_minute() == rpm);
            old.or_else(|| Rate::new(rpm).map(Arc::new))
        });
        Self {
            hash: hash(&row.hash),
            previous: row.previous.map(|previous| (hash(&previous.hash), time(previous.until))),
            expires: row.expires.map(time),
            caller: Arc::new(Caller {
                name: row.name,
                models: row.models.iter().map(|glob| WildMatch::new(glob)).collect(),
                hide_account: row.hide_account,
            }),
            rate,
        }
    }
}

fn time(at: Timestamp) -> Time {
    Time::from_micros(at.as_microsecond())
}
