//! Access to Kinesis Data Streams: the service trait, the AWS SDK client, retries, and the
//! simulator.
//!
//! All requests go through [`Kinesis`]. [`SdkKinesis`] implements it with the AWS SDK, and
//! `InMemoryKinesis` (feature `simulator`) simulates the service on an injected clock.
//! Implementations decode records straight into Arrow columns ([`RecordsPage`]), so the layers
//! above never handle one struct per record.

mod api;
mod buffer_pool;
mod error;
mod fan_out;
pub mod limits;
mod list_shards;
mod records_page;
mod retry;
mod sdk;
#[cfg(any(test, feature = "simulator"))]
mod simulator;
mod types;
mod wire;

pub use api::{DryRun, DryRunAnswer, Kinesis};
#[cfg(any(test, fuzzing, feature = "cli"))]
pub(crate) use buffer_pool::BufferPool;
pub(crate) use error::kind_of_code;
pub use error::{ApiError, ApiErrorKind, ApiResult, Operation};
pub use fan_out::{
    ConsumerId, ConsumerStatus, ConsumerSummary, ConsumerTags, ConsumersPage, FanOut, Subscription,
    SubscriptionEvent,
};
pub(crate) use list_shards::list_all_shards;
pub use records_page::{RecordColumns, RecordsPage, RecordsPageBuilder};
pub(crate) use retry::{Backoff, RequestError, with_retries};
pub use sdk::SdkKinesis;
#[cfg(feature = "dynamodb")]
pub(crate) use sdk::{ClassifiedError, RequestContext, classify};
#[cfg(feature = "simulator")]
pub use simulator::EmbeddedServer;
#[cfg(any(test, feature = "simulator"))]
pub use simulator::{
    CONNECTION_LOST, FaultPlan, FaultRates, InMemoryKinesis, InMemoryOptions, TokioClock,
    TrimmedPosition,
};
pub use types::{
    ChildShard, IteratorPosition, ListShardsFrom, NextToken, PutEntry, PutFailure, PutOutcome,
    RecordDistribution, ShardFilter, ShardIterator, ShardsPage, StreamMode, StreamStatus,
    StreamSummary, WrittenRecord,
};
#[cfg(any(test, fuzzing, feature = "cli"))]
pub(crate) use wire::Format as WireBody;
