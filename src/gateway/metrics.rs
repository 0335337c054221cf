//! The page of counters: those of calls, and how things stand at this moment.

use std::sync::atomic::Ordering;

use super::Inner;
use super::budgets::Line;
use super::gate::Accounts;
use crate::accounts::Standing;
use crate::kit::Money;
use crate::telemetry::Page;
use crate::telemetry::exposition::Kind;

/// A family of amounts: its name, its help, and what it tells of a budget.
type OfBudget = (&'static str, &'static str, fn(&Line) -> Money);

/// The states of an account by their names.
const STANDINGS: [(Standing, &str); 6] = [
    (Standing::Ready, "ready"),
    (Standing::Cooling, "cooling"),
    (Standing::HalfOpen, "half_open"),
    (Standing::NoSecret, "no_secret"),
    (Standing::NeedsLogin, "needs_login"),
    (Standing::Disabled, "disabled"),
];

impl Inner {
    /// The page, as far as the gateway knows.
    pub(super) fn metrics(&self, accounts: Accounts) -> Page {
        let mut page = Page::default();
        self.books.telemetry.write(&mut page);
        let in_flight = self.books.in_flight.load(Ordering::Acquire);
        page.single("keywheel_in_flight", Kind::Gauge, "Calls under way.", in_flight as u64);
        page.single("keywheel_parked", Kind::Gauge, "Calls that wait for an account.", self.parking.parked() as u64);
        let lag = self.books.ledger.lag();
        let (queued, behind) = lag.map_or((0, 0), |lag| (lag.queued, lag.behind.as_micros()));
        let help = "Entries that wait to be written where the ledger is behind; 0 when all is well.";
        page.single("keywheel_ledger_lag_entries", Kind::Gauge, help, queued as u64);
        page.family("keywheel_ledger_lag_seconds", Kind::Gauge, "How long the oldest of them has waited.");
        page.seconds(&[], u64::try_from(behind).unwrap_or(u64::MAX));
        let (renewed, refused) = self.credentials.renewals();
        page.family("keywheel_refreshes_total", Kind::Counter, "Tokens asked of identity providers.");
        page.whole(&[("outcome", "renewed")], renewed);
        page.whole(&[("outcome", "failed")], refused);
        let help = "Prompts and answers that should have been kept and were not.";
        page.single("keywheel_bodies_dropped_total", Kind::Counter, help, self.books.capture.standing().dropped);
        self.accounts(accounts, &mut page);
        if accounts == Accounts::Shown {
            self.budgets(&mut page);
        }
        page
    }

    /// How each budget stands, by the part of it that has the least room: clients and sessions make no series.
    fn budgets(&self, page: &mut Page) {
        self.books.telemetry.meters.write_refusals(page);
        let lines = self.books.budgets.fullest(self.clock.now());
        let families: [OfBudget; 3] = [
            ("keywheel_budget_spent_usd", "What is spent of the fullest part of a budget.", |line| line.spent),
            ("keywheel_budget_reserved_usd", "What is set aside of it for calls under way.", |line| line.reserved),
            ("keywheel_budget_limit_usd", "What may be spent of each part of a budget.", |line| line.limit),
        ];
        for (name, help, of) in families {
            page.family(name, Kind::Gauge, help);
            for line in &lines {
                let (kind, per) = (line.kind.word(), line.per.word());
                page.usd(&[("budget", &line.name), ("kind", kind), ("per", per)], of(line));
            }
        }
    }

    /// Where accounts may not be named, how many there are in each state.
    fn accounts(&self, accounts: Accounts, page: &mut Page) {
        let rows = self.pool.rows();
        page.family("keywheel_accounts", Kind::Gauge, "Accounts by state.");
        for (standing, state) in STANDINGS {
            let count = rows.iter().filter(|row| row.standing == standing).count();
            page.whole(&[("state", state)], count as u64);
        }
        if accounts == Accounts::Hidden {
            return;
        }
        page.family("keywheel_account_state", Kind::Gauge, "1 for the state that an account is in.");
        for row in &rows {
            for (standing, state) in STANDINGS {
                let labels =
                    [("account", row.account.id.as_str()), ("provider", &row.account.provider), ("state", state)];
                page.whole(&labels, u64::from(row.standing == standing));
            }
        }
        page.family("keywheel_account_in_flight", Kind::Gauge, "Calls under way of an account.");
        for row in &rows {
            let labels = [("account", row.account.id.as_str()), ("provider", &row.account.provider)];
            page.whole(&labels, row.busy.into());
        }
    }
}
