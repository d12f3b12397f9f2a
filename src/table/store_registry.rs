//! Object stores of file tables, opened when a table first needs them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::error::Result as DataFusionResult;
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use datafusion::object_store::ObjectStore;
use url::{Position, Url};

use crate::error::Result;
use crate::stores::{Opening, Uncounted, is_store, refuse_credentials_and_query};

/// What errors call a location.
const WHAT: &str = "location";

/// The object stores of a session, for file tables and `COPY … TO`: `s3://bucket`, `gs://bucket`, `az://container`,
/// `abfss://container@account…` and `hdfs://namenode:port`, each with its feature, `memory://name` and `file://`.
///
/// A store is opened when a statement first names it, with the credentials, proxies and certificates that
/// checkpoints use. A store that was registered goes first. The command uses it; a program gives it to its session:
///
/// ```
/// use std::sync::Arc;
///
/// use datafusion::execution::runtime_env::RuntimeEnvBuilder;
/// use datafusion::prelude::{SessionConfig, SessionContext};
/// use datafusion_kinesis::StoreRegistry;
///
/// # fn main() -> datafusion::error::Result<()> {
/// let stores = Arc::new(StoreRegistry::default());
/// let runtime = RuntimeEnvBuilder::new().with_object_store_registry(stores);
/// let ctx = SessionContext::new_with_config_rt(SessionConfig::new(), runtime.build_arc()?);
/// datafusion_kinesis::register(&ctx);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct StoreRegistry {
    registered: DefaultObjectStoreRegistry,
    /// By scheme, user, host and port. The user of an Azure URL is a container.
    opened: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
}

impl StoreRegistry {
    fn open(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        refuse_credentials_and_query(WHAT, url)?;
        let key = url[..Position::BeforePath].to_owned();
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = opened.get(&key) {
            return Ok(Arc::clone(store));
        }
        let opening = Opening {
            what: WHAT,
            settings: &[],
            retries: true,
            counter: Arc::new(Uncounted),
        };
        let store = opening.store(url)?;
        opened.insert(key, Arc::clone(&store));
        Ok(store)
    }
}

impl ObjectStoreRegistry for StoreRegistry {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.registered.register_store(url, store)
    }

    fn deregister_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        self.registered.deregister_store(url)
    }

    fn get_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        match self.registered.get_store(url) {
            Err(_) if is_store(url.scheme()) => Ok(self.open(url)?),
            found => found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::object_store::memory::InMemory;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_store_is_opened_once_and_a_registered_one_goes_first() {
        let registry = StoreRegistry::default();
        let get = |text: &str| registry.get_store(&url(text)).unwrap();
        let first = get("memory://store-registry/a");
        assert!(Arc::ptr_eq(&first, &get("memory://store-registry/b")));
        assert!(!Arc::ptr_eq(&first, &get("memory://store-registry-2/a")));
        let own: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        registry.register_store(&url("memory://store-registry"), Arc::clone(&own));
        assert!(Arc::ptr_eq(&own, &get("memory://store-registry/a")));
        registry
            .deregister_store(&url("memory://store-registry"))
            .unwrap();
        assert!(Arc::ptr_eq(&first, &get("memory://store-registry/a")));
        get("file:///tmp/x");
    }

    #[test]
    fn an_unknown_store_or_one_with_credentials_is_refused() {
        let registry = StoreRegistry::default();
        for (text, expected) in [
            ("ftp://host/x", "No suitable object store"),
            ("s3://ada:hunter2@bucket/x", "contains credentials"),
            ("gs://hunter2@bucket/x", "contains credentials"),
        ] {
            let error = registry.get_store(&url(text)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[cfg(feature = "azure")]
    #[test]
    fn containers_of_one_account_are_different_stores() {
        let registry = StoreRegistry::default();
        let get = |container: &str| {
            let text = format!("abfss://{container}@account.dfs.core.windows.net/x");
            registry.get_store(&url(&text)).unwrap()
        };
        assert!(Arc::ptr_eq(&get("one"), &get("one")));
        assert!(!Arc::ptr_eq(&get("one"), &get("two")));
    }
}
