//! The groups of a query in memory, dealt out to partitions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{Result, internal_err, resources_datafusion_err};
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::metrics::Time;
use datafusion::physical_plan::repartition::BatchPartitioner;

use super::columns::StateColumns;
use super::grouping::Grouping;
use super::groups::{ChunkImage, Groups};
use crate::model::{OutputMode, UnixMillis};

/// The groups of a query in memory, dealt out to partitions by their key.
#[derive(Debug)]
pub(crate) struct StateStore {
    grouping: Arc<Grouping>,
    partitions: Vec<Mutex<Groups>>,
    reservation: Mutex<MemoryReservation>,
}

/// What to do where memory is short.
const MORE_MEMORY: &str = "Raise the limit (SET datafusion.runtime.memory_limit = '4G', or \
    RuntimeEnvBuilder in code), or let a watermark close groups";

fn mebibytes(bytes: usize) -> usize {
    bytes.div_ceil(1 << 20)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StateStore {
    /// Without groups. Their memory counts in `pool`.
    pub(crate) fn new(
        grouping: Arc<Grouping>,
        partitions: usize,
        pool: &Arc<dyn MemoryPool>,
    ) -> Self {
        let groups = || Mutex::new(Groups::new(Arc::clone(&grouping.layout)));
        Self {
            partitions: (0..partitions).map(|_| groups()).collect(),
            reservation: Mutex::new(MemoryConsumer::new("state of GROUP BY").register(pool)),
            grouping,
        }
    }

    /// Group columns, then state columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        self.grouping.layout.schema()
    }

    /// What the columns mean.
    pub(crate) fn describe(&self) -> StateColumns {
        self.grouping.describe()
    }

    pub(crate) fn partitions(&self) -> usize {
        self.partitions.len()
    }

    pub(crate) fn partition(&self, number: usize) -> MutexGuard<'_, Groups> {
        lock(&self.partitions[number])
    }

    fn sum(&self, of: impl Fn(&Groups) -> usize) -> usize {
        self.partitions.iter().map(|groups| of(&lock(groups))).sum()
    }

    /// How many groups there are.
    pub(crate) fn len(&self) -> usize {
        self.sum(Groups::len)
    }

    /// The memory they take.
    pub(crate) fn bytes(&self) -> usize {
        self.sum(Groups::bytes)
    }

    /// Whether a group would be closed by this watermark, as far as that can be told without looking at
    /// each.
    pub(crate) fn may_close(&self, watermark: UnixMillis) -> bool {
        let closes = self.grouping.mode != OutputMode::Complete;
        let Some(expiry) = self.grouping.layout.expiry().filter(|_| closes) else {
            return false;
        };
        let ahead = self
            .grouping
            .hop
            .as_ref()
            .map_or(0, |hop| hop.size() - hop.pane());
        let limit = expiry.limit(watermark).saturating_add(ahead);
        let mut partitions = self.partitions.iter();
        partitions.any(|groups| lock(groups).least_end() <= limit)
    }

    /// Counts the memory that the groups take by now.
    ///
    /// # Errors
    /// The pool does not have it; says how much there is of what.
    pub(crate) fn account(&self) -> Result<()> {
        let (bytes, replaced) = (self.bytes(), self.sum(Groups::replaced_bytes));
        let reservation = lock(&self.reservation);
        reservation.try_resize(bytes + replaced).map_err(|error| {
            let (groups, after) = (self.len(), mebibytes(bytes));
            let before = mebibytes(reservation.size());
            let snapshot = match mebibytes(replaced) {
                0 => String::new(),
                held => format!(
                    ", a snapshot that is being written holds {held} MiB of groups as they were before"
                ),
            };
            resources_datafusion_err!(
                "the state of GROUP BY does not fit into memory any more: {groups} groups take \
                 {after} MiB{snapshot}; {before} MiB before this batch. {MORE_MEMORY} ({})",
                error.strip_backtrace()
            )
        })
    }

    /// An error of a batch; where memory was short, with what the state takes of it.
    pub(crate) fn beside(&self, error: DataFusionError) -> DataFusionError {
        if !matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) {
            return error;
        }
        let taken = mebibytes(lock(&self.reservation).size());
        resources_datafusion_err!(
            "the memory does not hold a batch beside the state of GROUP BY, which takes {taken} MiB of \
             it. {MORE_MEMORY} ({})",
            error.strip_backtrace()
        )
    }

    /// Forgets all groups.
    pub(crate) fn clear(&self) {
        for groups in &self.partitions {
            let mut groups = lock(groups);
            *groups = Groups::new(Arc::clone(&self.grouping.layout));
        }
    }

    /// Takes in groups that are not there.
    pub(crate) fn load(&self, rows: &RecordBatch) -> Result<()> {
        self.dealt(rows, |groups, rows| groups.load(rows))
    }

    /// Takes in groups in place of those that they came from.
    pub(crate) fn replace(&self, rows: &RecordBatch) -> Result<()> {
        self.dealt(rows, |groups, rows| {
            groups.take(rows)?;
            groups.put(rows)
        })
    }

    /// Closes what `watermark` has closed.
    pub(crate) fn close(&self, watermark: UnixMillis) -> Result<()> {
        let closes = self.grouping.mode != OutputMode::Complete;
        let Some(expiry) = self.grouping.layout.expiry().filter(|_| closes) else {
            return Ok(());
        };
        let limit = expiry.limit(watermark);
        for groups in &self.partitions {
            lock(groups).close(limit)?;
        }
        Ok(())
    }

    /// All groups as they are now, chunk by chunk, whatever happens later.
    pub(crate) fn image(&self) -> StateImage {
        let chunks = self
            .partitions
            .iter()
            .flat_map(|groups| lock(groups).image());
        StateImage {
            grouping: Arc::clone(&self.grouping),
            chunks: chunks.collect(),
        }
    }

    /// Gives each partition its rows.
    fn dealt(
        &self,
        rows: &RecordBatch,
        mut give: impl FnMut(&mut Groups, &RecordBatch) -> Result<()>,
    ) -> Result<()> {
        if rows.schema_ref() != self.schema() {
            return internal_err!("rows of another state");
        }
        let keys = self.grouping.key_exprs(self.schema());
        if keys.is_empty() || self.partitions.len() == 1 {
            return give(&mut lock(&self.partitions[0]), rows);
        }
        let count = self.partitions.len();
        let mut dealer = BatchPartitioner::new_hash_partitioner(keys, count, Time::default())?;
        dealer.partition(rows.clone(), |partition, rows| {
            give(&mut lock(&self.partitions[partition]), &rows)
        })
    }
}

