//! What accounts have used and have left, as rows; and the end of a rest on a person's word.

use futures_util::future::join_all;

use super::test::chosen;
use crate::accounts::{Pool, Row};
use crate::config::Settings;
use crate::gateway::Gateway;
use crate::kit::window::Window;
use crate::operator::{Chosen, QuotaRow, QuotaWindow, Refusal};

/// The rows of these accounts, of all when none is named. Balances are asked of their providers where `refresh` says so.
pub(super) async fn rows(
    pool: &Pool,
    gateway: &Gateway,
    settings: &Settings,
    ids: &[String],
    refresh: bool,
) -> Result<Vec<QuotaRow>, Refusal> {
    let asked = chosen(settings, &Chosen::Ids(ids.to_vec()))?;
    let mut rows = pool.rows();
    rows.retain(|row| asked.is_empty() || asked.iter().any(|account| account.id == row.account.id));
    let rows = rows.iter().map(|row| async move {
        let told = if refresh { gateway.balance(&row.account).await.transpose() } else { None };
        let mut quota = row_of(pool, row);
        match told {
            Some(Ok(balance)) => quota.balance = Some(balance),
            Some(Err(fault)) => quota.balance_error = Some(fault.to_string()),
            None => {}
        }
        quota
    });
    Ok(join_all(rows).await)
}

/// Ends the cooldowns of these accounts; says which.
pub(super) fn heal(pool: &Pool, gateway: &Gateway, settings: &Settings, asked: &Chosen) -> Result<String, Refusal> {
    let accounts = chosen(settings, asked)?;
    for account in &accounts {
        gateway.forget(account);
        pool.heal(&account.id);
    }
    let ids: Vec<&str> = accounts.iter().map(|account| account.id.as_str()).collect();
    Ok(format!("{}: every cooldown is ended", ids.join(", ")))
}

fn row_of(pool: &Pool, row: &Row) -> QuotaRow {
    let account = &row.account;
    let set = |what: &str, limit: Option<u64>, used: Option<u64>| {
        Some(QuotaWindow {
            what: what.to_owned(),
            model: None,
            source: "settings".to_owned(),
            limit: Some(limit?),
            used,
            left: used.and_then(|used| Some(limit?.saturating_sub(used))),
            reset: None,
        })
    };
    let limits = &account.limits;
    let mine = [
        set("requests of this minute", limits.rpm.map(u64::from), None),
        set("tokens of this minute", limits.tpm, None),
        set("calls at once", limits.concurrency.map(u64::from), Some(u64::from(row.busy))),
    ];
    let learned = pool.windows(&account.id).into_iter().map(|(model, window)| told(model, &window));
    QuotaRow {
        account: account.id.clone(),
        provider: account.provider.clone(),
        state: super::lists::word(row.standing).to_owned(),
        until: row.until.map(|at| at.to_string()),
        windows: learned.chain(mine.into_iter().flatten()).collect(),
        balance: None,
        balance_error: None,
    }
}

fn told(model: Option<Box<str>>, window: &Window) -> QuotaWindow {
    let used = window.limit.zip(window.left).map(|(limit, left)| limit.saturating_sub(left));
    QuotaWindow {
        what: format!("{}{}", window.what.word(), window.span.words()),
        model: model.map(String::from),
        source: "provider".to_owned(),
        limit: window.limit,
        used,
        left: window.left,
        reset: window.reset.map(|at| at.to_string()),
    }
}
