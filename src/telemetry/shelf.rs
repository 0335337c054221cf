//! Counters by a name that comes from outside: found without a lock, and never more of them than the shelf holds.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Where all names are counted for which there is no room.
pub(super) const OTHER: &str = "other";

/// Counters by name.
pub(super) struct Shelf<T> {
    by_name: ArcSwap<HashMap<Box<str>, Arc<T>>>,
    room: usize,
}

impl<T: Default> Shelf<T> {
    /// With room for so many names besides `other`.
    pub(super) fn new(room: usize) -> Self {
        Self { by_name: ArcSwap::default(), room }
    }

    /// The counters of a name, made where there is room; else those of `other`.
    pub(super) fn with<R>(&self, name: &str, count: impl FnOnce(&T) -> R) -> R {
        if let Some(found) = self.by_name.load().get(name) {
            return count(found);
        }
        count(&self.make(name))
    }

    /// The counters of a name that has earned them before; else those of `other`.
    pub(super) fn with_known<R>(&self, name: &str, count: impl FnOnce(&T) -> R) -> R {
        let known = self.by_name.load().contains_key(name);
        self.with(if known { name } else { OTHER }, count)
    }

    /// Every name with its counters, in the order of the names.
    pub(super) fn all(&self) -> Vec<(Box<str>, Arc<T>)> {
        let mut all: Vec<_> =
            self.by_name.load().iter().map(|(name, counters)| (name.clone(), Arc::clone(counters))).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    #[cold]
    fn make(&self, name: &str) -> Arc<T> {
        let mut made = Arc::default();
        self.by_name.rcu(|old| {
            let named = old.keys().filter(|name| ***name != *OTHER).count();
            let name = if named < self.room { name } else { OTHER };
            let mut next = HashMap::clone(old);
            made = Arc::clone(next.entry(name.into()).or_default());
            next
        });
        made
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn names_beyond_the_room_are_counted_together_and_none_is_lost() {
        let shelf: Shelf<AtomicU64> = Shelf::new(2);
        for name in ["a", "b", "c", "d", "a"] {
            shelf.with(name, |count| count.fetch_add(1, Ordering::Relaxed));
        }
        shelf.with_known("e", |count| count.fetch_add(1, Ordering::Relaxed));
        let all: Vec<_> = shelf.all().iter().map(|(name, n)| (name.to_string(), n.load(Ordering::Relaxed))).collect();
        assert_eq!(all, [("a".to_owned(), 2), ("b".to_owned(), 1), ("other".to_owned(), 3)]);
    }
}
