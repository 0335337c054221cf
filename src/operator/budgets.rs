//! How budgets stand, as faces show it.

use serde::{Deserialize, Serialize};

/// A budget, or one part of it that is counted by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetRow {
    /// Its name.
    pub budget: String,
    /// What this part is: `client laptop`, `session ses_1`; absent when all is counted together.
    pub of: Option<String>,
    /// `hard` or `soft`.
    pub kind: String,
    /// `day`, `month`, `session` or `total`.
    pub per: String,
    /// What was spent, USD as a decimal string.
    pub spent_usd: String,
    /// What is set aside for calls under way.
    pub reserved_usd: String,
    /// What may be spent.
    pub limit_usd: String,
    /// What is left for further calls; below 0 when more was spent than may be.
    pub left_usd: String,
    /// When it begins anew, RFC 3339; absent when it does not.
    pub resets_at: Option<String>,
}
