//! The operator in process: answers every question a face may ask from the rooms that know.

mod budgets;
mod calls;
mod costs;
mod explain;
mod history;
mod legs;
mod lists;
mod merit;
mod place;
mod quota;
mod sentence;
mod test;
mod vault;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use calls::filter;
pub use costs::costs;
pub use explain::explain;
pub use history::{NothingKept, Shelf, exchanged};
pub use lists::provider_rows;
pub use test::{chosen, test};
pub use vault::without_key;

use crate::accounts::{Pool, Standing};
use crate::config::{Live, Settings};
use crate::gateway::Gateway;
use crate::kit::{Clock, Time};
use crate::operator::{Answering, Ask, Calling, LedgerLag, Operator, Placed, Refusal, Reply, Status};
use crate::store::{Entry, Filter, Ledger, LedgerError};
use crate::vault::Strongbox;

/// An order under way: what was done, or why not, in words.
pub type Doing<'a> = Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

/// What only the wiring can do.
pub trait Helm: Send + Sync {
    /// Reads the configuration again and puts it in force; a broken one changes nothing.
    fn reload(&self) -> Doing<'_>;

    /// Begins to stop; returns at once.
    fn stop(&self);

    /// What a person should know, in sentences: a reload that failed, settings that cannot work.
    fn warnings(&self) -> Vec<String>;
}

/// What the desk answers from.
pub struct Parts {
    /// The settings in force.
    pub settings: Live,
    /// The accounts.
    pub pool: Arc<Pool>,
    /// The request path.
    pub gateway: Gateway,
    /// The calls.
    pub ledger: Arc<dyn Ledger>,
    /// What was kept of their bodies.
    pub shelf: Arc<dyn Shelf>,
    /// The secrets.
    pub vault: Arc<Strongbox>,
    /// What only the wiring can do.
    pub helm: Arc<dyn Helm>,
    /// The open doors, as URLs.
    pub doors: Vec<String>,
    /// What time it is.
    pub clock: Clock,
    /// When the gateway started.
    pub started: Time,
}

/// Answers questions about the gateway of its parts.
pub struct Desk(Parts);

impl Desk {
    /// A desk over these parts.
    pub const fn new(parts: Parts) -> Self {
        Self(parts)
    }

