//! The request path: plan a route, take an account, send, classify, try again or hand the answer back.

mod alpn;
pub mod answer;
mod attempt;
mod balance;
mod books;
pub mod budgets;
mod connecting;
mod dialectics;
mod dispatch;
mod drift;
pub mod exchange;
mod expect;
mod failure;
mod gate;
mod gauge;
mod journal;
mod lanes;
mod late;
mod line;
mod metrics;
mod models;
mod outlook;
mod parking;
mod probe;
mod prospect;
mod purse;
mod reason;
mod relay;
mod restore;
mod router;
mod secrets;
mod sending;
mod session;
mod tally;
mod till;
mod tries;
mod unnamed;
mod upstream;
mod worst;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use answer::{Answer, Trace};
pub use dialectics::PROVIDER as DIALECTICS;
pub use exchange::Courier;
pub use gate::{Accounts, Gate, ListedModel};
pub use parking::Waiting;
pub use probe::Proof;
pub use prospect::Prospect;

use crate::accounts::{Credentials, Pool};
use crate::catalog::prices::Prices;
use crate::config::{Account, Live, Settings};
use crate::history::Capture;
use crate::kit::{Clock, Fault, Time};
use crate::redact::Known;
use crate::store::{Ledger, LedgerError};
use crate::telemetry::{Page, Telemetry};
use crate::wire::{Call, Caller};
use relay::Line;

/// Answers calls with the accounts of its pool.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

/// What a gateway is made of.
pub struct Parts {
    /// The settings in force.
    pub settings: Live,
    /// What time it is.
    pub clock: Clock,
    /// The accounts.
    pub pool: Arc<Pool>,
    /// Where their secrets come from.
    pub credentials: Credentials,
    /// The secrets that no error may hold.
    pub known: Arc<Known>,
    /// What models cost.
    pub prices: Prices,
    /// Where calls are recorded.
    pub ledger: Arc<dyn Ledger>,
    /// Where their bodies are kept.
    pub capture: Capture,
}

struct Inner {
    settings: Live,
    clock: Clock,
    pool: Arc<Pool>,
    credentials: Credentials,
    known: Arc<Known>,
    books: Arc<books::Books>,
    upstream: upstream::Upstream,
    models: models::Directory,
    parking: parking::Parking,
    looks: secrets::Looks,
    started: Time,
}

impl Gateway {
    /// A gateway over these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { settings, clock, pool, credentials, known, prices, ledger, capture } = parts;
        let upstream = upstream::Upstream::new();
        let till = Arc::new(till::Till::new(prices));
        let (in_flight, telemetry, budgets): (_, _, Arc<budgets::Budgets>) = Default::default();
        let tally = tally::Tally::new(Arc::clone(&ledger), Arc::clone(&till), Arc::clone(&budgets));
        let books = Arc::new(books::Books { ledger, till, budgets, tally, capture, telemetry, in_flight });
        let models = models::Directory::default();
        let parking = parking::Parking::default();
        let started = clock.now();
        let looks = secrets::Looks::default();
        Self(Arc::new(Inner {
            settings,
            clock,
            pool,
            credentials,
            known,
            books,
            upstream,
            models,
            parking,
            looks,
            started,
        }))
    }

    /// Calls under way.
    pub fn in_flight(&self) -> usize {
        self.0.books.in_flight.load(Ordering::Acquire)
    }

    /// Calls that wait for an account.
    pub fn parked(&self) -> usize {
        self.0.parking.parked()
    }

    /// The lines of those calls.
    pub fn waiting(&self) -> Vec<Waiting> {
        self.0.parking.lines(self.0.clock.now())
    }

    /// What others are told of its calls.
    pub fn telemetry(&self) -> Arc<Telemetry> {
        Arc::clone(&self.0.books.telemetry)
    }

    /// What was known of an account's secret is looked up afresh, on a person's word.
    pub fn forget(&self, account: &Account) {
        self.0.credentials.forget(account);
    }

    /// Looks which accounts have a secret and which have not; reads files, and perhaps asks a keychain.
    pub async fn attend(&self) {
        self.0.attend(&self.0.settings.now()).await;
    }

    /// Renews an account's token now, on a person's word.
    pub async fn refresh(&self, account: &Account) -> Result<(), Fault> {
        self.0.credentials.force(account).await
    }

    /// Puts another price table in force; calls that end from now on are priced by it.
    pub fn reprice(&self, prices: Prices) {
        self.0.books.till.replace(prices);
    }

    /// Waits until the calls whose tokens are counted here are recorded with them, at most a few seconds. Blocking.
    pub fn settle(&self) {
        self.0.books.tally.settle();
    }

    /// Other settings are in force: history looks whether it can keep what they ask for.
    pub fn look_at_capture(&self) {
        self.0.books.capture.look();
    }

    /// Puts the budgets of these settings in force; new ones know what the ledger knows when this is done.
    pub async fn budget(&self, settings: &Settings) {
        let books = &self.0.books;
        books.budgets.apply(&*books.ledger, settings, self.0.clock.now()).await;
    }

    /// How every budget stands.
    pub fn budgets(&self) -> Vec<budgets::Line> {
        self.0.books.budgets.lines(self.0.clock.now())
    }

    /// Enters the calls that an earlier process did not live to see the end of; gives how many. Blocking; called once, before
    /// any call.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn recover(&self) -> Result<usize, LedgerError> {
        let ledger = &self.0.books.ledger;
        let holds = ledger.holds()?;
        let count = holds.len();
        for (id, hold) in holds {
            drop(ledger.settle(hold.interrupted(id)));
        }
        Ok(count)
    }

    /// Asks every provider whose models are not stated, and that was not asked within the last hour, for them.
    pub async fn refresh_models(&self) {
        self.0.refresh_models().await;
    }
}

impl Gate for Gateway {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(Arc::clone(&self.0).answer(call))
    }

    fn models(&self, caller: &Caller) -> Vec<ListedModel> {
        self.0.list(caller)
    }

    fn ready(&self) -> bool {
        let settings = self.0.settings.now();
        settings.providers.keys().any(|id| self.0.pool.serves(id))
    }

    fn metrics(&self, accounts: Accounts) -> Page {
        self.0.metrics(accounts)
    }
}

impl Inner {
    async fn answer(self: Arc<Self>, call: Call) -> Answer {
        let settings = self.settings.now();
        let line = Line {
            endpoint: call.endpoint.clone(),
            model: call.model.clone().unwrap_or_default(),
            created: call.at.as_secs(),
            keep_alive: settings.keep_alive,
        };
        let head = answer::Head { id: call.id, hide_account: call.caller.hide_account, clock: self.clock.clone() };
        if dialectics::takes(&call) {
            return dialectics::answer(self, call, head, line).await;
        }
        let held = call.stream && line.frame().is_some();
        let mut opening = Box::pin(Arc::clone(&self).open(call, Arc::clone(&settings)));
        let opened = if held {
            match tokio::time::timeout(settings.header_after, &mut opening).await {
                Ok(opened) => opened,
                Err(_) => return late::answer(&head, opening, line),
            }
        } else {
            opening.await
        };
        match opened {
            Ok(started) => head.good(started, line).await,
            Err(failed) => head.bad(&failed),
        }
    }
}
