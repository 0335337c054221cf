//! Identifiers that sort by time.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::{Builder, Uuid};

use super::{Clock, Time};

/// Names one client request everywhere: header, ledger, log, error. UUIDv7, so newer ids sort later; shown without dashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(Uuid);

impl CallId {
    /// A new id for a call that begins now.
    #[expect(clippy::new_without_default, reason = "two ids are never equal, a default would pretend so")]
    pub fn new() -> Self {
        let stamp = stamp();
        let mut rest = random();
        let [high, low] = u16::to_be_bytes((stamp & 0xfff) as u16);
        (rest[0], rest[1]) = (high, low);
        Self(Builder::from_unix_timestamp_millis(stamp >> 12, &rest).into_uuid())
    }

    /// The 16 bytes as the ledger stores them.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// When the call began, to the millisecond.
    pub fn made(&self) -> Time {
        let [a, b, c, d, e, f, ..] = *self.as_bytes();
        let millis = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        Time::from_micros(i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1000))
    }

    /// An id read back from the ledger.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

/// Milliseconds since the epoch with 12 bits of their fraction (RFC 9562, section 6.2, method 3); each call gets a later
/// one than those before it.
fn stamp() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let micros = u64::try_from(Clock::system().now().as_micros()).unwrap_or(0);
    let now = (micros / 1000) << 12 | (micros % 1000 * 4096 / 1000);
    let next = |last: u64| now.max(last + 1);
    next(LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last))).unwrap_or(0))
}

/// Ten random bytes. The system is asked for many at a time: a question costs as much as all else about an id.
fn random() -> [u8; 10] {
    thread_local! {
        static STORE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    STORE.with_borrow_mut(|store| {
        if store.len() < 10 {
            store.resize(1000, 0);
            if getrandom::fill(store).is_err() {
                // no system on which this runs refuses; the time alone still tells the ids of a process apart
                store.fill(0);
            }
        }
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&store[store.len() - 10..]);
        store.truncate(store.len() - 10);
        bytes
    })
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.simple())
    }
}

/// The characters that people see; in a packed form the 16 bytes.
impl Serialize for CallId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.as_bytes().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
        } else {
            <[u8; 16]>::deserialize(deserializer).map(Self::from_bytes)
        }
    }
}

impl FromStr for CallId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::from_str(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_and_sort_in_the_order_in_which_they_were_made() {
        let ids: Vec<CallId> = (0..5000).map(|_| CallId::new()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| id.0.get_version_num() == 7 && id.0.get_variant() == uuid::Variant::RFC4122));
        assert_ne!(ids[0].as_bytes()[8..], ids[1].as_bytes()[8..], "the rest is random");
    }
}
