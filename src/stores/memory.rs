//! Stores in memory, by name.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use object_store::ObjectStore;
use object_store::memory::InMemory;

type Stores = HashMap<String, Arc<dyn ObjectStore>>;

fn stores() -> MutexGuard<'static, Stores> {
    static STORES: LazyLock<Mutex<Stores>> = LazyLock::new(Mutex::default);
    STORES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The store with this name, which lives as long as the process.
pub(super) fn named(name: &str) -> Arc<dyn ObjectStore> {
    let mut stores = stores();
    let store = stores.entry(name.to_owned());
    Arc::clone(store.or_insert_with(|| Arc::new(InMemory::new())))
}

/// For tests: replaces the store of `memory://name`, or drops it and its objects with `None`.
#[doc(hidden)]
pub fn set(name: &str, store: Option<Arc<dyn ObjectStore>>) {
    match store {
        Some(store) => stores().insert(name.to_owned(), store),
        None => stores().remove(name),
    };
}
