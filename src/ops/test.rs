//! Tries accounts against their providers.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::config::{Account, Settings};
use crate::gateway::{Gateway, Proof};
use crate::kit::{Clock, Fault};
use crate::operator::{Chosen, Refusal, TestRow};

/// The accounts that are meant; refuses ids and tags that nobody has.
pub fn chosen(settings: &Settings, asked: &Chosen) -> Result<Vec<Arc<Account>>, Refusal> {
    let of = |what: String| Refusal::new(format!("{what}; run: keywheel account list"));
    match asked {
        Chosen::Tag(tag) => {
            let tagged = settings.accounts.iter().filter(|account| account.tags.contains(tag));
            let tagged: Vec<_> = tagged.cloned().collect();
            if tagged.is_empty() { Err(of(format!("no account has the tag {tag:?}"))) } else { Ok(tagged) }
        }
        Chosen::Ids(ids) => {
            let find =
                |id: &String| settings.account(id).cloned().ok_or_else(|| of(format!("there is no account {id:?}")));
            ids.iter().map(find).collect()
        }
    }
}

/// Probes them all at once.
pub async fn test(
    gateway: &Gateway,
    settings: &Settings,
    clock: &Clock,
    asked: &Chosen,
) -> Result<Vec<TestRow>, Refusal> {
    let probes = chosen(settings, asked)?.into_iter().map(|account| async move {
        let began = clock.now();
        let probed = gateway.probe(&account).await;
        let took_ms = u64::try_from(clock.now().since(began).as_millis()).unwrap_or(u64::MAX);
        row(&account, probed, took_ms)
    });
    Ok(join_all(probes).await)
}

fn row(account: &Account, probed: Result<Proof, Fault>, took_ms: u64) -> TestRow {
    let (id, provider) = (account.id.clone(), account.provider.clone());
    let (ok, code, reason) = match probed {
        Ok(Proof::Key) => (true, None, "the provider takes its key".to_owned()),
        Ok(Proof::Answer) => (true, None, "the provider answers; whether it looked at a key is not known".to_owned()),
        Err(fault) => (false, Some(fault.kind.code().to_owned()), fault.to_string()),
    };
    TestRow { id, provider, ok, code, reason, took_ms }
}
