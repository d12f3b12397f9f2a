//! [`GroupSampler`]: shows some groups of a running query to those who look at it from outside.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use datafusion::common::Result;

use super::memory::{SomeGroups, StateStore};
use crate::model::BatchId;

/// How many groups a sample has at most.
const MAX_GROUPS: usize = 20;

/// Some groups of a GROUP BY after a batch, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateSample {
    /// The batch.
    pub batch: BatchId,
    /// The names of the columns, those of `read_state`: first the group columns, then the states of the aggregates.
    pub columns: Vec<String>,
    /// How many of them are group columns.
    pub key_columns: usize,
    /// The values of each group in these columns; `None` for NULL. One of more than 200 characters is cut off and ends
    /// with `…`.
    pub groups: Vec<Vec<Option<String>>>,
}

impl StateSample {
    fn of(batch: BatchId, groups: &SomeGroups) -> Result<Self> {
        Ok(Self {
            batch,
            columns: groups.columns(),
            key_columns: groups.key_columns(),
            groups: groups.texts()?,
        })
    }
}

/// Takes samples of a state between batches, when somebody asks for one. Does not keep the state alive.
#[derive(Debug)]
pub(crate) struct GroupSampler {
    store: Weak<StateStore>,
    sampled: Mutex<Sampled>,
}

#[derive(Debug, Default)]
struct Sampled {
    /// The batch after which the state is; `None` while a batch changes it.
    settled: Option<BatchId>,
    /// Whether somebody has asked while a batch changed the state.
    is_wanted: bool,
    newest: Option<Arc<StateSample>>,
}

impl GroupSampler {
    pub(crate) fn new(store: &Arc<StateStore>) -> Self {
        Self {
            store: Arc::downgrade(store),
            sampled: Mutex::default(),
        }
    }

    /// The state is about to change.
    pub(crate) fn changing(&self) {
        self.sampled().settled = None;
    }

    /// `batch` is committed, and the state does not change until the next call of [`changing`](Self::changing).
    pub(crate) fn settled(&self, batch: BatchId) {
        let mut sampled = self.sampled();
        sampled.settled = Some(batch);
        if std::mem::take(&mut sampled.is_wanted) {
            drop(sampled);
            self.sample();
        }
    }

    /// Some groups after the newest committed batch. While a batch runs, those that were taken last; the next ones are
    /// taken once it is committed. `None` if there are none yet.
    pub(crate) fn sample(&self) -> Option<Arc<StateSample>> {
        let (batch, groups) = {
            let mut sampled = self.sampled();
            sampled.is_wanted = sampled.settled.is_none();
            let newest = sampled.newest.as_ref().map(|newest| newest.batch);
            let batch = sampled.settled.filter(|batch| newest != Some(*batch));
            match batch.zip(self.store.upgrade()) {
                // Under the lock, so that no batch begins meanwhile.
                Some((batch, store)) => (batch, store.some_groups(MAX_GROUPS)),
                None => return sampled.newest.clone(),
            }
        };
        match StateSample::of(batch, &groups) {
            Ok(sample) => self.sampled().newest = Some(Arc::new(sample)),
            Err(error) => tracing::debug!(%batch, %error, "cannot show groups of the state"),
        }
        self.sampled().newest.clone()
    }

    fn sampled(&self) -> MutexGuard<'_, Sampled> {
        self.sampled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use datafusion::execution::memory_pool::{MemoryPool, UnboundedMemoryPool};

    use super::*;
    use crate::state::memory::{Grouping, StateColumns};

    fn store(partitions: usize) -> Arc<StateStore> {
        let fields = ["key", "count"].map(|name| Field::new(name, DataType::Int64, true));
        let described = StateColumns {
            groups: 1,
            ..StateColumns::default()
        };
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let mut grouping = Grouping::stored(schema, described).unwrap();
        grouping.keys = vec![0];
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        Arc::new(StateStore::new(Arc::new(grouping), partitions, &pool))
    }

    /// Sets the counts of these keys.
    fn set(store: &StateStore, keys: std::ops::Range<i64>, count: i64) {
        let counts = Int64Array::from_iter_values(keys.clone().map(|_| count));
        let columns: [ArrayRef; 2] = [
            Arc::new(Int64Array::from_iter_values(keys)),
            Arc::new(counts),
        ];
        let rows = RecordBatch::try_new(Arc::clone(store.schema()), columns.to_vec());
        store.replace(&rows.unwrap()).unwrap();
    }

    #[test]
    fn a_batch_in_flight_is_not_seen_before_its_commit() {
        let store = store(1);
        let sampler = GroupSampler::new(&store);
        assert_eq!(sampler.sample(), None, "no batch is committed");
        set(&store, 0..1, 5);
        sampler.settled(BatchId(0));
        let first = sampler.sample().unwrap();
        assert_eq!((first.batch, first.key_columns), (BatchId(0), 1));
        assert_eq!(first.columns, ["key", "count"]);
        let row = |count: &str| vec![vec![Some("0".to_owned()), Some(count.to_owned())]];
        assert_eq!(first.groups, row("5"));

        sampler.changing();
        set(&store, 0..1, 6);
        assert_eq!(sampler.sample(), Some(first), "the batch is in flight");
        sampler.settled(BatchId(1));
        // Taken at the commit, because somebody has asked.
        sampler.changing();
        set(&store, 0..1, 7);
        let second = sampler.sample().unwrap();
        assert_eq!((second.batch, &second.groups), (BatchId(1), &row("6")));

        drop(store);
        sampler.settled(BatchId(2));
        assert_eq!(sampler.sample(), Some(second), "the state is gone");
    }

    #[test]
    fn nothing_is_sampled_while_nobody_asks() {
        let store = store(1);
        let sampler = GroupSampler::new(&store);
        set(&store, 0..1, 5);
        sampler.changing();
        sampler.settled(BatchId(0));
        assert_eq!(sampler.sampled().newest, None);
    }

    #[test]
    fn a_sample_of_many_partitions_is_bounded() {
        let store = store(4);
        set(&store, 0..1_000, 1);
        let sampler = GroupSampler::new(&store);
        sampler.settled(BatchId(0));
        assert_eq!(sampler.sample().unwrap().groups.len(), MAX_GROUPS);
        store.clear();
        set(&store, 0..7, 1);
        sampler.settled(BatchId(1));
        assert_eq!(sampler.sample().unwrap().groups.len(), 7);
    }
}
