//! Settings: layered, validated once, handed out as immutable snapshots, edited by one writer.
//!
//! `layers` finds the texts, `read` checks each against `schema` (made from `shape`), `merge` lays them over each other,
//! `check` turns the sum into `settings`, and `load` is the way through all of them.

mod accounts;
pub mod budgets;
pub mod capture;
mod check;
pub mod discover;
pub mod edit;
mod forms;
pub mod home;
mod key;
mod layers;
mod limits;
mod lines;
mod load;
mod merge;
pub mod oauth;
mod observed;
mod origins;
pub mod pricing;
mod problem;
mod read;
pub mod roster;
pub mod schema;
pub mod settings;
mod shape;
pub mod watch;
pub mod workflows;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use crate::catalog::Redact;
pub use budgets::{Budget, BudgetKind, Counts, Each, Per};
pub use capture::{Capture, CaptureMode};
pub use edit::{EditError, Edited, edit, undo};
pub use forms::Size;
pub use home::{Env, HomeError, Paths};
pub use layers::{Layer, Overrides, variables};
pub use load::{Loaded, check_provider, load, parse};
pub use oauth::Oauth;
pub use observed::Otlp;
pub use origins::{Origin, Origins, Row};
pub use problem::{Problem, Problems};
pub use read::Place;
pub use settings::{
    Account, Alias, ClientRules, Dialectic, Keep, Limits, Listen, Mode, Nation, Parking, SecretSource, Settings,
    Strategy, Tls, ToolsFor, VaultHome, VaultPlace,
};
pub use watch::{Watch, WatchError, watch};
pub use workflows::{AskRules, CommitRules, CommitStyle, ReviewRules, Trailer};

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
