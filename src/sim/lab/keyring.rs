//! The keys that a lab has given out, and for how long they are good.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use super::Keys;
use crate::sim::persona;

/// All keys of a lab.
pub(super) struct Keyring {
    taken: Keys,
    keys: Mutex<Vec<Key>>,
}

struct Key {
    name: String,
    text: String,
    until: Option<Instant>,
}

/// A lab's keys in the hands of another.
#[derive(Clone)]
pub struct Ring(pub(super) Arc<Keyring>);

impl Ring {
    /// Takes a key of this name from now on, for this long.
    pub fn admit(&self, name: &str, text: &str, life: Duration) {
        self.0.give(name, text);
        let until = Instant::now() + life;
        let mut keys = self.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter_mut().filter(|key| key.text == text).for_each(|key| key.until = Some(until));
    }

    /// Takes this key no longer.
    pub fn refuse(&self, text: &str) {
        let mut keys = self.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter_mut().filter(|key| key.text == text).for_each(|key| key.until = Some(Instant::now()));
    }
}

impl Keyring {
    pub(super) const fn new(taken: Keys) -> Self {
        Self { taken, keys: Mutex::new(Vec::new()) }
    }

    /// Makes a key good, again if it had expired.
    pub(super) fn give(&self, name: &str, text: &str) -> String {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|key| key.text != text);
        keys.push(Key { name: name.to_owned(), text: text.to_owned(), until: None });
        text.to_owned()
    }

    pub(super) fn expire(&self, name: &str, wait: Duration) {
        let until = Instant::now() + wait;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter_mut().filter(|key| key.name == name).for_each(|key| key.until = Some(until));
    }

    pub(super) fn takes(&self, text: &str) -> bool {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match keys.iter().find(|key| key.text == text) {
            Some(key) => key.until.is_none_or(|until| Instant::now() < until),
            None => self.taken == Keys::Any,
        }
    }

    /// The name of the key in a request, whatever header carries it; empty when it is none of ours.
    pub(super) fn name(&self, headers: &HeaderMap) -> String {
        let plain = ["api-key", "x-api-key"].into_iter().filter_map(|name| headers.get(name)?.to_str().ok());
        let sent: Vec<&str> = persona::bearer(headers).into_iter().chain(plain).collect();
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let found = keys.iter().find(|key| sent.contains(&key.text.as_str()));
        found.map_or_else(String::new, |key| key.name.clone())
    }
}