impl Grouping {
    /// The columns of `schema` by which groups are dealt out to partitions.
    pub(crate) fn key_exprs(&self, schema: &Schema) -> Vec<Arc<dyn PhysicalExpr>> {
        let field = |column: &usize| {
            let name = schema.field(*column).name();
            Arc::new(Column::new(name, *column)) as Arc<dyn PhysicalExpr>
        };
        self.keys.iter().map(field).collect()
    }
}

/// What a state held at some moment.
#[derive(Debug)]
pub(crate) struct StateImage {
    grouping: Arc<Grouping>,
    chunks: Vec<ChunkImage>,
}

impl StateImage {
    /// The columns of the rows.
    pub(crate) fn schema(&self) -> &SchemaRef {
        self.grouping.layout.schema()
    }

    /// What the columns mean.
    pub(crate) fn describe(&self) -> StateColumns {
        self.grouping.describe()
    }

    /// The groups as rows, chunk by chunk.
    pub(crate) fn rows(self) -> impl Iterator<Item = Result<RecordBatch>> {
        let layout = Arc::clone(&self.grouping.layout);
        let chunks = self.chunks.into_iter();
        chunks.map(move |chunk| chunk.rows(&layout))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, Int64Array};
    use datafusion::arrow::datatypes::{DataType, Field};
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    fn store(limit: usize) -> (StateStore, Arc<dyn MemoryPool>) {
        let fields = ["key", "count"].map(|name| Field::new(name, DataType::Int64, true));
        let described = StateColumns {
            groups: 1,
            ..StateColumns::default()
        };
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let grouping = Arc::new(Grouping::stored(schema, described).unwrap());
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(limit));
        (StateStore::new(grouping, 1, &pool), pool)
    }

    fn rows(store: &StateStore, count: i64) -> RecordBatch {
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..40_000));
        let counts: ArrayRef = Arc::new(Int64Array::from_iter_values((0..40_000).map(|_| count)));
        RecordBatch::try_new(Arc::clone(store.schema()), vec![keys, counts]).unwrap()
    }

    #[test]
    fn groups_that_are_replaced_count_as_long_as_a_snapshot_holds_them() {
        let (store, pool) = store(1 << 30);
        store.load(&rows(&store, 1)).unwrap();
        store.account().unwrap();
        let once = pool.reserved();
        let image = store.image();
        store.replace(&rows(&store, 2)).unwrap();
        store.account().unwrap();
        let columns: usize = 40_000 * 2 * size_of::<i64>();
        let held = pool.reserved();
        assert!(held >= once + columns, "{once} bytes, then {held}");
        drop(image);
        store.account().unwrap();
        assert!(pool.reserved() < once + columns, "{}", pool.reserved());
    }

    #[test]
    fn where_a_snapshot_is_what_is_too_much_the_error_says_so() {
        let (store, _) = store(3 << 20);
        store.load(&rows(&store, 1)).unwrap();
        store.account().unwrap();
        let images = (2..6).map(|count| {
            let image = store.image();
            store.replace(&rows(&store, count)).unwrap();
            image
        });
        let images: Vec<StateImage> = images.collect();
        let error = store.account().unwrap_err().to_string();
        drop(images);
        for part in ["a snapshot that is being written holds", "memory_limit"] {
            assert!(error.contains(part), "{error}");
        }
        store.account().unwrap();
    }
}
