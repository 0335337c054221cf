//! Takes accounts over from where other programs keep them: API keys only. A login that another program was given stays
//! with it, since using it here would pass us off as that program.

mod cliproxyapi;
mod litellm;
mod variables;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use cliproxyapi::folder as cliproxyapi;
pub use litellm::text as litellm;
pub use variables::{dotenv, environment};

use crate::catalog::{BaseUrl, Provider};
use crate::config::roster::NewAccount;
use crate::config::{Settings, roster};
use crate::kit::Secret;

/// What was found, and what was left and why.
#[derive(Default)]
pub struct Batch {
    /// Accounts that can be made.
    pub found: Vec<Found>,
    /// What cannot be taken over.
    pub skipped: Vec<Skipped>,
}

/// An account with its key. Like `Secret` it has no `Debug`.
pub struct Found {
    /// The account; the name of its secret in the vault is its id.
    pub account: NewAccount,
    /// The key.
    pub secret: Secret,
    /// Where the key was: a variable, a file.
    pub from: String,
}

/// Something that was left where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// What: a variable, a file, a model.
    pub what: String,
    /// Why, and what to do instead.
    pub why: String,
}

/// Why nothing could be read at all. It quotes nothing of the file, which holds keys.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file or folder cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(PathBuf, #[source] std::io::Error),
    /// The file is not what it should be.
    #[error("{0} is no {1} that can be read{2}")]
    Odd(PathBuf, &'static str, String),
}

impl Batch {
    fn skip(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.skipped.push(Skipped { what: what.into(), why: why.into() });
    }

    /// Notes an account of this provider, under a free id.
    fn add(&mut self, names: &mut Names, provider: &Provider, base_url: Option<&str>, secret: Secret, from: String) {
        let base_url = match base_url.map(|url| url.trim().parse::<BaseUrl>()).transpose() {
            Ok(url) => url.map(|url| url.0).filter(|url| *url != provider.base_url),
            Err(malformed) => return self.skip(from, format!("its address is wrong: {malformed}")),
        };
        if base_url.is_none() && provider.base_url.is_empty() {
            return self.skip(from, format!("an account of {} needs its own address, which is not there", provider.id));
        }
        let same = |other: &Found| {
            other.account.provider == provider.id && other.account.base_url == base_url && other.secret.same(&secret)
        };
        if self.found.iter().any(same) {
            return self.skip(from, "the same key was found before");
        }
        let id = names.free(&provider.id);
        let account = NewAccount {
            vault: Some(id.clone()),
            id,
            provider: provider.id.clone(),
            base_url,
            ..roster::NewAccount::default()
        };
        self.found.push(Found { account, secret, from });
    }
}

/// The ids that are taken.
struct Names(BTreeSet<String>);

impl Names {
    /// Those of the settings file. Accounts that are found at each start make way for written ones.
    fn of(settings: &Settings, file: &Path) -> Self {
        let file = file.display().to_string();
        let taken = settings.accounts.iter().filter(|account| account.origin == file || account.provider == "sim");
        Self(taken.map(|account| account.id.clone()).collect())
    }

    fn free(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        let mut free = std::iter::once(wanted.to_owned()).chain(numbered).filter(|id| !self.0.contains(id));
        let id = free.next().unwrap_or_default();
        self.0.insert(id.clone());
        id
    }
}

/// The provider that another program calls so.
fn named<'a>(settings: &'a Settings, name: &str) -> Option<&'a Provider> {
    let by_id = settings.providers.get(name);
    let also = || settings.providers.values().find(|provider| provider.also.iter().any(|also| also == name));
    by_id.or_else(also).map(|provider| &**provider)
}
