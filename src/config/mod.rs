//! Settings: layered, validated once, handed out as immutable snapshots, edited by one writer.

pub mod settings;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use settings::{Account, Alias, ClientRules, Limits, Listen, Parking, SecretSource, Settings, Strategy, Tls};

/// The settings in force. Readers take a snapshot for one call; a reload swaps in the next one.
#[derive(Clone)]
pub struct Live(Arc<ArcSwap<Settings>>);

impl Live {
    /// Starts with these settings.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }

    /// The settings in force now.
    pub fn now(&self) -> Arc<Settings> {
        self.0.load_full()
    }

    /// Puts new settings in force; calls under way keep theirs.
    pub fn replace(&self, settings: Settings) {
        self.0.store(Arc::new(settings));
    }
}
