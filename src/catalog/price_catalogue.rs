//! Other people's catalogues, told apart by what they hold.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::value::RawValue;

use super::price_import::{ImportError, Imported};
use super::prices::Prices;
use super::{price_litellm, price_models_dev};

/// Reads LiteLLM's price map or models.dev's catalogue and lays what is new over the table.
///
/// # Errors
/// When it is neither.
pub fn import(text: &str, prices: &Prices, today: Date) -> Result<Imported, ImportError> {
    let entries: BTreeMap<String, &RawValue> =
        serde_json::from_str(text).map_err(|error| ImportError(error.to_string()))?;
    let any_has = |member: &str| {
        let has = |entry: &&RawValue| {
            serde_json::from_str::<BTreeMap<String, &RawValue>>(entry.get()).is_ok_and(|e| e.contains_key(member))
        };
        entries.values().any(has)
    };
    if any_has("litellm_provider") {
        price_litellm::import(text, prices, today)
    } else if any_has("models") {
        price_models_dev::import(text, prices, today)
    } else {
        Err(ImportError(
            "it is neither LiteLLM's model_prices_and_context_window.json nor models.dev's api.json".to_owned(),
        ))
    }
}
