//! Decides where a start reads each stream from: after the newest batch of the log, at the query's
//! starting position if there is none, or from the oldest record if the stream was recreated.

use super::Sources;
use crate::checkpoint::{QueryMetadata, Recovered};
use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::StreamSummary;
use crate::model::{InitialPositions, Offsets, ShardPosition, UnixMillis};
use crate::query::events::QueryRun;
use crate::source::streaming::StreamStart;

/// How many positions a message names.
const NAMED_POSITIONS: usize = 4;

impl Sources {
    /// Where each source is read from at `now`.
    ///
    /// The shards of a recreated stream have the names of the old ones, so everything in `recovered` about
    /// the old stream is removed: its ranges, and the event times of its shards.
    ///
    /// # Errors
    /// [`DataLoss`](ErrorKind::DataLoss) for a recreated stream, with both creation times and the
    /// positions, unless the options let the query continue.
    pub(in crate::query) fn start_positions(
        &mut self,
        metadata: &QueryMetadata,
        recovered: &mut Option<Recovered>,
        now: UnixMillis,
        run: &QueryRun,
    ) -> Result<Vec<StreamStart>> {
        let mut starts = Vec::with_capacity(self.count());
        for index in 0..self.count() {
            let known = &metadata.sources[index];
            let ranges = recovered
                .as_mut()
                .map(|recovered| &mut recovered.batch.sources[index]);
            let logged = ranges.as_ref().and_then(|ranges| ranges.created_at);
            let created_at = logged.unwrap_or(known.created_at);
            let start = if created_at != self.streams[index].created_at {
                let ends = ranges.as_ref().map(|ranges| ranges.ends());
                self.accept_recreated(index, created_at, &ends.unwrap_or_default(), run)?;
                if let Some(ranges) = ranges {
                    ranges.shards.clear();
                }
                let operators = recovered
                    .iter_mut()
                    .flat_map(|left| &mut left.before.operators);
                for input in operators.flat_map(|operator| &mut operator.inputs) {
                    if let Some(times) = input.event_times.get_mut(index) {
                        times.clear();
                    }
                }
                oldest_records(now)
            } else if let Some(ranges) = ranges {
                StreamStart::Resume {
                    offsets: ranges.ends(),
                    read_to: ranges.read_to,
                    retention: ranges.retention,
                }
            } else {
                StreamStart::Initial {
                    start: known.start.clone(),
                    created_at: metadata.created_at,
                    retention: known.retention,
                }
            };
            starts.push(start);
        }
        Ok(starts)
    }

    /// Counts the loss of a stream that was created at `created_at` and has been recreated since.
    ///
    /// # Errors
    /// The loss, unless the options let the query continue.
    fn accept_recreated(
        &mut self,
        index: usize,
        created_at: UnixMillis,
        ends: &Offsets,
        run: &QueryRun,
    ) -> Result<()> {
        let StreamSummary {
            stream,
            created_at: recreated_at,
            ..
        } = &self.streams[index];
        let found = format!(
            "stream '{}' was deleted and recreated: it was created at {recreated_at}, but the query has \
             read the stream that was created at {created_at}, {}",
            stream.name(),
            positions_text(ends)
        );
        if self.plan.sources[index].fails_on_data_loss() {
            return Err(Error::new(
                ErrorKind::DataLoss,
                format!(
                    "{run}: {found}. The records after that position are lost. Give the query a new \
                     checkpoint location, or set 'kinesis.failOnDataLoss' = 'false' to read the new stream \
                     from its oldest record"
                ),
            ));
        }
        tracing::warn!(
            query = %run,
            "{found}; the records after that position are lost, and the new stream is read from its oldest \
             record"
        );
        self.losses[index] += 1;
        Ok(())
    }
}

fn oldest_records(now: UnixMillis) -> StreamStart {
    StreamStart::Initial {
        start: InitialPositions {
            shards: Offsets::new(),
            others: ShardPosition::TrimHorizon,
        },
        created_at: now,
        retention: None,
    }
}

/// Positions for a message, of the first few shards.
fn positions_text(positions: &Offsets) -> String {
    if positions.is_empty() {
        return "before its first batch".to_owned();
    }
    let named = positions.iter().take(NAMED_POSITIONS);
    let named: Vec<_> = named
        .map(|(shard, position)| format!("{shard} {position}"))
        .collect();
    let named = named.join(", ");
    match positions.len().saturating_sub(NAMED_POSITIONS) {
        0 => format!("at {named}"),
        others => format!("at {named} and {others} more shards"),
    }
}
