//! A vault in memory: for tests, and for a gateway that shall leave nothing on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::store::check_name;
use super::{Hold, Item, Label, Vault, VaultError};

/// Forgets everything when dropped.
#[derive(Clone, Default)]
pub struct Memory {
    items: Arc<Mutex<BTreeMap<String, Item>>>,
    names: Arc<Names>,
}

/// The names that are held now, and a bell for those who wait.
#[derive(Default)]
struct Names(Mutex<BTreeSet<String>>, Condvar);

struct Held(Arc<Names>, String);

impl Vault for Memory {
    fn get(&self, name: &str) -> Result<Option<Item>, VaultError> {
        Ok(self.items().get(name).cloned())
    }

    fn list(&self) -> Result<Vec<Label>, VaultError> {
        Ok(self.items().iter().map(|(name, item)| item.label(name)).collect())
    }

    fn update(&self, name: &str, edit: &mut dyn FnMut(&mut Option<Item>)) -> Result<(), VaultError> {
        check_name(name)?;
        let mut items = self.items();
        let mut stored = items.get(name).cloned();
        edit(&mut stored);
        match stored {
            Some(item) => items.insert(name.to_owned(), item),
            None => items.remove(name),
        };
        Ok(())
    }

    fn hold(&self, name: &str, wait: Duration) -> Result<Hold, VaultError> {
        check_name(name)?;
        let Names(held, bell) = &*self.names;
        let guard = held.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = bell.wait_timeout_while(guard, wait, |held| held.contains(name));
        let (mut guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return Err(VaultError::Busy(PathBuf::from(name)));
        }
        guard.insert(name.to_owned());
        Ok(Hold::new(Held(self.names.clone(), name.to_owned())))
    }
}

impl Memory {
    fn items(&self) -> MutexGuard<'_, BTreeMap<String, Item>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Names(held, bell) = &*self.0;
        held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
        bell.notify_all();
    }
}
