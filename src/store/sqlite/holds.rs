//! The table of holds, and sums of what was spent, for budgets.

use rusqlite::{Connection, Row, Transaction, params};

use super::super::hold::{Hold, Spent};
use crate::kit::{CallId, Money, Time};

/// See `totals`: dollars and their fractions are summed apart.
const FRACTION: i128 = 1_000_000_000_000;
/// Ids are in the order of arrival, but the clock may have been set back meanwhile.
const SLACK_MS: i64 = 24 * 60 * 60 * 1000;

/// Puts a hold in, over an earlier one of the same call.
pub(super) fn write(step: &Transaction<'_>, id: CallId, hold: &Hold) -> rusqlite::Result<()> {
    let text = serde_json::to_string(hold).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let mut insert = step.prepare_cached("INSERT OR REPLACE INTO holds VALUES (?1, ?2)")?;
    insert.execute(params![id.as_bytes().as_slice(), text]).map(drop)
}

/// Takes the hold of a call out.
pub(super) fn remove(step: &Transaction<'_>, id: CallId) -> rusqlite::Result<()> {
    step.prepare_cached("DELETE FROM holds WHERE id = ?1")?.execute(params![id.as_bytes().as_slice()]).map(drop)
}

/// Every hold.
pub(super) fn all(reader: &Connection) -> rusqlite::Result<Vec<(CallId, Hold)>> {
    let mut select = reader.prepare_cached("SELECT id, hold FROM holds ORDER BY id")?;
    let read = |row: &Row<'_>| Ok((CallId::from_bytes(row.get(0)?), row.get::<_, String>(1)?));
    let rows = select.query_map([], read)?.collect::<Result<Vec<_>, _>>()?;
    // one that another version wrote in another way cannot be charged to anybody
    Ok(rows.into_iter().filter_map(|(id, text)| Some((id, serde_json::from_str(&text).ok()?))).collect())
}

/// What the calls since then cost, by all that a budget can ask for.
pub(super) fn spent(connection: &Connection, since: Time) -> rusqlite::Result<Vec<Spent>> {
    let sql = format!(
        "SELECT client, project, session_id, provider, account, model, sum(cost / {FRACTION}), sum(cost % {FRACTION}) \
         FROM calls WHERE id >= ?1 AND at >= ?2 AND cost IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params![first_id(since).as_slice(), since.as_micros()], |row| {
        let (dollars, fraction): (i64, i64) = (row.get(6)?, row.get(7)?);
        Ok(Spent {
            client: row.get(0)?,
            project: row.get(1)?,
            session_id: row.get(2)?,
            provider: row.get(3)?,
            account: row.get(4)?,
            model: row.get(5)?,
            cost: Money::from_pico(i128::from(dollars) * FRACTION + i128::from(fraction)),
        })
    })?;
    rows.collect()
}

/// The least id of a call that can have arrived then.
fn first_id(since: Time) -> [u8; 16] {
    let millis = u64::try_from((since.as_micros() / 1000).saturating_sub(SLACK_MS)).unwrap_or(0);
    let mut id = [0; 16];
    id[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    id
}
