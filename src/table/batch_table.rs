//! The records of one stream in one batch of a streaming query, as a table.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as DataFusionResult;
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::columns::TableColumns;
use super::decode_exec::KinesisDecodeExec;
use super::descriptor::{descriptor_schema, encode_all};
use super::kinesis_table::KinesisTable;
use super::read_exec::KinesisReadExec;
use crate::error::Result;
use crate::source::{BatchReads, PageSlice, ReadContext, ShardRead};

/// A table with exactly the rows of one batch. Its ranges are fixed, so neither filters nor limits of the
/// statement change what is read.
///
/// Shards whose rows are in memory share at most the session's number of target partitions, balanced by
/// bytes. Each range that must be fetched from Kinesis has its own partition. Rows of one shard come in shard
/// order.
#[derive(Debug)]
pub(crate) struct BatchTable {
    context: Arc<ReadContext>,
    reads: Arc<BatchReads>,
    table: KinesisTable,
    columns: TableColumns,
    seed: u64,
    /// Whether a batch without ranges still gets a read node instead of an `EmptyExec`.
    never_empty: bool,
    writes_dead_letters: bool,
}

impl BatchTable {
    /// The table of `reads`, with the schema and options of `table`.
    pub(crate) fn new(table: &KinesisTable, reads: Arc<BatchReads>) -> Self {
        let fetched = reads.reads.len() - buffered(&reads).count();
        let stream = table.stream_context(fetched);
        let context = ReadContext::for_batch(stream, Arc::clone(&reads));
        Self {
            context: Arc::new(context),
            reads,
            table: table.clone(),
            columns: table.config.columns.clone(),
            seed: table.random().u64(..),
            never_empty: false,
            writes_dead_letters: true,
        }
    }

    /// Adds a last column with the number of the read that each row comes from.
    pub(crate) fn with_shard_numbers(mut self) -> Self {
        self.columns.push_shard_number();
        self
    }

    /// Plans a read node even if the batch has no ranges.
    pub(crate) fn never_empty(mut self) -> Self {
        self.never_empty = true;
        self
    }

    /// Writes no dead letters: another scan of the batch does.
    pub(crate) fn without_dead_letters(mut self) -> Self {
        self.writes_dead_letters = false;
        self
    }

    /// The descriptors of each partition. At most `max_buffered` partitions hold buffered ranges.
    fn partitions(&self, max_buffered: usize) -> Result<Vec<Vec<RecordBatch>>> {
        let in_memory: Vec<&ShardRead> = buffered(&self.reads).map(|(read, _)| read).collect();
        let bytes = buffered(&self.reads).map(|(_, slices)| size_bytes(slices));
        let groups = balanced(bytes, max_buffered);
        let groups = groups.iter().map(|group| {
            let group: Vec<&ShardRead> = group.iter().map(|index| in_memory[*index]).collect();
            Ok(vec![encode_all(&group)?])
        });
        let buffered = &self.reads.buffered;
        let fetched = self.reads.reads.iter();
        let fetched = fetched.filter(|read| !buffered.contains_key(&read.shard));
        groups
            .chain(fetched.map(|read| Ok(vec![encode_all(&[read])?])))
            .collect()
    }
}

/// The ranges whose rows are buffered in memory.
fn buffered(reads: &BatchReads) -> impl Iterator<Item = (&ShardRead, &[PageSlice])> {
    let slices = |read| reads.buffered.get(read).map(Vec::as_slice);
    reads
        .reads
        .iter()
        .filter_map(move |read| Some((read, slices(&read.shard)?)))
}

fn size_bytes(slices: &[PageSlice]) -> usize {
    slices.iter().map(PageSlice::size_bytes).sum()
}

/// Distributes items of these sizes over at most `max_groups` groups of about equal size, none of them empty.
/// Returns the indices of the items, in ascending order within a group.
fn balanced(sizes: impl Iterator<Item = usize>, max_groups: usize) -> Vec<Vec<usize>> {
    let mut items: Vec<(usize, usize)> = sizes.enumerate().collect();
    let mut groups = vec![Vec::new(); max_groups.max(1).min(items.len())];
    // The largest first, each to the group that is smallest so far.
    items.sort_by_key(|(index, size)| (Reverse(*size), *index));
    let mut group_sizes: BinaryHeap<Reverse<(usize, usize)>> =
        (0..groups.len()).map(|group| Reverse((0, group))).collect();
    for (index, size) in items {
        if let Some(mut smallest) = group_sizes.peek_mut() {
            let Reverse((bytes, group)) = &mut *smallest;
            groups[*group].push(index);
            // An item of zero bytes has rows, too.
            *bytes += size.max(1);
        }
    }
    for group in &mut groups {
        group.sort_unstable();
    }
    groups
}

#[async_trait]
impl TableProvider for BatchTable {
    fn schema(&self) -> SchemaRef {
        self.columns.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let output = self.columns.projected(projection);
        let mut partitions = self.partitions(state.config().target_partitions())?;
        if partitions.is_empty() && self.never_empty {
            partitions.push(Vec::new());
        }
        if partitions.is_empty() {
            return Ok(Arc::new(EmptyExec::new(output.1)));
        }
        let input = MemorySourceConfig::try_new_exec(&partitions, descriptor_schema(), None)?;
        let context = Arc::clone(&self.context);
        let shards = self.reads.reads.len();
        let reads = self.columns.reads(&output.0);
        let read = KinesisReadExec::new(input, context, reads.clone(), None, shards, self.seed);
        let read: Arc<dyn ExecutionPlan> = Arc::new(read);
        let decoded = self.table.decoded(Arc::clone(&read), reads, output, true)?;
        Ok(match decoded.downcast_ref::<KinesisDecodeExec>() {
            Some(decode) if !self.writes_dead_letters => {
                Arc::new(decode.without_dead_letters(read))
            }
            _ => decoded,
        })
    }
}

#[cfg(test)]
mod tests;
