//! Identifiers that sort by time.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Names one client request everywhere: header, ledger, log, error. UUIDv7, so newer ids sort later; shown without dashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(Uuid);

impl CallId {
    /// A new id for a call that begins now.
    #[expect(clippy::new_without_default, reason = "two ids are never equal, a default would pretend so")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The 16 bytes as the ledger stores them.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// An id read back from the ledger.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.simple())
    }
}

impl FromStr for CallId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::from_str(text).map(Self)
    }
}
