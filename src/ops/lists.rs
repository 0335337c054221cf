//! Accounts, providers and models as the rows that faces show.

use std::collections::BTreeSet;

use super::merit;
use crate::accounts::{Row, Standing};
use crate::catalog::Provider;
use crate::config::Settings;
use crate::gateway::{DIALECTICS, Gate, Gateway, Waiting};
use crate::kit::Time;
use crate::operator::{AccountRow, Line, Merit, ModelRow, ProviderRow};
use crate::wire::Caller;

/// Accounts in the order of the configuration.
pub(super) fn account_rows(rows: &[Row], now: Time) -> Vec<AccountRow> {
    let row = |row: &Row| AccountRow {
        id: row.account.id.clone(),
        provider: row.account.provider.clone(),
        quota_group: row.account.quota_group.clone(),
        tags: row.account.tags.clone(),
        state: word(row.standing).to_owned(),
        reason: row.reason.clone(),
        since: row.since.as_ref().map(Time::to_string),
        until: row.until.as_ref().map(Time::to_string),
        says: super::sentence::of(row, now),
        busy: row.busy,
        used: row.used.as_ref().map(Time::to_string),
    };
    rows.iter().map(row).collect()
}

/// Every provider by id, with the number of its accounts.
pub fn provider_rows(settings: &Settings) -> Vec<ProviderRow> {
    let row = |provider: &Provider| ProviderRow {
        id: provider.id.clone(),
        name: provider.name.clone(),
        adapter: adapter(provider),
        base_url: provider.base_url.clone(),
        accounts: settings.accounts.iter().filter(|account| account.provider == provider.id).count(),
        origin: settings.provider_origins.get(&provider.id).cloned().unwrap_or_else(|| "shipped".to_owned()),
    };
    settings.providers.values().map(|provider| row(provider)).collect()
}

/// The models that can be called; with `why` also those that cannot, and the reason for each.
pub(super) fn model_rows(settings: &Settings, gateway: &Gateway, accounts: &[Row], why: bool) -> Vec<ModelRow> {
    let everyone = Caller::owner();
    let mut rows: Vec<ModelRow> = gateway
        .models(&everyone)
        .into_iter()
        .map(|model| ModelRow {
            why: standing(&model.provider, accounts),
            merit: merit::of(settings, gateway, &model.id),
            id: model.id,
            provider: model.provider,
            callable: true,
        })
        .collect();
    if why {
        let callable: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let missing: Vec<ModelRow> = settings
            .providers
            .values()
            .flat_map(|provider| offered(provider))
            .filter(|(id, _)| !callable.contains(id.as_str()))
            .map(|(id, provider)| ModelRow {
                id,
                provider: provider.id.clone(),
                callable: false,
                why: missing(provider, accounts),
                merit: Merit::default(),
            })
            .collect();
        rows.extend(missing);
        let broken = settings.models.keys().filter(|alias| !rows.iter().any(|row| row.id == **alias));
        let broken: Vec<ModelRow> = broken.map(|alias| alias_row(settings, alias)).collect();
        rows.extend(broken);
    }
    rows
}

/// The lines of calls that wait.
pub(super) fn waiting(gateway: &Gateway) -> Vec<Line> {
    let text = |at: Time| at.to_string();
    let line = |line: Waiting| Line {
        plan: line.plan,
        calls: line.calls,
        first: line.first.map(text),
        last: line.last.map(text),
    };
    gateway.waiting().into_iter().map(line).collect()
}

/// The models that a provider's data states; `provider/*` where they are asked of it.
fn offered(provider: &Provider) -> Vec<(String, &Provider)> {
    match &provider.models {
        Some(models) => models.iter().map(|model| (format!("{}/{model}", provider.id), provider)).collect(),
        None => vec![(format!("{}/*", provider.id), provider)],
    }
}

/// How many accounts of a provider can take a call now.
fn standing(provider: &str, accounts: &[Row]) -> String {
    if provider == DIALECTICS {
        return "models of other providers answer together".to_owned();
    }
    let own = accounts.iter().filter(|row| row.account.provider == provider);
    let (ready, all) =
        own.fold((0, 0), |(ready, all), row| (ready + usize::from(row.standing == Standing::Ready), all + 1));
    format!("{ready} of {all} accounts ready")
}

/// Why the models of a provider are not in the list.
fn missing(provider: &Provider, accounts: &[Row]) -> String {
    let mut own = accounts.iter().filter(|row| row.account.provider == provider.id).peekable();
    if own.peek().is_some() {
        let reasons: Vec<String> = own.map(|row| format!("{}: {}", row.account.id, reason(row))).collect();
        return reasons.join("; ");
    }
    match (provider.env_key.first(), &provider.discover) {
        (Some(variable), _) => {
            format!("no account; set {variable} and start keywheel again, or: keywheel account add")
        }
        (None, Some(place)) => format!("no account; nothing answers on {place}"),
        (None, None) => "no account; add one to the configuration".to_owned(),
    }
}

fn reason(row: &Row) -> String {
    match row.standing {
        Standing::Ready => "ready, but has not said which models it offers".to_owned(),
        other if row.reason.is_empty() => word(other).to_owned(),
        other => format!("{}, {}", word(other), row.reason),
    }
}

fn alias_row(settings: &Settings, alias: &str) -> ModelRow {
    let route = settings.models.get(alias).map(|alias| alias.route.join(", ")).unwrap_or_default();
    ModelRow {
        id: alias.to_owned(),
        provider: String::new(),
        callable: false,
        why: format!("no account for any of its routes: {route}"),
        merit: Merit::default(),
    }
}

/// The adapter's name as a provider's file writes it.
fn adapter(provider: &Provider) -> String {
    serde_json::to_value(provider.adapter).ok().and_then(|name| Some(name.as_str()?.to_owned())).unwrap_or_default()
}

pub(super) const fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Ready => "ready",
        Standing::Cooling => "cooling",
        Standing::HalfOpen => "half_open",
        Standing::NoSecret => "no_secret",
        Standing::NeedsLogin => "needs_login",
        Standing::Disabled => "disabled",
    }
}
