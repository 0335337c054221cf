//! History's keys come from the vault, and its folder lies beside the ledger.

use std::sync::{Arc, Mutex, PoisonError};

use super::failure::Failure;
use super::tokens::Wires;
use crate::config::Paths;
use crate::history::{Capture, Exchange, Folder, HistoryError, Keyed, Keys, Standing};
use crate::kit::CallId;
use crate::ops::Shelf;
use crate::redact::Known;
use crate::vault::{DataKey, Stamp, Strongbox, VaultError};

/// The folder of exchanges in the data folder.
const FOLDER: &str = "history";

/// Where exchanges lie.
fn folder(paths: &Paths) -> Folder {
    Folder::at(paths.data.join(FOLDER))
}

/// History of a gateway: the way in, and what it holds.
pub(super) fn open(wires: &Wires, paths: &Paths) -> Result<(Capture, Arc<Kept>), Failure> {
    let keys = Arc::new(VaultKeys::of(Arc::clone(&wires.vault)));
    let (settings, known) = (wires.settings.clone(), Arc::clone(&wires.known));
    let capture = Capture::start(settings, keys, known, folder(paths), wires.clock.clone())
        .map_err(|error| Failure::new(format_args!("the system gives no threads: {error}")))?;
    let kept = Kept::of(Arc::clone(&wires.vault), Arc::clone(&wires.known), capture.clone(), paths);
    Ok((capture, Arc::new(kept)))
}

/// What history holds, for those who read it.
pub(super) struct Kept {
    folder: Folder,
    keys: VaultKeys,
    known: Arc<Known>,
    capture: Capture,
}

impl Kept {
    pub(super) fn of(vault: Arc<Strongbox>, known: Arc<Known>, capture: Capture, paths: &Paths) -> Self {
        Self { folder: folder(paths), keys: VaultKeys::of(vault), known, capture }
    }
}

impl Shelf for Kept {
    fn exchange(&self, id: CallId) -> Result<Option<Exchange>, HistoryError> {
        // a secret that was learnt since then shall not be shown either
        Ok(self.folder.exchange(id, &self.keys)?.map(|exchange| exchange.cleaned(&self.known)))
    }

    fn standing(&self) -> Standing {
        self.capture.standing()
    }
}

/// The keys, or why there are none.
type Found = Result<Arc<Keyed>, String>;

/// The keys that history derives from the vault's data key, kept while the vault stays as it is.
struct VaultKeys {
    vault: Arc<Strongbox>,
    // a std mutex: only history's thread and those who read a body ask, and all want to wait for the vault to open
    kept: Mutex<Option<(Stamp, Found)>>,
}

impl VaultKeys {
    fn of(vault: Arc<Strongbox>) -> Self {
        Self { vault, kept: Mutex::default() }
    }

    /// Whether what was found before is still so. A vault that was locked may have been opened since without a person.
    fn holds(&self, found: &Found) -> bool {
        found.is_ok() || self.vault.status().map_or(true, |status| status.locked)
    }

    fn find(&self) -> Result<Arc<Keyed>, VaultError> {
        if self.vault.look()?.locked {
            return Err(VaultError::Locked);
        }
        keyed(&self.vault.file().data_key()?)
    }
}

impl Keys for VaultKeys {
    fn now(&self) -> Result<Arc<Keyed>, String> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // taken before the look: what is written or locked meanwhile is looked at again
        let before = self.vault.stamp();
        if let Some((stamp, found)) = &*kept
            && *stamp == before
            && self.holds(found)
        {
            return found.clone();
        }
        let found = self.find().map_err(why);
        // a vain try to unlock changes the stamp too, and shall not be made again for that
        let stamp = if found.is_ok() { before } else { self.vault.stamp() };
        *kept = Some((stamp, found.clone()));
        found
    }

    fn by_id(&self, id: &str) -> Result<Arc<Keyed>, String> {
        let now = self.now()?;
        if now.id == id {
            return Ok(now);
        }
        let key = self.vault.file().data_key_by_id(id).map_err(why)?;
        let key = key.ok_or("the vault no longer knows the key that they were sealed with")?;
        keyed(&key).map_err(why)
    }
}

fn keyed(key: &DataKey) -> Result<Arc<Keyed>, VaultError> {
    let (bodies, addresses) = (key.derive("keywheel 1 captured bodies")?, key.derive("keywheel 1 captured addresses")?);
    Ok(Arc::new(Keyed { id: key.id()?, bodies, addresses }))
}

fn why(error: VaultError) -> String {
    match error {
        VaultError::Missing(_) => {
            "there is no vault to seal them with; make it by adding an account: keywheel account add".to_owned()
        }
        error => error.to_string(),
    }
}
