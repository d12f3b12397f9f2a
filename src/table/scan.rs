//! Plans a bounded scan: which shards to read, from which to which position, in which partitions.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::descriptor::{descriptor_schema, encode_all};
use super::kinesis_table::KinesisTable;
use super::pushdown::Bounds;
use super::read_exec::KinesisReadExec;
use crate::model::{Shard, ShardPosition};
use crate::source::{ReadContext, RowColumn, ShardRead, families, resolve_starts, row_schema};

/// The parameters of a scan.
#[derive(Debug)]
pub(super) struct ScanRequest<'a> {
    pub(super) columns: Vec<RowColumn>,
    pub(super) filters: &'a [Expr],
    pub(super) limit: Option<usize>,
    /// The session's number of target partitions.
    pub(super) partitions: usize,
}

/// Plans a read up to the current tip.
///
/// # Errors
/// The shards cannot be listed, or none of those with a starting position is listed.
pub(super) async fn bounded_scan(
    table: &KinesisTable,
    request: ScanRequest<'_>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let source = &table.options().source;
    let tip = table.clock().now();
    let shards = table.shards().await?;
    // A shard that is listed as closed was closed before this time, so it is read to its end.
    let listed_at = table.clock().now();
    // Warnings about the starting position name the stream.
    let span = tracing::error_span!("stream", name = table.options().stream.to_string());
    let starts = span.in_scope(|| resolve_starts(&shards, &source.starting_position))?;
    let bounds = Bounds::of(request.filters, &table.config.columns);
    let read = |(shard, start): (&Shard, Option<ShardPosition>)| {
        // A shard without a start position (`LATEST`) has no records within this read.
        let start = start.filter(|_| bounds.allows(&shard.id))?;
        let until = if shard.is_closed() { listed_at } else { tip };
        Some(ShardRead {
            hash_range: table.hash_filter_range(shard),
            start: bounds.start(start),
            shard: shard.id.clone(),
            until: bounds.until(until),
            limit: request.limit.map(|rows| rows as u64),
            rows: None,
            number: 0,
        })
    };
    let reads: Vec<Option<ShardRead>> = shards.iter().zip(starts).map(read).collect();
    let groups = if source.ordered {
        families(&shards)
    } else {
        (0..shards.len()).map(|index| vec![index]).collect()
    };
    let mut partitions = Vec::with_capacity(groups.len());
    for group in groups {
        let group: Vec<&ShardRead> = (group.iter())
            .filter_map(|index| reads[*index].as_ref())
            .collect();
        if !group.is_empty() {
            partitions.push(vec![encode_all(&group)?]);
        }
    }
    if partitions.is_empty() {
        return Ok(Arc::new(EmptyExec::new(row_schema(&request.columns))));
    }
    let concurrent = partitions.len();
    if source.ordered {
        pad_partitions(&mut partitions, request.partitions);
    }
    let input = MemorySourceConfig::try_new_exec(&partitions, descriptor_schema(), None)?;
    Ok(Arc::new(KinesisReadExec::new(
        input,
        Arc::new(ReadContext::new(table.stream_context(concurrent))),
        request.columns,
        request.limit,
        reads.iter().flatten().count(),
        table.seed(),
    )))
}

/// Adds empty partitions up to `wanted`. With fewer, the optimizer would repartition rows round-robin, and the
/// rows of one partition key could overtake each other.
fn pad_partitions(partitions: &mut Vec<Vec<RecordBatch>>, wanted: usize) {
    let filled = partitions.len().max(wanted);
    partitions.resize_with(filled, Vec::new);
}
