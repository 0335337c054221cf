//! Why a call is not sent, in words that say what was spent, what is left and what to do.

use std::sync::Arc;

use crate::config::Per;
use crate::kit::fault::Within;
use crate::kit::{Fault, Kind, Money, Time};

/// A hard budget that has no room for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The worst case does not fit.
    Spent(Full),
    /// Nobody knows what the call can cost.
    Unbounded {
        /// The budget.
        name: Arc<str>,
        /// What else may still take the call.
        within: Within,
    },
    /// The budget is new, and what the ledger knows of it is still being counted.
    Counting {
        /// The budget.
        name: Arc<str>,
    },
}

/// A budget at the moment in which it refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Full {
    /// The budget.
    pub name: Arc<str>,
    /// What was spent.
    pub spent: Money,
    /// What calls under way may yet cost.
    pub reserved: Money,
    /// What may be spent.
    pub limit: Money,
    /// What the call could cost.
    pub worst: Money,
    /// Over which time it counts.
    pub per: Per,
    /// When it begins anew.
    pub resets: Option<Time>,
    /// What else may still take the call.
    pub within: Within,
}

impl Refused {
    /// What a client is told. `why` says what keeps a call from having a worst case.
    pub fn fault(&self, why: &str) -> Fault {
        match self {
            Self::Spent(full) => full.fault(),
            Self::Unbounded { name, within } => {
                let words = format!(
                    "the budget {name} is a hard one, and what this call can cost is not known: {why}; or have the \
                     model named in allow_unpriced of [budgets.{name}]"
                );
                Fault::new(Kind::BudgetSpent(None, *within), words).code("budget_unbounded")
            }
            Self::Counting { name } => {
                let words = format!("what the budget {name} has spent is still being counted; try again in a second");
                Fault::new(Kind::LedgerLag, words)
            }
        }
    }

    /// The budget's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Spent(full) => &full.name,
            Self::Unbounded { name, .. } | Self::Counting { name } => name,
        }
    }

    /// What else may still take the call.
    pub const fn within(&self) -> Within {
        match self {
            Self::Spent(full) => full.within,
            Self::Unbounded { within, .. } => *within,
            Self::Counting { .. } => Within::All,
        }
    }
}

impl Full {
    fn fault(&self) -> Fault {
        let Self { name, spent, reserved, limit, worst, per, resets, within } = self;
        let resets_at = match (resets, per) {
            (Some(at), _) => format!("it resets at {at}"),
            (None, Per::Session) => "a new session begins anew".to_owned(),
            (None, _) => "it does not reset by itself".to_owned(),
        };
        let words = format!(
            "the budget {name} has no room for this call: {spent} of {limit} are spent, {reserved} set aside for calls \
             under way, and this one could cost {worst}; {resets_at}; ask for a shorter answer (max_tokens), or have \
             limit_usd of [budgets.{name}] raised"
        );
        Fault::new(Kind::BudgetSpent(*resets, *within), words)
    }
}
