//! Why accounts rest, written down so that the next start knows: one writer, off the way of calls, atomic and private.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::env;
use crate::accounts::{Kept, Pool};
use crate::config::{Account, SecretSource};
use crate::kit::file::{check_private, replace};
use crate::kit::{Secret, seal};
use crate::vault;

/// The file in the state folder.
const FILE: &str = "accounts.json";
/// The version that this program writes and reads.
const VERSION: u32 = 1;
/// A file that is larger was not written by us.
const LARGEST: u64 = 16 << 20;
/// Between two writes, however many accounts begin to rest.
const PAUSE: Duration = Duration::from_millis(250);

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Page {
    version: u32,
    /// What the marks of secrets are made under, in hex.
    salt: String,
    rests: Kept,
}

/// Keeps the rests of a pool in a file.
pub(super) struct Rests {
    path: PathBuf,
    salt: String,
    pool: Arc<Pool>,
}

impl Rests {
    /// Gives the pool what the last run kept. The words say why that could not be read: then accounts start afresh.
    pub(super) fn open(state: &Path, pool: Arc<Pool>) -> (Self, Option<String>) {
        let path = state.join(FILE);
        let (page, words) = match read(&path) {
            Ok(page) => (page, None),
            Err(why) => (None, Some(format!("{} is not used: {why}; all accounts start afresh", path.display()))),
        };
        let salt = page.as_ref().map_or_else(fresh_salt, |page| page.salt.clone());
        if let Some(page) = page {
            pool.recall(&page.rests, |account| mark(account, &salt));
        }
        (Self { path, salt, pool }, words)
    }

    /// Writes whenever an account begins or ends a rest; never returns.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut last = None;
        loop {
            self.pool.altered().await;
            let own = Arc::clone(&self);
            let before = last.take();
            let written = tokio::task::spawn_blocking(move || own.write(before.as_ref())).await;
            match written {
                Ok(Ok(kept)) => last = Some(kept),
                Ok(Err(error)) => tracing::warn!("why accounts rest is not kept: {error}"),
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Writes what there is to keep, unless that is what was written `before`. Blocking.
    pub(super) fn write(&self, before: Option<&Kept>) -> Result<Kept, String> {
        let rests = self.pool.kept(|account| mark(account, &self.salt));
        if before == Some(&rests) {
            return Ok(rests);
        }
        let page = Page { version: VERSION, salt: self.salt.clone(), rests };
        let text = serde_json::to_vec(&page).map_err(|error| error.to_string())?;
        replace(&self.path, &text).map_err(|error| error.to_string())?;
        Ok(page.rests)
    }
}

fn read(path: &Path) -> Result<Option<Page>, String> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
        Ok(about) if about.len() > LARGEST => return Err("it is larger than any that keywheel writes".to_owned()),
        Ok(_) => {}
    }
    check_private(path).map_err(|error| error.to_string())?;
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let page: Page = serde_json::from_slice(&text).map_err(|error| format!("it is damaged ({error})"))?;
    match page.version {
        VERSION => Ok(Some(page)),
        other => Err(format!("it is of version {other}, and this keywheel reads {VERSION}")),
    }
}

fn fresh_salt() -> String {
    // no system on which this runs refuses; without a salt a mark would still tell two keys apart
    format!("{:032x}", u128::from_be_bytes(seal::random().unwrap_or_default()))
}

/// The mark of an account's key. Only a variable can have changed without anybody telling the running gateway.
fn mark(account: &Account, salt: &str) -> Option<String> {
    let SecretSource::Env(name) = &account.secret else { return None };
    vault::mark(&Secret::new(env(name)?), salt.as_bytes())
}
