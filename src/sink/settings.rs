//! Settings of writing, with the defaults of the Spark connector.

use std::time::Duration;

use crate::model::RetryPolicy;

/// How a stream is written. The defaults are those of the awslabs Spark connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SinkSettings {
    /// Whether small records are packed into aggregated records
    /// (`kinesis.sink.aggregationEnabled`). Never the case for streams in which the
    /// service chooses the shard.
    pub(crate) aggregation: bool,
    /// The largest aggregated record, in bytes. A larger user record is sent plain.
    pub(crate) max_aggregate_bytes: usize,
    /// How long a user record waits for others to share an aggregated record
    /// (`kinesis.sink.recordMaxBufferedTimeMs`).
    pub(crate) max_buffered: Duration,
    /// The most bytes that one writer buffers, unsent or unacknowledged, before
    /// [`write`](super::SinkWriter::write) waits. One more row may be buffered.
    pub(crate) max_buffered_bytes: usize,
    /// The wait before a rejected record is sent again. It doubles with each rejection, up to one
    /// second, and also delays later records until the service accepts them again
    /// (`kinesis.sink.flushWaitTimeMs`).
    pub(crate) flush_wait: Duration,
    /// How long a record may be rejected before writing fails (`kinesis.sink.recordTtl`). If
    /// `None`, no transient error makes writing fail, whichever call it affects.
    ///
    /// Counted from the first rejection. Waiting in the buffer, for a connection, or for a response
    /// does not count. A record that fails was attempted at least twice, unless this is zero.
    pub(crate) record_ttl: Option<Duration>,
    /// The most requests in flight, over all writers of a [`SinkStream`](super::SinkStream); at
    /// least 1 (`kinesis.sink.maxConnections`).
    pub(crate) max_connections: usize,
    /// How requests that describe the stream are retried.
    pub(crate) retry: RetryPolicy,
}

impl SinkSettings {
    /// The default time to live in statements that end by themselves, the same as in the Kinesis
    /// Producer Library.
    pub(crate) const RECORD_TTL: Duration = Duration::from_secs(30);
}

impl Default for SinkSettings {
    fn default() -> Self {
        Self {
            aggregation: true,
            max_aggregate_bytes: 51_200,
            max_buffered: Duration::from_millis(1_000),
            max_buffered_bytes: 16 * 1024 * 1024,
            flush_wait: Duration::from_millis(100),
            record_ttl: Some(Self::RECORD_TTL),
            max_connections: 1,
            retry: RetryPolicy {
                max_retries: 10,
                first_interval: Duration::from_millis(100),
                max_interval: Duration::from_secs(5),
            },
        }
    }
}
