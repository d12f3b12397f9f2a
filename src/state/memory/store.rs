//! [`StateStore`]: the groups of a query in memory, partitioned by key: loads, replaces and evicts them, and
//! accounts for their memory.

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

/// The groups of a query in memory, partitioned by key.
#[derive(Debug)]
pub(crate) struct StateStore {
    pub(super) grouping: Arc<Grouping>,
    partitions: Vec<Mutex<Groups>>,
    reservation: Mutex<MemoryReservation>,
}

/// What to do when memory is exhausted.
const MORE_MEMORY: &str = "Raise the limit (SET datafusion.runtime.memory_limit = '4G', or \
    RuntimeEnvBuilder in code), or let a watermark close groups";

fn mebibytes(bytes: usize) -> usize {
    bytes.div_ceil(1 << 20)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StateStore {
    /// A store without groups, which reserves memory in `pool`.
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

    /// The number of groups.
    pub(crate) fn len(&self) -> usize {
        self.sum(Groups::len)
    }

    /// The memory of the groups.
    pub(crate) fn bytes(&self) -> usize {
        self.sum(Groups::bytes)
    }

    /// Whether this watermark may close a group: an estimate that is never wrongly `false`, and does not
    /// visit each group.
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

    /// Reserves the memory that the groups now take.
    ///
    /// # Errors
    /// The memory pool is exhausted; the error lists the uses of the memory.
    pub(crate) fn account(&self) -> Result<()> {
        let (bytes, replaced) = (self.bytes(), self.sum(Groups::replaced_bytes));
        let reservation = lock(&self.reservation);
        reservation.try_resize(bytes + replaced).map_err(|error| {
            let (groups, after) = (self.len(), mebibytes(bytes));
            let before = mebibytes(reservation.size());
            let snapshot = match mebibytes(replaced) {
                0 => String::new(),
                held => format!(", a snapshot in progress holds {held} MiB of replaced groups"),
            };
            resources_datafusion_err!(
                "the state of GROUP BY no longer fits into memory: {groups} groups take \
                 {after} MiB{snapshot}; {before} MiB before this batch. {MORE_MEMORY} ({})",
                error.strip_backtrace()
            )
        })
    }

    /// Adds the memory of the state to an error of a batch that exhausted the memory.
    pub(crate) fn explain_memory(&self, error: DataFusionError) -> DataFusionError {
        if !matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) {
            return error;
        }
        let taken = mebibytes(lock(&self.reservation).size());
        resources_datafusion_err!(
            "there is not enough memory for a batch in addition to the state of GROUP BY, which takes {taken} MiB. \
             {MORE_MEMORY} ({})",
            error.strip_backtrace()
        )
    }

    /// Drops all groups.
    pub(crate) fn clear(&self) {
        for groups in &self.partitions {
            let mut groups = lock(groups);
            *groups = Groups::new(Arc::clone(&self.grouping.layout));
        }
    }

    /// Adds groups that the store does not have.
    pub(crate) fn load(&self, rows: &RecordBatch) -> Result<()> {
        self.partitioned(rows, |groups, rows| groups.load(rows))
    }

    /// Adds groups, replacing those of the same key.
    pub(crate) fn replace(&self, rows: &RecordBatch) -> Result<()> {
        self.partitioned(rows, |groups, rows| {
            groups.take(rows)?;
            groups.put(rows)
        })
    }

    /// Drops the groups that `watermark` closes.
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

    /// A snapshot of all groups, which later changes do not affect.
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

    /// Partitions `rows` and passes them to `insert`.
    fn partitioned(
        &self,
        rows: &RecordBatch,
        mut insert: impl FnMut(&mut Groups, &RecordBatch) -> Result<()>,
    ) -> Result<()> {
        if rows.schema_ref() != self.schema() {
            return internal_err!("rows of another state");
        }
        let keys = self.grouping.key_exprs(self.schema());
        if keys.is_empty() || self.partitions.len() == 1 {
            return insert(&mut lock(&self.partitions[0]), rows);
        }
        let count = self.partitions.len();
        let mut partitioner = BatchPartitioner::new_hash_partitioner(keys, count, Time::default())?;
        partitioner.partition(rows.clone(), |partition, rows| {
            insert(&mut lock(&self.partitions[partition]), &rows)
        })
    }
}

impl Grouping {
    /// The columns of `schema` by which groups are partitioned.
    pub(crate) fn key_exprs(&self, schema: &Schema) -> Vec<Arc<dyn PhysicalExpr>> {
        let field = |column: &usize| {
            let name = schema.field(*column).name();
            Arc::new(Column::new(name, *column)) as Arc<dyn PhysicalExpr>
        };
        self.keys.iter().map(field).collect()
    }
}

/// A snapshot of a state.
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

    /// The groups as rows, one batch for each chunk.
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
    fn replaced_groups_count_while_a_snapshot_holds_them() {
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
    fn the_error_names_the_memory_of_a_snapshot() {
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
        for part in ["a snapshot in progress holds", "memory_limit"] {
            assert!(error.contains(part), "{error}");
        }
        store.account().unwrap();
    }
}
