//! Which entries have been kept for long enough: taken out in steps so small that no call waits for one.

use rusqlite::{Connection, Transaction, params};

use super::spent;
use crate::config::Keep;
use crate::kit::Time;

/// Entries that leave in one step, which takes about a millisecond.
const STEP: usize = 64;
/// Between two looks whether too many sessions of those that left are known.
const BETWEEN: u32 = 16;

/// What is left to take out.
#[derive(Default)]
pub(super) struct Pruner {
    /// The newest call that was recorded: time goes by as calls come.
    newest: Option<Time>,
    /// Whether the last look found nothing more.
    done: bool,
    /// How many steps there were.
    steps: u32,
    /// Whether the last one left too many sessions.
    crowded: bool,
}

impl Pruner {
    /// Notes when a call came.
    pub(super) fn recorded(&mut self, at: Time) {
        self.newest = self.newest.max(Some(at));
    }

    /// Another look is due.
    pub(super) const fn wake(&mut self) {
        self.done = false;
    }

    /// No step until the next look.
    pub(super) const fn rest(&mut self) {
        self.done = true;
    }

    /// Whether there may be something to take out.
    pub(super) const fn is_due(&self) -> bool {
        !self.done && self.newest.is_some()
    }

    /// Takes out a few of the oldest. `written` is how many came meanwhile, so that more leave than come.
    pub(super) fn step(&mut self, connection: &mut Connection, keep: Keep, written: usize) -> rusqlite::Result<()> {
        let Some(newest) = self.newest else { return Ok(()) };
        let step = connection.transaction()?;
        let age = i64::try_from(keep.age.as_micros()).unwrap_or(i64::MAX);
        let before = if is_too_large(&step, keep)? { i64::MAX } else { newest.as_micros().saturating_sub(age) };
        let most = STEP.max(written * 2);
        spent::leave(&step, before, most as i64)?;
        let sql = "DELETE FROM calls WHERE at < ?1 AND id IN (SELECT id FROM calls ORDER BY id LIMIT ?2)";
        let left = step.prepare_cached(sql)?.execute(params![before, most as i64])?;
        if self.crowded || self.steps.is_multiple_of(BETWEEN) {
            self.crowded = spent::trim(&step)?;
        }
        step.commit()?;
        self.steps = self.steps.wrapping_add(1);
        self.done = left < most && !self.crowded;
        Ok(())
    }
}

/// Whether the pages in use are more than may be.
fn is_too_large(step: &Transaction<'_>, keep: Keep) -> rusqlite::Result<bool> {
    let Some(most) = keep.size else { return Ok(false) };
    let pragma = |name: &str| step.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let used = (pragma("page_count")? - pragma("freelist_count")?).saturating_mul(pragma("page_size")?);
    Ok(u64::try_from(used).is_ok_and(|used| used > most))
}
