//! A page of records as Arrow columns, and its builder.

use std::ops::Range;
use std::time::Duration;

use datafusion::arrow::array::{
    Array, BinaryArray, NullBufferBuilder, StringArray, TimestampMicrosecondArray,
    TimestampMicrosecondBuilder,
};
use datafusion::arrow::buffer::{Buffer, OffsetBuffer};
use datafusion::arrow::compute::max;
use datafusion::arrow::datatypes::{DataType, TimeUnit};

use super::buffer_pool::BufferPool;
use super::{ChildShard, ShardIterator};
use crate::model::{SequenceNumber, UnixMillis};

/// Which columns of a page to build. `data` is always built, because a record may be an aggregate,
/// and only its content shows how many rows it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordColumns {
    /// `partitionKey`
    pub partition_key: bool,
    /// `sequenceNumber`
    pub sequence_number: bool,
    /// `approximateArrivalTimestamp`
    pub arrival: bool,
}

impl RecordColumns {
    /// All columns.
    pub const ALL: Self = Self {
        partition_key: true,
        sequence_number: true,
        arrival: true,
    };

    /// `data` alone.
    pub const DATA_ONLY: Self = Self {
        partition_key: false,
        sequence_number: false,
        arrival: false,
    };

    /// The columns of both.
    pub(crate) fn union(self, other: Self) -> Self {
        Self {
            partition_key: self.partition_key || other.partition_key,
            sequence_number: self.sequence_number || other.sequence_number,
            arrival: self.arrival || other.arrival,
        }
    }
}

/// The result of one GetRecords: Kinesis records that are not yet de-aggregated, and the iterator
/// for the next page.
#[derive(Debug, Clone)]
pub struct RecordsPage {
    data: BinaryArray,
    partition_key: Option<StringArray>,
    sequence_number: Option<StringArray>,
    arrival: Option<TimestampMicrosecondArray>,
    size_bytes: usize,
    last_sequence: Option<SequenceNumber>,
    /// The iterator for the next page; `None` only after the last record of a closed shard.
    pub next: Option<ShardIterator>,
    /// How far the end of the page is behind the tip of the shard, if the service reports it.
    pub behind_latest: Option<Duration>,
    /// The child shards; set only on the last page of a closed shard.
    pub children: Vec<ChildShard>,
}

impl RecordsPage {
    /// The number of Kinesis records.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether the page has no records.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The size in bytes as the service counts it: data plus partition keys.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The size in bytes of a range of records. Partition keys count only if that column was built.
    pub(crate) fn size_of(&self, records: Range<usize>) -> usize {
        if records == (0..self.len()) {
            return self.size_bytes;
        }
        let span = |offsets: &[i32]| {
            let bytes = offsets[records.end].saturating_sub(offsets[records.start]);
            usize::try_from(bytes).unwrap_or(0)
        };
        let keys = self.partition_key.as_ref();
        span(self.data.value_offsets()) + keys.map_or(0, |keys| span(keys.value_offsets()))
    }

    /// The page without its first `records`.
    #[must_use]
    pub(crate) fn without_first(self, records: usize) -> Self {
        let records = records.min(self.len());
        let rest = self.len() - records;
        if records == 0 {
            return self;
        }
        Self {
            size_bytes: self.size_of(records..self.len()),
            last_sequence: self.last_sequence.filter(|_| rest > 0),
            data: self.data.slice(records, rest),
            partition_key: self.partition_key.map(|keys| keys.slice(records, rest)),
            sequence_number: self
                .sequence_number
                .map(|numbers| numbers.slice(records, rest)),
            arrival: self.arrival.map(|times| times.slice(records, rest)),
            ..self
        }
    }

    /// The sequence number of the last record, whether or not that column was built.
    pub fn last_sequence(&self) -> Option<&SequenceNumber> {
        self.last_sequence.as_ref()
    }

    /// The payloads, never null.
    pub fn data(&self) -> &BinaryArray {
        &self.data
    }

    /// The partition keys, if requested. A key is null if the service chooses the shard and the
    /// producer set none.
    pub fn partition_key(&self) -> Option<&StringArray> {
        self.partition_key.as_ref()
    }

    /// The sequence numbers, if requested; never null.
    pub fn sequence_number(&self) -> Option<&StringArray> {
        self.sequence_number.as_ref()
    }

    /// Whether any record arrived later than `time`; `false` if arrival times were not requested.
    pub(crate) fn has_arrived_after(&self, time: UnixMillis) -> bool {
        let latest = self.arrival.as_ref().and_then(max);
        latest.is_some_and(|micros| micros > time.0.saturating_mul(1_000))
    }

