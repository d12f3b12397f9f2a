//! What a user can set about writing, and what is counted while writing.

use std::time::Duration;

use crate::kinesis::RetryPolicy;

/// How a stream is written. The defaults are those of the Spark connector this crate replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkSettings {
    /// Whether small records are put together into aggregated records
    /// (`kinesis.sink.aggregationEnabled`). Streams whose service picks the shard never get any.
    pub aggregation: bool,
    /// The largest aggregated record; a larger user record goes alone.
    pub max_aggregate_bytes: usize,
    /// How long a user record waits for others to share an aggregated record with
    /// (`kinesis.sink.recordMaxBufferedTimeMs`).
    pub max_buffered: Duration,
    /// What one writer holds, not yet sent or not yet acknowledged, before it makes its caller
    /// wait. One row more may be held.
    pub max_buffered_bytes: usize,
    /// The wait before a refused record is sent again. It doubles with each refusal, up to a second,
    /// and holds for the records after it too until the service keeps up again
    /// (`kinesis.sink.flushWaitTimeMs`).
    pub flush_wait: Duration,
    /// How long a record may be refused before writing fails (`kinesis.sink.recordTtl`). Without it
    /// nothing that may pass makes writing fail, whatever is asked of the service.
    ///
    /// Counted from its first refusal: waiting in the buffer behind records the shard takes at its
    /// own pace, for a connection, or for an answer is none. A record that fails has been tried
    /// twice at least, unless this is zero.
    pub record_ttl: Option<Duration>,
    /// Requests in flight at once, of all writers of a [`SinkStream`](super::SinkStream) together;
    /// at least 1 (`kinesis.sink.maxConnections`).
    pub max_connections: usize,
    /// How requests about the stream itself are repeated.
    pub retry: RetryPolicy,
}

impl SinkSettings {
    /// How long a record may be refused in a statement that ends by itself, where nothing is said (that of
    /// the Kinesis Producer Library).
    pub const RECORD_TTL: Duration = Duration::from_secs(30);
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
