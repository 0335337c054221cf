//! An entry as a row and back.

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Error, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::super::{Attempt, Context, Decision, Entry, Outcome};
use super::spend;
use crate::kit::{CallId, Time};

/// The columns in the order in which `write` binds and `read` takes them.
pub(super) const COLUMNS: &str = "id, tenant, at, client, endpoint, asked, provider, account, model, status, outcome, \
     stream, parked_us, first_byte_us, total_us, bytes_in, bytes_out, project, session_id, run_id, parent_id, \
     attempts, decisions, input, cache_read, cache_write, output, reasoning, buckets, answered, service_tier, cost, \
     listed, price, estimated, branch";

const INSERT: &str = "INSERT INTO calls VALUES \
     (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30,\
     ?31,?32,?33,?34,?35,?36) ON CONFLICT DO NOTHING";

/// Where the columns of `spend` begin.
const SPEND: usize = 23;
const BRANCH: usize = 35;

/// A value in the list of an attempt.
#[derive(Serialize)]
#[serde(untagged)]
enum Cell<'a> {
    None,
    Number(u64),
    Text(&'a str),
}

/// An attempt without the names of its members, which would double the row. Provider, account and model are left out
/// where they are those of the call, as they are for most; so are times that are not known. Those at the end are not
/// written at all.
/// `[start_us, status, head_us, first_us, last_us, connect_us, provider, account, model, fault, why]`
#[derive(Deserialize)]
struct AttemptCells<'a>(
    u64,
    #[serde(default)] Option<u16>,
    #[serde(default)] Option<u64>,
    #[serde(default)] Option<u64>,
    #[serde(default)] Option<u64>,
    #[serde(default)] Option<u64>,
    #[serde(default)] Option<Text<'a>>,
    #[serde(default)] Option<Text<'a>>,
    #[serde(default)] Option<Text<'a>>,
    #[serde(default)] Option<Text<'a>>,
    #[serde(default)] Option<Text<'a>>,
);
/// `[route, account, verdict]`
type DecisionCells<'a> = (Text<'a>, Text<'a>, Text<'a>);
type Text<'a> = std::borrow::Cow<'a, str>;

/// Where the rows of one step are written.
pub(super) struct Rows<'a> {
    step: &'a Transaction<'a>,
    insert: CachedStatement<'a>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(step: &'a Transaction<'a>) -> rusqlite::Result<Self> {
        Ok(Self { step, insert: step.prepare_cached(INSERT)? })
    }

    /// Puts an entry in. One of the same id that was there before is replaced, and given back.
    pub(super) fn put(&mut self, entry: &Entry) -> rusqlite::Result<Option<Entry>> {
        if write(&mut self.insert, entry)? == 1 {
            return Ok(None);
        }
        let id = entry.id.as_bytes().as_slice();
        let select = format!("SELECT {COLUMNS} FROM calls WHERE id = ?1");
        let earlier = self.step.prepare_cached(&select)?.query_row([id], read)?;
        self.step.prepare_cached("DELETE FROM calls WHERE id = ?1")?.execute([id])?;
        write(&mut self.insert, entry)?;
        Ok(Some(earlier))
    }
}

fn write(insert: &mut CachedStatement<'_>, entry: &Entry) -> rusqlite::Result<usize> {
    let attempts: Vec<Vec<Cell<'_>>> = entry.attempts.iter().map(|attempt| attempt_cells(entry, attempt)).collect();
    let decisions: Vec<DecisionCells<'_>> = entry.decisions.iter().map(decision_cells).collect();
    let context = &entry.context;
    let spend = spend::Cells::of(&entry.spend);
    let [input, cache_read, cache_write, output, reasoning, buckets, answered, tier, cost, listed, price, estimated] =
        spend.values();
    insert.execute(params![
        entry.id.as_bytes().as_slice(),
        entry.tenant,
        entry.at.as_micros(),
        entry.client,
        entry.endpoint,
        entry.asked,
        entry.provider,
        entry.account,
        entry.model,
        entry.status,
        entry.outcome.word(),
        entry.stream,
        signed(entry.parked_us),
        entry.first_byte_us.map(signed),
        signed(entry.total_us),
        signed(entry.bytes_in),
        signed(entry.bytes_out),
        context.project,
        context.session_id,
        context.run_id,
        context.parent_id.as_ref().map(|id| id.as_bytes().as_slice()),
        json(&attempts)?,
        json(&decisions)?,
        input,
        cache_read,
        cache_write,
        output,
        reasoning,
        buckets,
        answered,
        tier,
        cost,
        listed,
        price,
        estimated,
        context.branch,
    ])
}

