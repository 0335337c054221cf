//! Where the keys come from that history is sealed with. The wiring knows; here it is only asked.

use std::sync::Arc;

use crate::kit::seal::Key;

/// The keys of one data key.
pub struct Keyed {
    /// Names the data key, and tells nothing about it.
    pub id: String,
    /// Seals bodies.
    pub bodies: Key,
    /// Makes the addresses by which equal bodies are known.
    pub addresses: Key,
}

/// Whoever knows the data key. Every method may read files or ask a keychain.
pub trait Keys: Send + Sync {
    /// The keys to seal with now; else why there are none, in words that say what to do.
    fn now(&self) -> Result<Arc<Keyed>, String>;

    /// The keys that belong to this id, also when the data key has changed since.
    fn by_id(&self, id: &str) -> Result<Arc<Keyed>, String>;
}
