//! GetRecords.

use std::time::Duration;

use super::get_shard_iterator::IteratorTarget;
use crate::kinesis::limits::{MAX_BYTES_PER_FETCH, MAX_RECORDS_PER_FETCH};
use crate::kinesis::simulator::InMemoryKinesis;
use crate::kinesis::simulator::errors::error;
use crate::kinesis::simulator::state::record_log::{Extent, LoggedRecord};
use crate::kinesis::simulator::state::shard::{Closure, Content, ShardState, counter_of};
use crate::kinesis::simulator::state::stream::{Encryption, Stream};
use crate::kinesis::{
    ApiResult, ChildShard, Operation, RecordColumns, RecordsPageBuilder, ShardIterator,
};
use crate::model::{SequenceNumber, StreamIdentity, UnixMillis};

/// Receives the records of a page straight from the log.
pub(in crate::kinesis) trait PageSink: Send {
    /// Called once before the records.
    fn begin(&mut self, records: usize, size_bytes: usize);

    /// Called for each record, in order.
    fn record(
        &mut self,
        data: &[u8],
        partition_key: Option<&str>,
        sequence_number: &str,
        arrival: UnixMillis,
        encrypted: bool,
    );
}

/// The part of a GetRecords result that follows the records.
#[derive(Debug)]
pub(in crate::kinesis) struct PageEnd {
    pub(in crate::kinesis) last_sequence: Option<SequenceNumber>,
    pub(in crate::kinesis) next: Option<ShardIterator>,
    pub(in crate::kinesis) behind_latest: Duration,
    pub(in crate::kinesis) children: Vec<ChildShard>,
}

/// Collects records into Arrow columns.
pub(in crate::kinesis) struct ColumnsSink {
    columns: RecordColumns,
    pub(in crate::kinesis) builder: RecordsPageBuilder,
}

impl ColumnsSink {
    pub(in crate::kinesis) fn new(columns: RecordColumns) -> Self {
        let builder = RecordsPageBuilder::with_capacity(columns, 0, 0);
        Self { columns, builder }
    }
}

impl PageSink for ColumnsSink {
    fn begin(&mut self, records: usize, size_bytes: usize) {
        self.builder = RecordsPageBuilder::with_capacity(self.columns, records, size_bytes);
    }

    fn record(
        &mut self,
        data: &[u8],
        partition_key: Option<&str>,
        sequence_number: &str,
        arrival: UnixMillis,
        _encrypted: bool,
    ) {
        self.builder
            .push(data, partition_key, sequence_number, Some(arrival));
    }
}

impl InMemoryKinesis {
    /// GetRecords into `sink`. Over HTTP the stream may be omitted, because the iterator names it.
    pub(in crate::kinesis) async fn read_page(
        &self,
        stream: Option<&StreamIdentity>,
        iterator: &ShardIterator,
        limit: usize,
        sink: &mut dyn PageSink,
    ) -> ApiResult<PageEnd> {
        const OPERATION: Operation = Operation::GetRecords;
        let faults = self.faults.admit(OPERATION).await?;
        let limit = self.checked_limit(limit)?;
        let (stream, shard, target) = self.resolve(stream, iterator)?;
        let now = self.clock.now();
        if self.options.enforce_limits && !shard.read_budget().admits_fetch(now) {
            return Err(self.throttled(OPERATION, &stream, &shard));
        }
        let (retention, encryption) = {
            let state = stream.read();
            (state.retention, state.encryption.clone())
        };
        let IteratorTarget::RecordsFrom(index) = target else {
            let end = PageEnd {
                last_sequence: None,
                next: Some(self.iterator(&stream, &shard, target, now)),
                behind_latest: retention,
                children: vec![],
            };
            return self.answer(OPERATION, &faults, end);
        };
        let end = {
            let content = shard.read();
            let from = index.max(content.oldest(now, retention));
            let from = from.min(content.log.next());
            let extent = if faults.empty_page {
                Extent {
                    indexes: from..from,
                    size_bytes: 0,
                }
            } else {
                content.log.extent(from, limit, MAX_BYTES_PER_FETCH)
            };
            shard.read_budget().charge_page(extent.size_bytes, now);
            let last_sequence = fill(sink, &shard, &content, &extent, &encryption);
            self.page_end(
                &stream,
                &shard,
                &content,
                extent.indexes.end,
                last_sequence,
                now,
            )
        };
        self.answer(OPERATION, &faults, end)
    }

    fn checked_limit(&self, limit: usize) -> ApiResult<usize> {
        if (1..=MAX_RECORDS_PER_FETCH).contains(&limit) {
            return Ok(limit);
        }
        let bound = if limit < 1 {
            "greater than or equal to 1".to_owned()
        } else {
            format!("less than or equal to {MAX_RECORDS_PER_FETCH}")
        };
        let message = format!(
            "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy \
             constraint: Member must have value {bound}"
        );
        Err(error(Operation::GetRecords, "ValidationException", message))
    }

    fn page_end(
        &self,
        stream: &Stream,
        shard: &ShardState,
        content: &Content,
        index: u64,
        last_sequence: Option<SequenceNumber>,
        now: UnixMillis,
    ) -> PageEnd {
        let tip = Tip::after(content, index, now);
        let ended = tip.closure;
        PageEnd {
            last_sequence,
            next: ended
                .is_none()
                .then(|| self.iterator(stream, shard, IteratorTarget::RecordsFrom(index), now)),
            behind_latest: tip.behind_latest,
            children: ended.map_or_else(Vec::new, |closure| closure.children.clone()),
        }
    }
}

/// How a reader that has read up to an index stands to the tip of the shard.
pub(in crate::kinesis) struct Tip<'a> {
    pub(in crate::kinesis) behind_latest: Duration,
    /// Set after the last record of a closed shard.
    pub(in crate::kinesis) closure: Option<&'a Closure>,
}

impl<'a> Tip<'a> {
    pub(in crate::kinesis) fn after(content: &'a Content, index: u64, now: UnixMillis) -> Self {
        let unread = content.log.arrival_at(index);
        // A page that does not reach the tip never reports a lag of zero.
        let behind_latest = unread.map_or(Duration::ZERO, |arrival| {
            now.since(arrival).max(Duration::from_millis(1))
        });
        let closure = content.closure.as_ref().filter(|_| unread.is_none());
        Self {
            behind_latest,
            closure,
        }
    }
}

/// Passes the records of `extent` to `sink` and returns the last sequence number.
pub(in crate::kinesis) fn fill(
    sink: &mut dyn PageSink,
    shard: &ShardState,
    content: &Content,
    extent: &Extent,
    encryption: &Encryption,
) -> Option<SequenceNumber> {
    let records = usize::try_from(extent.indexes.end - extent.indexes.start).unwrap_or(usize::MAX);
    sink.begin(records, extent.size_bytes);
    let mut last = None;
    for record in content.log.records(extent.indexes.clone()) {
        let LoggedRecord {
            index,
            arrival,
            partition_key,
            data,
        } = record;
        let number = shard.origin.number(counter_of(index), arrival);
        let encrypted = encryption.covers(arrival);
        sink.record(data, partition_key, number.as_str(), arrival, encrypted);
        last = Some(number);
    }
    last.map(|number| number.to_sequence())
}
