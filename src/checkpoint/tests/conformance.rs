//! Every committer of this crate conforms to the contract.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::Mutex;

use super::super::{Log, OffsetCommitter, Put, StoreResult, conformance};
use super::TestLocation;
use crate::model::{BatchId, Epoch};

/// Reports a skipped test past the test runner, which captures the output of tests that pass.
pub(crate) fn skipped(test: &str, why: &str) {
    // A closed stderr must not fail the test.
    let _ = writeln!(std::io::stderr().lock(), "skipped {test}: {why}");
}

type NewLocation = fn() -> BoxFuture<'static, Result<TestLocation, &'static str>>;

/// Runs the suite with a separate location for each log.
async fn expect_conformance(name: &str, new: NewLocation) {
    if let Err(why) = new().await {
        return skipped(name, why);
    }
    let places: Arc<Mutex<BTreeMap<String, TestLocation>>> = Arc::default();
    let open = {
        let places = Arc::clone(&places);
        move |log: String| {
            let places = Arc::clone(&places);
            async move {
                let mut places = places.lock().await;
                if !places.contains_key(&log) {
                    places.insert(log.clone(), new().await.unwrap());
                }
                Ok(places[&log].open())
            }
        }
    };
    let checked = conformance::check(open).await;
    checked.unwrap_or_else(|violation| panic!("{name}: {violation}"));
}

macro_rules! conforms {
    ($($(#[$cfg:meta])* $name:ident: $place:expr;)+) => {
        $(
            $(#[$cfg])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                expect_conformance(stringify!($name), || Box::pin(async { $place })).await;
            }
        )+
    };
}

conforms! {
    local_files_conform: Ok(TestLocation::local());
    memory_conforms: Ok(TestLocation::memory());
    the_given_location_conforms: TestLocation::below_the_given();
    #[cfg(all(feature = "aws", feature = "simulator"))]
    s3_conforms: Ok(TestLocation::s3().await);
    #[cfg(feature = "hdfs")]
    hdfs_conforms: TestLocation::hdfs();
    #[cfg(feature = "dynamodb")]
    dynamodb_conforms: Ok(TestLocation::dynamodb());
}

/// A committer that lets older writers in.
#[derive(Debug)]
struct Unfenced(Arc<dyn OffsetCommitter>);

#[async_trait]
impl OffsetCommitter for Unfenced {
    fn location(&self) -> String {
        self.0.location()
    }

    fn object(&self, log: Log, batch: BatchId) -> String {
        self.0.object(log, batch)
    }

    async fn metadata(&self) -> StoreResult<Option<Bytes>> {
        self.0.metadata().await
    }

    async fn create_metadata(&self, entry: Bytes) -> StoreResult<Put> {
        self.0.create_metadata(entry).await
    }

    async fn take_epoch(&self, above: Epoch) -> StoreResult<Epoch> {
        self.0.take_epoch(above).await
    }

    async fn put(&self, epoch: Epoch, log: Log, batch: BatchId, entry: Bytes) -> StoreResult<Put> {
        match self.0.put(epoch, log, batch, entry).await? {
            Put::Fenced(_) => Ok(Put::Done),
            put => Ok(put),
        }
    }

    async fn get(&self, log: Log, batch: BatchId) -> StoreResult<Option<Bytes>> {
        self.0.get(log, batch).await
    }

    async fn batches(&self, log: Log) -> StoreResult<Vec<BatchId>> {
        self.0.batches(log).await
    }

    async fn remove(&self, log: Log, batch: BatchId) -> StoreResult<()> {
        self.0.remove(log, batch).await
    }
}

#[tokio::test]
async fn a_broken_clause_is_reported_by_name() {
    let place = TestLocation::memory();
    let location = place.location().to_owned();
    let open = move |log: String| {
        let inner = crate::checkpoint::open(&format!("{location}/{log}"));
        async move { Ok(Arc::new(Unfenced(inner?)) as Arc<dyn OffsetCommitter>) }
    };
    let violation = conformance::check(open).await.unwrap_err();
    assert_eq!(violation.clause(), "an older writer is fenced");
    assert!(conformance::clauses().any(|clause| clause == violation.clause()));
    assert!(
        violation.reason().contains("expected Fenced"),
        "{violation}"
    );
}
