//! `account test`: through the running gateway, whose environment and vault its calls use; where none runs, by a gateway
//! without doors.

use std::sync::Arc;

use super::failure::Failure;
use super::tokens::Wires;
use super::{env, on_one_core, questions, settings, vault};
use crate::accounts::{Credentials, Pool};
use crate::catalog::prices::Prices;
use crate::cli::account::TestAccounts;
use crate::cli::{Exit, Lines, show};
use crate::config::{Live, Paths, SecretSource, Settings};
use crate::gateway::{Gateway, Parts};
use crate::history::Capture;
use crate::kit::Clock;
use crate::operator::{Ask, Chosen, Reply, TestRow};
use crate::ops;
use crate::redact::Known;
use crate::store::Memory;
use crate::vault::{Source, Strongbox};

/// Tries the accounts, shows how they did, and fails when one of them failed.
pub(super) fn run(asked: &TestAccounts, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let chosen = asked.chosen.record();
    let rows = match questions::ask_if_running(paths, Ask::Test(chosen.clone()))? {
        Some(Reply::Tested(rows)) => rows,
        Some(other) => return Err(questions::unexpected(&other)),
        None => alone(asked, &chosen, paths, lines)?,
    };
    show::tested(lines, asked.format, &rows)?;
    match rows.iter().filter(|row| !row.ok).count() {
        0 => Ok(()),
        failed => {
            let message = format!("{failed} of {} accounts cannot be used now", rows.len());
            Err(Failure { exit: Exit::Failed, message })
        }
    }
}

fn alone(asked: &TestAccounts, chosen: &Chosen, paths: &Paths, lines: &mut Lines<'_>) -> Result<Vec<TestRow>, Failure> {
    let settings = settings::loaded(paths)?.settings;
    let accounts = ops::chosen(&settings, chosen).map_err(Failure::new)?;
    let vault = vault::of(&settings, paths);
    let locked = accounts.iter().any(|account| matches!(account.secret, SecretSource::Vault(_)));
    if locked && vault.status().is_ok() {
        vault::open(&vault, &asked.passphrase, lines)?;
    }
    on_one_core(async {
        let clock = Clock::system();
        let gateway = without_doors(settings.clone(), &clock, Arc::new(vault));
        ops::test(&gateway, &settings, &clock, chosen).await.map_err(Failure::new)
    })
}

/// A gateway that nobody can call and that remembers nothing.
fn without_doors(settings: Settings, clock: &Clock, vault: Arc<Strongbox>) -> Gateway {
    let pool = Pool::new(clock.clone());
    pool.apply(&settings);
    let settings = Live::new(settings);
    let source = Arc::new(Source::new(env, clock.clone()).with(Arc::clone(&vault)));
    let known = Arc::new(Known::default());
    let credentials = Credentials::new(Arc::clone(&source));
    let wires = Wires {
        settings: settings.clone(),
        vault,
        source,
        known: Arc::clone(&known),
        clock: clock.clone(),
        pool: None,
    };
    Gateway::new(Parts {
        settings,
        clock: clock.clone(),
        pool,
        credentials: credentials.with_tokens(wires.refresher()),
        known,
        prices: Prices::default(),
        ledger: Arc::new(Memory::new()),
        capture: Capture::none(),
    })
}
