//! GetShardIterator, and resolution of iterators for GetRecords.

use std::sync::Arc;
use std::time::Duration;

use crate::kinesis::limits::ITERATOR_LIFETIME;
use crate::kinesis::simulator::errors::{error, invalid};
use crate::kinesis::simulator::state::sequence_number::{NumberOrigin, NumberParts, second_of};
use crate::kinesis::simulator::state::shard::{ShardState, shard_id};
use crate::kinesis::simulator::state::stream::Stream;
use crate::kinesis::simulator::state::tokens::IteratorToken;
use crate::kinesis::simulator::{InMemoryKinesis, TrimmedPosition};
use crate::kinesis::{ApiError, ApiResult, IteratorPosition, Operation, ShardIterator};
use crate::model::{SequenceNumber, ShardId, StreamIdentity, UnixMillis};

/// What an iterator reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kinesis) enum IteratorTarget {
    /// The records from this index on.
    RecordsFrom(u64),
    /// No records, ever.
    Nothing,
}

impl InMemoryKinesis {
    /// Resolves an iterator to its stream, its shard, and what it reads.
    pub(in crate::kinesis) fn resolve(
        &self,
        stream: Option<&StreamIdentity>,
        iterator: &ShardIterator,
    ) -> ApiResult<(Arc<Stream>, Arc<ShardState>, IteratorTarget)> {
        const OPERATION: Operation = Operation::GetRecords;
        let invalid = || invalid(OPERATION, "Invalid ShardIterator.");
        let token = IteratorToken::decode(iterator.as_str()).ok_or_else(invalid)?;
        let given = stream.map(|stream| self.located(stream));
        if given.is_some_and(|given| given != token.stream) {
            return Err(invalid());
        }
        let now = self.clock.now();
        if now.since(token.issued_at) > ITERATOR_LIFETIME {
            let message = format!(
                "Iterator expired. The iterator was created at time {} while right now it is {now} \
                 which is further in the future than the tolerated delay of {} milliseconds.",
                token.issued_at,
                ITERATOR_LIFETIME.as_millis()
            );
            return Err(error(OPERATION, "ExpiredIteratorException", message));
        }
        let found = self.open_stream(OPERATION, &token.stream)?;
        if found.id != token.stream_id {
            return Err(invalid());
        }
        // An expired shard can still be read to its end: the iterator is younger than five minutes.
        let shard = found.read().shards.get(token.shard_index as usize).cloned();
        let target = if token.pinned {
            IteratorTarget::Nothing
        } else {
            IteratorTarget::RecordsFrom(token.index)
        };
        Ok((found, shard.ok_or_else(invalid)?, target))
    }

    pub(in crate::kinesis) fn iterator(
        &self,
        stream: &Stream,
        shard: &ShardState,
        target: IteratorTarget,
        issued_at: UnixMillis,
    ) -> ShardIterator {
        let (index, pinned) = match target {
            IteratorTarget::RecordsFrom(index) => (index, false),
            IteratorTarget::Nothing => (0, true),
        };
        let token = IteratorToken {
            stream: stream.identity.clone(),
            stream_id: stream.id,
            shard_index: shard.index,
            index,
            pinned,
            issued_at,
        };
        ShardIterator::new(token.encode())
    }

    /// GetShardIterator.
    pub(in crate::kinesis) async fn iterator_at(
        &self,
        stream: &StreamIdentity,
        shard: &ShardId,
        position: &IteratorPosition,
    ) -> ApiResult<ShardIterator> {
        const OPERATION: Operation = Operation::GetShardIterator;
        let faults = self.faults.admit(OPERATION).await?;
        let stream = self.open_stream(OPERATION, stream)?;
        let now = self.clock.now();
        let (shard, retention) = {
            let state = stream.read();
            (
                self.shard(OPERATION, &stream, &state, shard)?,
                state.retention,
            )
        };
        if self.options.enforce_limits && !shard.read_budget().admits_iterator(now) {
            return Err(self.throttled(OPERATION, &stream, &shard));
        }
        let target = self.target(OPERATION, &stream, &shard, position, retention)?;
        let iterator = self.iterator(&stream, &shard, target, now);
        self.answer(OPERATION, &faults, iterator)
    }

    /// What a new iterator or subscription at `position` reads.
    pub(in crate::kinesis) fn target(
        &self,
        operation: Operation,
        stream: &Stream,
        shard: &ShardState,
        position: &IteratorPosition,
        retention: Duration,
    ) -> ApiResult<IteratorTarget> {
        let now = self.clock.now();
        let content = shard.read();
        let oldest = content.oldest(now, retention);
        // A number above a trimmed record is not itself trimmed if it is younger.
        let is_trimmed = |index: u64, number: &NumberParts| {
            index < oldest && number.second <= second_of(now.minus(retention))
        };
        let (index, trimmed) = match position {
            IteratorPosition::TrimHorizon => (oldest, false),
            IteratorPosition::Latest => (content.log.next(), false),
            IteratorPosition::AtTimestamp(time) if *time > now => {
                let message = format!(
                    "The timestampInMillis parameter cannot be greater than the \
                     currentTimestampInMillis. timestampInMillis: {}, \
                     currentTimestampInMillis: {}",
                    time.0, now.0
                );
                return Err(invalid(operation, message));
            }
            IteratorPosition::AtTimestamp(time) => (content.log.index_at_time(*time), false),
            IteratorPosition::At(number) => {
                let number = parts_of(operation, stream, shard, number)?;
                let at = number.counter.saturating_sub(1);
                let found = content.log.arrival_at(at).filter(|_| at >= oldest);
                // The continuation after an event without records is above the last record, with its counter.
                let is_above = found.is_some_and(|arrival| second_of(arrival) < number.second);
                let index = if is_above { number.counter } else { at };
                (index, is_trimmed(at, &number))
            }
            IteratorPosition::After(number) => {
                let number = parts_of(operation, stream, shard, number)?;
                let last = number.counter.saturating_sub(1);
                (number.counter, is_trimmed(last, &number))
            }
        };
        let pins = self.options.trimmed_positions == TrimmedPosition::Pinned;
        Ok(if trimmed && pins {
            IteratorTarget::Nothing
        } else {
            IteratorTarget::RecordsFrom(index.min(content.log.next()))
        })
    }
}

/// The parts of `number`, which must be a number of this shard; the record may be trimmed already. The counter is
/// the index after the record, because the shard's starting number precedes its first record.
fn parts_of(
    operation: Operation,
    stream: &Stream,
    shard: &ShardState,
    number: &SequenceNumber,
) -> ApiResult<NumberParts> {
    let foreign = |why: String| -> ApiError {
        let message = format!(
            "StartingSequenceNumber {number} used in {operation} on shard {} in stream {} under \
             account {} is invalid{why}.",
            shard.id,
            stream.name(),
            stream.account()
        );
        invalid(operation, message)
    };
    match NumberOrigin::parse(number) {
        None => Err(foreign(String::new())),
        Some(parts) if parts.origin.shard_index != shard.index => {
            let other = shard_id(parts.origin.shard_index);
            Err(foreign(format!(" because it encodes {other}")))
        }
        Some(parts) if parts.origin != shard.origin => Err(foreign(
            " because it did not come from this stream".to_owned(),
        )),
        Some(parts) => Ok(parts),
    }
}
