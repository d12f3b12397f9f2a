//! What the query costs after a batch, from what the batch has read and written.

use tokio::time::Instant;

use super::state::AggregationState;
use crate::checkpoint::{BilledRequests, Checkpoint, StopLock};
use crate::kinesis::StreamSummary;
use crate::options::ConsumerType;
use crate::query::cost::{CostMeter, EstimatedCost, MeteredBatch, MeteredPuts, MeteredSource};
use crate::query::events::{SinkProgress, SourceProgress, StreamingQueryProgress};
use crate::query::plan::PlanTarget;

/// Estimates what a query costs.
#[derive(Debug)]
pub(in crate::query) struct QueryCosts {
    meter: CostMeter,
    /// The Kinesis table that each member writes to.
    targets: Vec<Option<PlanTarget>>,
    /// Is looked for at the same location as the checkpoint.
    stop_lock: Option<StopLock>,
}

impl QueryCosts {
    pub(in crate::query) fn new(
        meter: CostMeter,
        targets: Vec<Option<PlanTarget>>,
        stop_lock: Option<StopLock>,
    ) -> Self {
        Self {
            meter,
            targets,
            stop_lock,
        }
    }

    /// What AWS bills for requests to the checkpoint since the start.
    pub(super) fn requests<'a>(
        &self,
        checkpoint: &Checkpoint,
        states: impl Iterator<Item = &'a AggregationState>,
    ) -> BilledRequests {
        let lock = self.stop_lock.as_ref().map(StopLock::billed_requests);
        let requests = checkpoint.billed_requests() + lock.unwrap_or_default();
        let of_states = states.map(AggregationState::billed_requests);
        of_states.fold(requests, |all, state| all + state)
    }

    /// The cost per hour after a batch with this progress. `streams` are those of its sources.
    pub(super) fn committed(
        &mut self,
        progress: &StreamingQueryProgress,
        streams: &[StreamSummary],
        requests: BilledRequests,
    ) -> EstimatedCost {
        let sources = progress.sources.iter().zip(streams);
        let sources = sources.map(|(source, stream)| metered_source(source, stream));
        let puts = progress.sinks().into_iter().zip(&self.targets);
        let puts = puts.filter_map(|(sink, target)| metered_puts(sink, target.as_ref()?));
        let batch = MeteredBatch {
            sources: sources.collect(),
            puts: puts.collect(),
            requests,
        };
        self.meter.committed(&batch, Instant::now())
    }
}

fn metered_source<'a>(source: &SourceProgress, stream: &'a StreamSummary) -> MeteredSource<'a> {
    let metrics = &source.metrics;
    MeteredSource {
        stream,
        open_shards: metrics.open_shards,
        draining_shards: metrics.draining_shards,
        is_pushed: metrics.consumer_type == ConsumerType::SubscribeToShard,
        bytes: source.num_input_bytes,
    }
}

fn metered_puts<'a>(sink: &SinkProgress, target: &'a PlanTarget) -> Option<MeteredPuts<'a>> {
    let written = sink.metrics.as_ref()?;
    Some(MeteredPuts {
        stream: target.table().stream_summary(),
        payload_units: written.put_payload_units,
        kilobytes: written.put_kilobytes,
    })
}
