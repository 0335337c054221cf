//! Putting another configuration in force while calls run: checked first, and the last good one stays when it is broken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::env;
use crate::accounts::Pool;
use crate::catalog::prices::Prices;
use crate::config::{Live, Loaded, Overrides, Paths, Settings, discover, load, pricing};
use crate::gateway::Gateway;
use crate::ops::{Doing, Helm};
use crate::store::Ledger;

/// What there is to know for reading the configuration again.
#[derive(Clone)]
pub(super) struct Sources {
    pub(super) paths: Paths,
    pub(super) overrides: Overrides,
}

impl Sources {
    /// Reads every layer and the prices, and looks for local servers; a few hundred milliseconds at most. The error says
    /// in sentences what is wrong.
    pub(super) async fn read(&self) -> Result<(Loaded, Prices), String> {
        let Self { paths, overrides } = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let loaded = load(&paths, &overrides, &env).map_err(|problems| problems.to_string())?;
            let prices = pricing::prices(&paths).map_err(|error| error.to_string())?;
            Ok::<_, String>((loaded, prices))
        });
        let read = read.await.unwrap_or_else(|defect| std::panic::resume_unwind(defect.into_panic()));
        let (mut loaded, prices) = read?;
        let found = discover::probe(discover::candidates(&loaded.settings)).await;
        loaded.settings.adopt(found);
        Ok((loaded, prices))
    }
}

/// Those to whom other settings are told.
pub(super) struct Governed {
    pub(super) pool: Arc<Pool>,
    pub(super) gateway: Gateway,
    pub(super) ledger: Arc<dyn Ledger>,
}

/// Takes the orders that concern the whole gateway.
pub(super) struct Wheel {
    sources: Sources,
    settings: Live,
    over: Governed,
    // an async mutex: a reload waits for local servers, and two at once could put the older one in force
    reloading: tokio::sync::Mutex<()>,
    // a std mutex: held to read or replace a few sentences
    words: Mutex<Words>,
    reloaded: Notify,
    stop: Notify,
}

/// What `status` warns of.
#[derive(Default)]
struct Words {
    failed: Option<String>,
    remarks: Vec<String>,
}

impl Wheel {
    /// Over settings that are in force already.
    pub(super) fn new(sources: Sources, settings: Live, over: Governed, remarks: Vec<String>) -> Self {
        over.ledger.keep(settings.now().ledger);
        Self {
            sources,
            settings,
            over,
            reloading: tokio::sync::Mutex::default(),
            words: Mutex::new(Words { failed: None, remarks }),
            reloaded: Notify::new(),
            stop: Notify::new(),
        }
    }

    /// Waits for the order to stop.
    pub(super) async fn stopped(&self) {
        self.stop.notified().await;
    }

    /// Waits for the next configuration that is put in force.
    pub(super) async fn turned(&self) {
        self.reloaded.notified().await;
    }

    /// Reloads and tells the log, for those whom nobody answers: a signal, a file that changed.
    pub(super) async fn reload_and_log(&self) {
        match self.turn().await {
            Ok(words) => tracing::info!("{words}"),
            Err(words) => tracing::error!("{words}"),
        }
    }

    async fn turn(&self) -> Result<String, String> {
        let _one_at_a_time = self.reloading.lock().await;
        let (loaded, prices) = self.sources.read().await.map_err(|problems| {
            let words = format!("the configuration in force stays, since the new one is not valid:\n{problems}");
            self.words().failed = Some(words.clone());
            words
        })?;
        let Loaded { settings, warnings, .. } = loaded;
        let mut done = format!("reloaded: {} accounts", settings.accounts.len());
        let remarks = self.remarks(&settings, warnings);
        for remark in &remarks {
            done.push_str("\nwarning: ");
            done.push_str(remark);
        }
        *self.words() = Words { failed: None, remarks };
        // a budget that is new counts what was spent before it is relied on
        self.over.gateway.budget(&settings).await;
        // accounts first: a call that plans by the new settings must find them
        self.over.pool.apply(&settings);
        self.over.ledger.keep(settings.ledger);
        self.settings.replace(settings);
        self.over.gateway.reprice(prices);
        self.over.gateway.look_at_capture();
        self.reloaded.notify_one();
        Ok(done)
    }

    /// The loader's warnings, and what only a new start can change.
    fn remarks(&self, new: &Settings, mut warnings: Vec<String>) -> Vec<String> {
        let old = self.settings.now();
        if old.listen != new.listen || old.tls != new.tls {
            warnings.push("other doors or certificate files are used after the next start".to_owned());
        }
        if old.vault != new.vault {
            warnings.push("another place of the vault is used after the next start".to_owned());
        }
        warnings
    }

    fn words(&self) -> MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Helm for Wheel {
    fn reload(&self) -> Doing<'_> {
        Box::pin(self.turn())
    }

    fn stop(&self) {
        self.stop.notify_one();
    }

    fn warnings(&self) -> Vec<String> {
        let words = self.words();
        words.failed.iter().chain(&words.remarks).cloned().collect()
    }
}
