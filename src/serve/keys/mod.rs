//! Client keys: who may call, checked against a snapshot that follows the file of hashes.
//!
//! A key reads `kw-<id>-<secret>`. The id finds the record, the SHA-256 of the whole key is compared in constant time.
//! Only hashes are stored, in `clients.toml`; a key's text is shown once, when it is made.

mod change;
mod error;
mod first;
mod record;
mod text;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use change::{KeyOptions, OVERLAP};
pub use error::KeyError;
pub use first::{First, KEY_FILE, STORE_FILE, ensure_first};
pub use record::KeyRow;

use self::record::Holder;
use super::rate::Wait;
use super::stamp::{self, Follow};
use crate::kit::{Clock, Time};
use crate::wire::Caller;

/// The client keys of one home.
pub struct Keys {
    path: PathBuf,
    clock: Clock,
    /// Replaced as a whole when the file changes, so that a check takes no lock.
    holders: ArcSwap<HashMap<String, Arc<Holder>>>,
}

/// Why a key was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No key was sent.
    #[error("this door needs a client key")]
    Missing,
    /// It is not one of ours.
    #[error("the client key is not known here")]
    Unknown,
    /// Its time is over, or it was rotated and its overlap is over.
    #[error("the client key has expired")]
    Expired,
}

impl Keys {
    /// Reads the store; a missing file is an empty one.
    ///
    /// # Errors
    /// When the file is open to other users, unreadable or not what `client add` writes.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        Self::open_at(path, Clock::system())
    }

    /// The same with a clock that a test moves by hand.
    pub fn open_at(path: &Path, clock: Clock) -> Result<Self, KeyError> {
        let keys = Self { path: path.to_owned(), clock, holders: ArcSwap::default() };
        keys.reload()?;
        Ok(keys)
    }

    /// The first of these keys that is good now. Clients send placeholders in one header and the key in another, so one
    /// wrong key does not spoil a right one.
    pub fn check<'k>(&self, presented: impl Iterator<Item = &'k str>) -> Result<Pass, Denied> {
        let holders = self.holders.load();
        let now = self.clock.now();
        let mut denied = Denied::Missing;
        for key in presented {
            match find(&holders, key, now) {
                Ok(holder) => return Ok(Pass(holder)),
                Err(Denied::Expired) => denied = Denied::Expired,
                Err(_) if denied == Denied::Missing => denied = Denied::Unknown,
                Err(_) => {}
            }
        }
        Err(denied)
    }

    /// Follows what other processes change, until the result is dropped. While the file cannot be read, the keys read
    /// last stay in force, and the log says why.
    pub fn follow(self: &Arc<Self>) -> Follow {
        let keys = Arc::clone(self);
        stamp::follow(vec![self.path.clone()], move || {
            if let Err(error) = keys.reload() {
                tracing::warn!("the client keys read last stay in force: {error}");
            }
        })
    }

    /// Reads the file again. Keys whose rate limit stays the same keep what they have used of it.
    fn reload(&self) -> Result<(), KeyError> {
        let rows = record::read(&self.path)?;
        let before = self.holders.load();
        let holders = rows.into_iter().map(|row| {
            let old = before.get(&row.id);
            (row.id.clone(), Arc::new(Holder::new(row, old.map(Arc::as_ref))))
        });
        self.holders.store(Arc::new(holders.collect()));
        Ok(())
    }
}

/// A key that was accepted.
pub struct Pass(Arc<Holder>);

impl Pass {
    /// Who is calling.
    pub fn caller(&self) -> Arc<Caller> {
        Arc::clone(&self.0.caller)
    }

    /// Counts one request against the key's rate limit, or says how long to wait.
    pub fn spend(&self) -> Result<(), Wait> {
        self.0.rate.as_ref().map_or(Ok(()), |rate| rate.spend())
    }
}

fn find(holders: &HashMap<String, Arc<Holder>>, key: &str, now: Time) -> Result<Arc<Holder>, Denied> {
    let holder = text::id(key).and_then(|id| holders.get(id)).ok_or(Denied::Unknown)?;
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let same = |hash: &[u8; 32]| bool::from(hash.as_slice().ct_eq(digest.as_slice()));
    let over = |until: Option<Time>| until.is_some_and(|until| until <= now);
    let current = same(&holder.hash);
    let previous = holder.previous.filter(|(hash, _)| same(hash));
    match (current, previous) {
        (true, _) if over(holder.expires) => Err(Denied::Expired),
        (true, _) => Ok(Arc::clone(holder)),
        (false, Some((_, until))) if over(holder.expires) || until <= now => Err(Denied::Expired),
        (false, Some(_)) => Ok(Arc::clone(holder)),
        (false, None) => Err(Denied::Unknown),
    }
}
