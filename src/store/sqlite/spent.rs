//! What calls cost, for budgets that begin to count; and the table of what those cost that have left, by session. Budgets
//! over a time are counted from the sums by the hour, which know no sessions.

use rusqlite::{Connection, Transaction, params};

use super::super::{By, Over, Span, Spent};
use super::sums::FRACTION;
use super::totals;
use crate::kit::{Money, Time};

/// So many sessions are kept, those that were used last; budgets count no more of them either.
const MOST: i64 = 65_536;
/// So many are forgotten in one step.
const AT_ONCE: i64 = 2048;

/// The keys by which a budget can ask, and their order in what `totals` gives.
const KEYS: [By; 5] = [By::Client, By::Project, By::Provider, By::Account, By::Model];

/// What calls cost, by all that a budget can ask for.
pub(super) fn spent(connection: &Connection, over: Over) -> rusqlite::Result<Vec<Spent>> {
    match over {
        Over::Since(since) => since_then(connection, Span::since(since)),
        Over::Sessions => sessions(connection),
    }
}

/// Notes what the calls cost that leave now: those before this moment among so many of the oldest.
pub(super) fn leave(step: &Transaction<'_>, before: i64, most: i64) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO gone SELECT coalesce(session_id, ''), client, coalesce(project, ''), coalesce(provider, ''), \
         coalesce(account, ''), coalesce(model, ''), max(at), sum(cost / {FRACTION}), sum(cost % {FRACTION}) FROM calls \
         WHERE at < ?1 AND id IN (SELECT id FROM calls ORDER BY id LIMIT ?2) AND cost > 0 GROUP BY 1, 2, 3, 4, 5, 6 \
         ON CONFLICT DO UPDATE SET at = max(at, excluded.at), usd = usd + excluded.usd, pico = pico + excluded.pico"
    );
    step.prepare_cached(&sql)?.execute(params![before, most]).map(drop)
}

/// Forgets some of the sessions that were not used for longest, where there are too many. Whether more are to go.
pub(super) fn trim(step: &Transaction<'_>) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM gone WHERE session <> '' AND at <= \
               (SELECT at FROM gone WHERE session <> '' ORDER BY at DESC LIMIT 1 OFFSET ?1) \
               AND (session, client, project, provider, account, model) IN \
               (SELECT session, client, project, provider, account, model FROM gone WHERE session <> '' ORDER BY at LIMIT ?2)";
    Ok(step.execute(sql, [MOST, AT_ONCE])? as i64 == AT_ONCE)
}

fn since_then(connection: &Connection, span: Span) -> rusqlite::Result<Vec<Spent>> {
    let totals = totals::summed(connection, &KEYS, span)?;
    let spent = totals.into_iter().filter(|total| total.cost > Money::ZERO).filter_map(|total| {
        let [client, project, provider, account, route] = <[String; 5]>::try_from(total.keys).ok()?;
        let model = route.strip_prefix(&*provider).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned);
        let [project, provider, account] = [project, provider, account].map(named);
        Some(Spent {
            client,
            project,
            session_id: None,
            provider,
            account,
            model,
            cost: total.cost,
            last: Time::default(),
        })
    });
    Ok(spent.collect())
}

fn sessions(connection: &Connection) -> rusqlite::Result<Vec<Spent>> {
    let sql = format!(
        "SELECT session, client, project, provider, account, model, sum(usd), sum(pico), max(at) FROM (\
         SELECT coalesce(session_id, '') AS session, client, coalesce(project, '') AS project, \
         coalesce(provider, '') AS provider, coalesce(account, '') AS account, coalesce(model, '') AS model, \
         cost / {FRACTION} AS usd, cost % {FRACTION} AS pico, at FROM calls WHERE cost > 0 \
         UNION ALL SELECT session, client, project, provider, account, model, usd, pico, at FROM gone) \
         GROUP BY 1, 2, 3, 4, 5, 6"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map([], |row| {
        let (dollars, fraction): (i64, i64) = (row.get(6)?, row.get(7)?);
        Ok(Spent {
            session_id: named(row.get(0)?),
            client: row.get(1)?,
            project: named(row.get(2)?),
            provider: named(row.get(3)?),
            account: named(row.get(4)?),
            model: named(row.get(5)?),
            cost: Money::from_pico(i128::from(dollars) * FRACTION + i128::from(fraction)),
            last: Time::from_micros(row.get(8)?),
        })
    })?;
    rows.collect()
}

fn named(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
