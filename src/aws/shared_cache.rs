//! What is made once and shared: kept while it is used, and of the rest as much as was used last.

use std::collections::HashMap;
use std::hash::Hash;

/// How many that nobody uses are kept, for those who come back to them: a script that makes its tables
/// again, or the two steps of a start. Each may hold credentials and open connections.
const UNUSED: usize = 16;

/// Something that is shared by clones.
pub(crate) trait InUse: Clone {
    /// Whether there is another clone besides this one.
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
    /// The value of `key`, if it is still there.
    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        self.uses += 1;
        let entry = self.entries.get_mut(key)?;
        entry.last_use = self.uses;
        Some(entry.value.clone())
    }

    /// The value of `key`: the one that is there, or `value`. Lets go of those that nobody uses, but for
    /// the last of them.
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
        self.let_go();
        value
    }

    fn let_go(&mut self) {
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

    /// All that are kept.
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
    fn what_is_in_use_stays_and_the_rest_goes_by_its_last_use() {
        let mut recent = SharedCache::default();
        let used = recent.get_or_insert(0, Arc::new(0));
        for key in 1..=UNUSED {
            recent.get_or_insert(key, Arc::new(key));
        }
        assert_eq!(recent.values().count(), UNUSED + 1);
        assert!(recent.get(&1).is_some(), "the first is now the last used");
        // One that is made just now is in use.
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