    /// The arrival times in microseconds, UTC, if requested; null if the service reports none.
    pub fn arrival(&self) -> Option<&TimestampMicrosecondArray> {
        self.arrival.as_ref()
    }
}

/// Builds a [`RecordsPage`] record by record without one allocation per record.
#[derive(Debug)]
pub struct RecordsPageBuilder {
    data: Values,
    partition_key: Option<(Values, NullBufferBuilder)>,
    sequence_number: Option<Values>,
    arrival: Option<TimestampMicrosecondBuilder>,
    size_bytes: usize,
    pool: BufferPool,
}

/// Byte strings one after the other, and where each starts.
#[derive(Debug)]
struct Values {
    bytes: Vec<u8>,
    offsets: Vec<i32>,
}

impl Values {
    /// Values in the memory of `bytes`, which is empty.
    fn in_memory(bytes: Vec<u8>, values: usize) -> Self {
        let mut offsets = Vec::with_capacity(values + 1);
        offsets.push(0);
        Self { bytes, offsets }
    }

    fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.end();
    }

    /// Ends a value whose bytes were appended.
    fn end(&mut self) {
        let end = i32::try_from(self.bytes.len()).expect("a page has less than 2 GiB");
        self.offsets.push(end);
    }

    fn into_parts(self, pool: &BufferPool) -> (OffsetBuffer<i32>, Buffer) {
        let offsets = OffsetBuffer::new(self.offsets.into());
        (offsets, pool.shared(self.bytes))
    }
}

impl RecordsPageBuilder {
    /// Reserves room for `records` records with `data_bytes` bytes of payload in total.
    pub fn with_capacity(columns: RecordColumns, records: usize, data_bytes: usize) -> Self {
        /// Sequence numbers currently have 56 digits.
        const SEQUENCE_BYTES: usize = 56;
        let bytes = [data_bytes, records * 16, records * SEQUENCE_BYTES];
        Self::new(columns, records, bytes, BufferPool::default())
    }

    /// A builder for the records in a body of `body_bytes`, of which at most `data_bytes` are payload.
    pub(super) fn for_body(
        columns: RecordColumns,
        body_bytes: usize,
        data_bytes: usize,
        pool: &BufferPool,
    ) -> Self {
        // Sequence numbers are a quarter of a body with records of 100 bytes, and less with longer ones.
        let bytes = [data_bytes, body_bytes / 8, body_bytes / 4];
        Self::new(columns, 0, bytes, pool.clone())
    }

    fn new(
        columns: RecordColumns,
        records: usize,
        [data, keys, numbers]: [usize; 3],
        pool: BufferPool,
    ) -> Self {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let values = |bytes| Values::in_memory(pool.take(bytes), records);
        Self {
            data: values(data),
            partition_key: columns
                .partition_key
                .then(|| (values(keys), NullBufferBuilder::new(records))),
            sequence_number: columns.sequence_number.then(|| values(numbers)),
            arrival: columns
                .arrival
                .then(|| TimestampMicrosecondBuilder::with_capacity(records).with_data_type(utc)),
            size_bytes: 0,
            pool,
        }
    }

    /// Adds the next record of the shard.
    pub fn push(
        &mut self,
        data: &[u8],
        partition_key: Option<&str>,
        sequence_number: &str,
        arrival: Option<UnixMillis>,
    ) {
        self.push_digits(data, partition_key, sequence_number.as_bytes(), arrival);
    }

    /// Adds the next record of the shard, with a sequence number that was found to be digits.
    pub(super) fn push_digits(
        &mut self,
        data: &[u8],
        partition_key: Option<&str>,
        sequence_number: &[u8],
        arrival: Option<UnixMillis>,
    ) {
        self.data.push(data);
        self.push_rest(data.len(), partition_key, sequence_number, arrival);
    }

    /// As [`push_digits`](Self::push_digits), with the data in base64.
    ///
    /// # Errors
    /// The data is no valid base64; no record was added.
    pub(super) fn push_base64(
        &mut self,
        data: &[u8],
        partition_key: Option<&str>,
        sequence_number: &[u8],
        arrival: Option<UnixMillis>,
    ) -> Result<(), base64_simd::Error> {
        let before = self.data.bytes.len();
        base64_simd::STANDARD.decode_append(data, &mut self.data.bytes)?;
        self.data.end();
        let data_bytes = self.data.bytes.len() - before;
        self.push_rest(data_bytes, partition_key, sequence_number, arrival);
        Ok(())
    }