/// An entry out of a row with `COLUMNS`.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let attempts: Vec<AttemptCells<'_>> = serde_json::from_str(row.get_ref(21)?.as_str()?).map_err(unreadable(21))?;
    let decisions: Vec<DecisionCells<'_>> = serde_json::from_str(row.get_ref(22)?.as_str()?).map_err(unreadable(22))?;
    let mut entry = Entry {
        id: CallId::from_bytes(row.get(0)?),
        tenant: row.get(1)?,
        at: Time::from_micros(row.get(2)?),
        client: row.get(3)?,
        endpoint: row.get(4)?,
        asked: row.get(5)?,
        provider: row.get(6)?,
        account: row.get(7)?,
        model: row.get(8)?,
        status: row.get(9)?,
        // the schema's CHECK leaves no other word
        outcome: Outcome::from_word(row.get_ref(10)?.as_str()?).unwrap_or(Outcome::Failed),
        stream: row.get(11)?,
        parked_us: unsigned(row.get(12)?),
        first_byte_us: row.get::<_, Option<i64>>(13)?.map(unsigned),
        total_us: unsigned(row.get(14)?),
        bytes_in: unsigned(row.get(15)?),
        bytes_out: unsigned(row.get(16)?),
        context: Context {
            project: row.get(17)?,
            session_id: row.get(18)?,
            run_id: row.get(19)?,
            parent_id: row.get::<_, Option<[u8; 16]>>(20)?.map(CallId::from_bytes),
            branch: row.get(BRANCH)?,
        },
        spend: spend::read(row, SPEND)?,
        attempts: Vec::new(),
        decisions: decisions.into_iter().map(decision).collect(),
        // they have a table of their own, and are read for one call only
        choices: Vec::new(),
    };
    entry.attempts = attempts.into_iter().map(|cells| attempt(&entry, cells)).collect();
    Ok(entry)
}

fn attempt_cells<'a>(entry: &Entry, attempt: &'a Attempt) -> Vec<Cell<'a>> {
    let number = |number: Option<u64>| number.map_or(Cell::None, Cell::Number);
    let text = |text: Option<&'a str>| text.map_or(Cell::None, Cell::Text);
    let own = |own: &'a str, call: &Option<String>| text((own != call.as_deref().unwrap_or_default()).then_some(own));
    let mut cells = vec![
        Cell::Number(attempt.start_us),
        number(attempt.status.map(u64::from)),
        number(attempt.head_us),
        number(attempt.first_us),
        number(attempt.last_us),
        number(attempt.connect_us),
        own(&attempt.provider, &entry.provider),
        own(&attempt.account, &entry.account),
        own(&attempt.model, &entry.model),
        text(attempt.fault.as_deref()),
        text(attempt.why.as_deref()),
    ];
    let known = cells.iter().rposition(|cell| !matches!(cell, Cell::None)).map_or(0, |last| last + 1);
    cells.truncate(known);
    cells
}

fn attempt(entry: &Entry, cells: AttemptCells<'_>) -> Attempt {
    let AttemptCells(start_us, status, head_us, first_us, last_us, connect_us, provider, account, model, fault, why) =
        cells;
    let or_call =
        |own: Option<Text<'_>>, call: &Option<String>| own.map_or_else(|| call.clone().unwrap_or_default(), Into::into);
    Attempt {
        provider: or_call(provider, &entry.provider),
        account: or_call(account, &entry.account),
        model: or_call(model, &entry.model),
        status,
        fault: fault.map(Into::into),
        why: why.map(Into::into),
        start_us,
        connect_us,
        head_us,
        first_us,
        last_us,
    }
}

fn decision_cells(decision: &Decision) -> DecisionCells<'_> {
    ((&decision.route).into(), (&decision.account).into(), (&decision.verdict).into())
}

fn decision((route, account, verdict): DecisionCells<'_>) -> Decision {
    Decision { route: route.into(), account: account.into(), verdict: verdict.into() }
}

fn json<T: Serialize>(cells: &[T]) -> rusqlite::Result<String> {
    serde_json::to_string(cells).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

fn unreadable(column: usize) -> impl FnOnce(serde_json::Error) -> Error {
    move |error| Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

/// SQLite's integers are signed; no duration and no body comes near the difference.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
