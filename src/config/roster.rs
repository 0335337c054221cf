//! Accounts put into the settings file and taken out of it, by the one writer.

use std::sync::Arc;

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value};

use super::settings::{Account, Limits, Settings};

/// An account that is to be written down. What is empty or `None` is not written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewAccount {
    /// Its id.
    pub id: String,
    /// The provider it belongs to.
    pub provider: String,
    /// The name of its secret in the vault; `None` for an account without a key.
    pub vault: Option<String>,
    /// Its own base URL.
    pub base_url: Option<String>,
    /// Accounts of one group share a limit.
    pub quota_group: Option<String>,
    /// Free words.
    pub tags: Vec<String>,
    /// Higher is taken first.
    pub priority: Option<i32>,
    /// Its share among equals.
    pub weight: Option<u32>,
    /// Local limits.
    pub limits: Limits,
    /// Its own outbound proxy.
    pub proxy: Option<String>,
    /// The only models it may be used for.
    pub models: Vec<String>,
}

impl Settings {
    /// The account of this id.
    pub fn account(&self, id: &str) -> Option<&Arc<Account>> {
        self.accounts.iter().find(|account| account.id == id)
    }
}

/// Adds accounts at the end, in this order.
pub fn add(document: &mut DocumentMut, accounts: &[NewAccount]) -> Result<(), String> {
    let list = document.entry("accounts").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    match list {
        Item::ArrayOfTables(tables) => accounts.iter().for_each(|account| tables.push(table(account))),
        Item::Value(Value::Array(array)) => {
            accounts.iter().for_each(|account| array.push(table(account).into_inline_table()));
        }
        _ => return Err("`accounts` is no list; mend that first".to_owned()),
    }
    Ok(())
}

/// Takes accounts out; refuses where one of them is not in the file.
pub fn remove(document: &mut DocumentMut, ids: &[&str]) -> Result<(), String> {
    let named = |id: Option<&str>| id.is_some_and(|id| ids.contains(&id));
    let (before, after) = match document.get_mut("accounts") {
        Some(Item::ArrayOfTables(tables)) => {
            let before = tables.len();
            tables.retain(|table| !named(table.get("id").and_then(Item::as_str)));
            (before, tables.len())
        }
        Some(Item::Value(Value::Array(array))) => {
            let before = array.len();
            let id = |value: &Value| value.as_inline_table()?.get("id")?.as_str().map(str::to_owned);
            array.retain(|value| !named(id(value).as_deref()));
            (before, array.len())
        }
        _ => (0, 0),
    };
    match before - after == ids.len() {
        true => Ok(()),
        false => Err(format!("not all of {} are in this file", ids.join(", "))),
    }
}

fn table(account: &NewAccount) -> Table {
    let mut table = Table::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            table.insert(key, Item::Value(value));
        }
    };
    let text = |text: &Option<String>| text.as_ref().map(Value::from);
    let list = |texts: &[String]| (!texts.is_empty()).then(|| Value::from(texts.iter().collect::<Array>()));
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    put("id", Some(Value::from(&account.id)));
    put("provider", Some(Value::from(&account.provider)));
    put("secret", account.vault.as_ref().map(|name| InlineTable::from_iter([("vault", name)]).into()));
    put("base_url", text(&account.base_url));
    put("quota_group", text(&account.quota_group));
    put("tags", list(&account.tags));
    put("priority", account.priority.map(|priority| i64::from(priority).into()));
    put("weight", account.weight.map(|weight| i64::from(weight).into()));
    let Limits { rpm, tpm, concurrency } = account.limits;
    let limits = [("rpm", rpm.map(u64::from)), ("tpm", tpm), ("concurrency", concurrency.map(u64::from))];
    let limits = limits.into_iter().filter_map(|(key, limit)| Some((key, number(limit?))));
    let limits: InlineTable = limits.collect();
    put("limits", (!limits.is_empty()).then(|| limits.into()));
    put("proxy", text(&account.proxy));
    put("models", list(&account.models));
    table
}
