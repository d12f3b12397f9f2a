//! A cache of shared values. Keeps all values in use, and the most recently used of the others.

use std::collections::HashMap;
use std::hash::Hash;

/// Number of unused values to keep, for a script that recreates its tables, or for the two steps of
/// a start. Each may hold credentials and open connections.
const UNUSED: usize = 16;

/// A value shared by its clones.
pub(crate) trait InUse: Clone {
    /// Whether another clone exists.
    fn is_in_use(&self) -> bool;
}

/// Shared values by key.
#[derive(Debug)]
pub(crate) struct SharedCache<K, V> {
    entries: HashMap<K, Entry<V>>,
    uses: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    last_use: u64,
}

impl<K, V> Default for SharedCache<K, V> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            uses: 0,
        }
    }
}

impl<K: Clone + Eq + Hash, V: InUse> SharedCache<K, V> {
    /// The cached value of `key`.
    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        self.uses += 1;
        let entry = self.entries.get_mut(key)?;
        entry.last_use = self.uses;
        Some(entry.value.clone())
    }

    /// The cached value of `key`, or else `value`, which is then cached. Evicts unused values
    /// except the most recently used ones.
    pub(crate) fn get_or_insert(&mut self, key: K, value: V) -> V {
        if let Some(known) = self.get(&key) {
            return known;
        }
        let last_use = self.uses;
        let entry = Entry {
            value: value.clone(),
            last_use,
        };
        self.entries.insert(key, entry);
        self.evict_unused();
        value
    }

    fn evict_unused(&mut self) {
        let entries = self.entries.iter();
        let unused = entries.filter(|(_, entry)| !entry.value.is_in_use());
        let mut unused: Vec<_> = unused
            .map(|(key, entry)| (entry.last_use, key.clone()))
            .collect();
        let Some(too_many) = unused.len().checked_sub(UNUSED).filter(|many| *many > 0) else {
            return;
        };
        unused.select_nth_unstable_by_key(too_many - 1, |(last_use, _)| *last_use);
        for (_, key) in unused.drain(..too_many) {
            self.entries.remove(&key);
        }
    }

    /// All cached values.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|entry| &entry.value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    impl InUse for Arc<usize> {
        fn is_in_use(&self) -> bool {
            Self::strong_count(self) > 1
        }
    }

    #[test]
    fn values_in_use_are_kept_and_others_evicted_by_last_use() {
        let mut recent = SharedCache::default();
        let used = recent.get_or_insert(0, Arc::new(0));
        for key in 1..=UNUSED {
            recent.get_or_insert(key, Arc::new(key));
        }
        assert_eq!(recent.values().count(), UNUSED + 1);
        assert!(recent.get(&1).is_some(), "now the most recently used");
        // A value just inserted is in use.
        recent.get_or_insert(1_000, Arc::new(1_000));
        assert_eq!(recent.values().count(), UNUSED + 2);
        recent.get_or_insert(1_001, Arc::new(1_001));
        assert_eq!(recent.values().count(), UNUSED + 2);
        assert_eq!(recent.get(&2), None);
        assert!(recent.get(&1).is_some());
        assert!(Arc::ptr_eq(&recent.get(&0).unwrap(), &used));
        for key in 2_000..3_000 {
            recent.get_or_insert(key, Arc::new(key));
        }
        assert!(Arc::ptr_eq(&recent.get_or_insert(0, Arc::new(9)), &used));
        assert_eq!(recent.values().count(), UNUSED + 2);
    }
}
