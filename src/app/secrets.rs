//! Which accounts have a secret, known for as long as the gateway runs: looked up when the settings or the vault have
//! changed, and when calls missed an account that had none.

use std::sync::Arc;
use std::time::Duration;

use crate::accounts::Pool;
use crate::config::{Live, Settings};
use crate::gateway::Gateway;
use crate::kit::{Clock, Time};
use crate::vault::{Stamp, Strongbox};

/// Between two looks whether the vault has changed while an account waits for that, and while none does.
const SOON: Duration = Duration::from_millis(250);
const LATER: Duration = Duration::from_secs(2);
/// Between two looks for the sake of calls that missed an account, since a look may ask a keychain.
const MISSED: Duration = Duration::from_secs(10);

/// What is looked at.
pub(super) struct Watch {
    gateway: Gateway,
    pool: Arc<Pool>,
    settings: Live,
    vault: Arc<Strongbox>,
    clock: Clock,
}

/// Over what the last look was, and when.
struct Looked {
    settings: Arc<Settings>,
    stamp: Stamp,
    at: Time,
}

impl Watch {
    /// Over the accounts of this gateway and this pool.
    pub(super) fn new(
        gateway: &Gateway,
        pool: &Arc<Pool>,
        settings: &Live,
        vault: &Arc<Strongbox>,
        clock: &Clock,
    ) -> Self {
        let (gateway, pool, vault) = (gateway.clone(), Arc::clone(pool), Arc::clone(vault));
        Self { gateway, pool, settings: settings.clone(), vault, clock: clock.clone() }
    }

    /// Looks as often as need be; never returns.
    pub(super) async fn keep(self) {
        let mut last: Option<Looked> = None;
        loop {
            // taken before the look: what changes meanwhile is looked at again
            let (settings, stamp) = (self.settings.now(), self.vault.stamp());
            let same = |last: &Looked| Arc::ptr_eq(&last.settings, &settings) && last.stamp == stamp;
            let fresh = last.as_ref().is_some_and(same);
            let due = last.as_ref().is_none_or(|last| self.clock.now() >= last.at.after(MISSED));
            if !fresh || (due && self.pool.missed_secret()) {
                self.gateway.attend().await;
                last = Some(Looked { settings, stamp, at: self.clock.now() });
            }
            tokio::time::sleep(if self.pool.awaits_vault() { SOON } else { LATER }).await;
        }
    }
}