    fn status(&self) -> Status {
        let rows = self.0.pool.rows();
        let mut warnings = self.0.helm.warnings();
        let ledger_lag = self.0.ledger.lag().map(|lag| LedgerLag {
            queued: lag.queued,
            behind_ms: u64::try_from(lag.behind.as_millis()).unwrap_or(u64::MAX),
            why: lag.why.unwrap_or_else(|| "the disk is slow".to_owned()),
        });
        warnings.extend(ledger_lag.as_ref().map(|LedgerLag { queued, behind_ms, why }| {
            format!("the ledger is {queued} calls and {} s behind: {why}", behind_ms / 1000)
        }));
        warnings.extend(history::warnings(self.0.shelf.standing(), self.0.clock.now()));
        let budgets = self.0.gateway.budgets();
        warnings.extend(budgets::warnings(&budgets));
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: self.0.started.to_string(),
            listen: self.0.doors.clone(),
            in_flight: self.0.gateway.in_flight(),
            parked: self.0.gateway.parked(),
            waiting: lists::waiting(&self.0.gateway),
            accounts_ready: rows.iter().filter(|row| row.standing == Standing::Ready).count(),
            accounts: rows.len(),
            budgets: budgets::notable(&budgets),
            warnings,
            ledger_lag,
        }
    }

    /// Reads the ledger off the async threads.
    async fn read<F>(&self, read: F) -> Result<Reply, Refusal>
    where
        F: FnOnce(&dyn Ledger) -> Result<Reply, Refusal> + Send + 'static,
    {
        let ledger = Arc::clone(&self.0.ledger);
        let read = tokio::task::spawn_blocking(move || read(&*ledger)).await;
        read.unwrap_or_else(|error| Err(Refusal::new(format!("the ledger could not be read: {error}"))))
    }

    async fn refresh(&self, settings: &Settings, id: &str) -> Result<Reply, Refusal> {
        let account = settings.account(id).ok_or_else(|| Refusal::new(format!("there is no account {id:?}")))?;
        self.0.gateway.refresh(account).await.map_err(|fault| Refusal::new(fault.to_string()))?;
        Ok(Reply::Done(format!("account {id} has a new token")))
    }

    /// Answers; which accounts have a secret is looked up before that is told, and after a person may have changed it.
    async fn attended(&self, ask: Ask) -> Result<Reply, Refusal> {
        let tells = matches!(ask, Ask::Status | Ask::Accounts | Ask::Quota { .. } | Ask::Models { .. });
        let changes = matches!(ask, Ask::Vault(_) | Ask::Heal(_) | Ask::Reload | Ask::RefreshAccount { .. });
        if tells {
            self.0.gateway.attend().await;
        }
        let reply = self.answer(ask).await;
        if changes {
            self.0.gateway.attend().await;
        }
        reply
    }

    async fn answer(&self, ask: Ask) -> Result<Reply, Refusal> {
        let settings = self.0.settings.now();
        match ask {
            Ask::Status => {
                let mut status = self.status();
                status.warnings.extend(vault::warning(&self.0.vault, &settings).await);
                Ok(Reply::Status(status))
            }
            Ask::Accounts => Ok(Reply::Accounts(lists::account_rows(&self.0.pool.rows(), self.0.clock.now()))),
            Ask::Providers => Ok(Reply::Providers(provider_rows(&settings))),
            Ask::Models { why } => {
                Ok(Reply::Models(lists::model_rows(&settings, &self.0.gateway, &self.0.pool.rows(), why)))
            }
            Ask::Requests { limit, failed, like } => {
                let filter = filter(limit, failed, like);
                self.read(move |ledger| requests(ledger, &filter)).await
            }
            Ask::Request { id } => self.read(move |ledger| request(ledger, &id)).await,
            Ask::Exchange { id } => {
                let shelf = Arc::clone(&self.0.shelf);
                self.read(move |ledger| exchanged(ledger, &*shelf, &id)).await
            }
            Ask::Costs { by, since, until } => self.read(move |ledger| costs(ledger, &by, since, until)).await,
            Ask::Budgets => Ok(Reply::Budgets(budgets::rows(&self.0.gateway.budgets()))),
            Ask::Explain { id } => self.read(move |ledger| explain(ledger, &id)).await,
            Ask::Reload => self.0.helm.reload().await.map(Reply::Done).map_err(Refusal::bad_config),
            Ask::RefreshAccount { id } => self.refresh(&settings, &id).await,
            Ask::Test(asked) => test(&self.0.gateway, &settings, &self.0.clock, &asked).await.map(Reply::Tested),
            Ask::Heal(asked) => quota::heal(&self.0.pool, &self.0.gateway, &settings, &asked).map(Reply::Done),
            Ask::Quota { ids, refresh } => {
                quota::rows(&self.0.pool, &self.0.gateway, &settings, &ids, refresh).await.map(Reply::Quota)
            }
            Ask::Vault(order) => vault::obey(&self.0.vault, order).await,
            Ask::Stop => {
                self.0.helm.stop();
                let pid = std::process::id();
                Ok(Reply::Done(format!("stopping pid {pid}; calls under way may finish")))
            }
        }
    }
}

impl Operator for Desk {
    fn ask(&self, ask: Ask) -> Answering<'_> {
        Box::pin(self.attended(ask))
    }

    fn call(&self, placed: Placed) -> Calling<'_> {
        Box::pin(place::place(&self.0.gateway, &self.0.clock, placed))
    }
}

/// Calls from a ledger, newest first. Blocking.
pub fn requests(ledger: &dyn Ledger, filter: &Filter) -> Result<Reply, Refusal> {
    let entries = ledger.list(filter).map_err(unreadable)?;
    let row = |entry: Entry| if legs::has(&entry) { legs::uncounted(calls::row(entry)) } else { calls::row(entry) };
    Ok(Reply::Requests(entries.into_iter().map(row).collect()))
}

/// One call from a ledger. Blocking.
pub fn request(ledger: &dyn Ledger, id: &str) -> Result<Reply, Refusal> {
    let entry = ledger.find(id).map_err(unreadable)?;
    let entry = entry.ok_or_else(|| Refusal::new(format!("no call has an id that begins with {id:?}")))?;
    let legs = if legs::has(&entry) { Some(legs::of(ledger, entry.id).map_err(unreadable)?) } else { None };
    let mut record = calls::record(entry);
    if let Some(legs) = legs {
        legs::put(&mut record, legs);
    }
    Ok(Reply::Request(record))
}

fn unreadable(error: LedgerError) -> Refusal {
    Refusal::new(error.to_string())
}
