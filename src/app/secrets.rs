//! Which accounts have a secret, known for as long as the gateway runs: looked up when the settings or the vault have
//! changed, and when calls missed an account that had none.

use std::sync::Arc;
use std::time::Duration;

use crate::accounts::Pool;
use crate::config::Live;
use crate::gateway::Gateway;
use crate::kit::{Clock, Time};
use crate::vault::Strongbox;

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

impl Watch {
    /// Over the accounts of this gateway and this pool.
    pub(super) fn new(
        (gateway, pool): (&Gateway, &Arc<Pool>),
        settings: &Live,
        vault: &Arc<Strongbox>,
        clock: &Clock,
    ) -> Self {
        let (gateway, pool, vault) = (gateway.clone(), Arc::clone(pool), Arc::clone(vault));
        Self { gateway, pool, settings: settings.clone(), vault, clock: clock.clone() }
    }

    /// Looks as often as need be; never returns.
    pub(super) async fn keep(self) {
        let mut last = None;
        loop {
            // taken before the look: what changes meanwhile is looked at again
            let seen = (self.settings.now(), self.vault.stamp());
            let known = |(settings, stamp, _): &(Arc<_>, _, Time)| Arc::ptr_eq(settings, &seen.0) && *stamp == seen.1;
            let fresh = last.as_ref().is_some_and(known);
            let due = last.as_ref().is_none_or(|(.., at): &(_, _, Time)| self.clock.now() >= at.after(MISSED));
            if !fresh || (due && self.pool.missed_secret()) {
                self.gateway.attend().await;
                last = Some((seen.0, seen.1, self.clock.now()));
            }
            tokio::time::sleep(if self.pool.awaits_vault() { SOON } else { LATER }).await;
        }
    }
}
