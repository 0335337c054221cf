//! Tokens that renew themselves, wired: the vault that keeps logins, the courier that asks, the pool that is told.

use std::sync::Arc;

use crate::accounts::refresh::Parts;
use crate::accounts::{Pool, Refresher};
use crate::config::Live;
use crate::gateway::Courier;
use crate::kit::Clock;
use crate::redact::Known;
use crate::vault::{Source, Strongbox};

/// What a refresher is wired from.
pub(super) struct Wires {
    pub(super) settings: Live,
    pub(super) vault: Arc<Strongbox>,
    pub(super) source: Arc<Source>,
    pub(super) known: Arc<Known>,
    pub(super) clock: Clock,
    /// Who is told; `None` outside of a gateway.
    pub(super) pool: Option<Arc<Pool>>,
}

impl Wires {
    /// Who asks identity providers.
    pub(super) fn courier(&self) -> Arc<Courier> {
        Arc::new(Courier::new(self.settings.clone(), Arc::clone(&self.known), self.clock.clone()))
    }

    /// The refresher.
    pub(super) fn refresher(self) -> Refresher {
        let exchange = self.courier();
        let Self { vault, source, clock, pool, .. } = self;
        Refresher::new(Parts { vault, source, exchange, clock, pool })
    }
}

/// Renews what is due, for as long as the gateway runs. A reload is seen at the next look.
pub(super) async fn keep(refresher: Refresher, settings: Live) {
    loop {
        let accounts = settings.now().accounts.clone();
        let wait = refresher.tend(&accounts).await;
        tokio::time::sleep(wait).await;
    }
}