    fn push_rest(
        &mut self,
        data_bytes: usize,
        partition_key: Option<&str>,
        sequence_number: &[u8],
        arrival: Option<UnixMillis>,
    ) {
        self.size_bytes += data_bytes + partition_key.map_or(0, str::len);
        if let Some((values, nulls)) = &mut self.partition_key {
            values.push(partition_key.unwrap_or_default().as_bytes());
            nulls.append(partition_key.is_some());
        }
        if let Some(values) = &mut self.sequence_number {
            values.push(sequence_number);
        }
        if let Some(column) = &mut self.arrival {
            column.append_option(arrival.map(|time| time.0.saturating_mul(1_000)));
        }
    }

    /// Finishes the page. `last_sequence` is the sequence number of the last record pushed.
    pub fn finish(
        mut self,
        last_sequence: Option<SequenceNumber>,
        next: Option<ShardIterator>,
        behind_latest: Option<Duration>,
        children: Vec<ChildShard>,
    ) -> RecordsPage {
        let text = |values: Values, nulls| {
            let (offsets, bytes) = values.into_parts(&self.pool);
            StringArray::try_new(offsets, bytes, nulls).expect("each value was text when pushed")
        };
        let (offsets, bytes) = self.data.into_parts(&self.pool);
        RecordsPage {
            data: BinaryArray::new(offsets, bytes, None),
            partition_key: (self.partition_key)
                .map(|(values, mut nulls)| text(values, nulls.finish())),
            sequence_number: self.sequence_number.map(|values| text(values, None)),
            arrival: self
                .arrival
                .as_mut()
                .map(TimestampMicrosecondBuilder::finish),
            size_bytes: self.size_bytes,
            last_sequence,
            next,
            behind_latest,
            children,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_not_requested_are_not_built() {
        let mut builder = RecordsPageBuilder::with_capacity(RecordColumns::DATA_ONLY, 1, 3);
        builder.push(b"abc", Some("key"), "17", Some(UnixMillis(5)));
        let last = SequenceNumber::new("17").unwrap();
        let page = builder.finish(Some(last.clone()), None, None, vec![]);
        assert_eq!((page.len(), page.size_bytes()), (1, 6));
        assert_eq!(page.last_sequence(), Some(&last));
        assert_eq!(page.data().value(0), b"abc");
        assert!(page.partition_key().is_none());
        assert!(page.sequence_number().is_none() && page.arrival().is_none());
    }

    #[test]
    fn sizes_of_ranges_add_up_to_the_size_of_the_page() {
        let mut builder = RecordsPageBuilder::with_capacity(RecordColumns::ALL, 3, 0);
        for (data, key) in [("abc", Some("k")), ("", None), ("de", Some("key"))] {
            builder.push(data.as_bytes(), key, "1", None);
        }
        let page = builder.finish(None, None, None, vec![]);
        assert_eq!(page.size_of(0..3), page.size_bytes());
        let sizes = [0..1, 1..2, 2..3, 1..3, 1..1].map(|records| page.size_of(records));
        assert_eq!(sizes, [4, 0, 5, 5, 0]);
    }

    #[test]
    fn without_first_keeps_the_remaining_records_and_their_size() {
        let mut builder = RecordsPageBuilder::with_capacity(RecordColumns::ALL, 3, 0);
        for (data, number) in [("abc", "1"), ("", "2"), ("de", "3")] {
            builder.push(data.as_bytes(), Some("k"), number, Some(UnixMillis(5)));
        }
        let last = SequenceNumber::new("3").unwrap();
        let page = builder.finish(Some(last.clone()), None, None, vec![]);
        let rest = page.clone().without_first(2);
        assert_eq!((rest.len(), rest.size_bytes()), (1, 3));
        assert_eq!((rest.size_of(0..1), rest.last_sequence()), (3, Some(&last)));
        assert_eq!(rest.sequence_number().unwrap().value(0), "3");
        assert_eq!(rest.data().value(0), b"de");
        let empty = page.clone().without_first(9);
        assert_eq!((empty.len(), empty.size_bytes()), (0, 0));
        assert_eq!(empty.last_sequence(), None);
        assert_eq!(page.without_first(0).len(), 3);
    }

    #[test]
    fn arrival_times_are_microseconds_in_utc() {
        let mut builder = RecordsPageBuilder::with_capacity(RecordColumns::ALL, 1, 0);
        builder.push(b"", None, "1", Some(UnixMillis(1_721_946_460_247)));
        let page = builder.finish(None, None, None, vec![]);
        let arrival = page.arrival().unwrap();
        assert_eq!(arrival.value(0), 1_721_946_460_247_000);
        assert_eq!(arrival.timezone(), Some("UTC"));
        assert!(page.partition_key().unwrap().is_null(0));
    }
}
