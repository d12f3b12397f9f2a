//! The service: what this crate asks of Kinesis Data Streams, and who answers.
//!
//! [`Kinesis`] is the only way to the service. [`SdkKinesis`] is the AWS SDK behind it,
//! [`InMemoryKinesis`] a simulator on an injected clock. Whoever implements it decodes records straight
//! into Arrow columns ([`RecordsPage`]), so that nobody above sees a record struct.

mod api;
#[cfg(feature = "embedded")]
mod embedded;
mod error;
mod in_memory;
pub mod limits;
mod page;
mod retry;
mod sdk;

pub use crate::model::RetryPolicy;
pub use api::{
    ChildShard, DryRun, DryRunAnswer, IteratorPosition, Kinesis, ListShardsFrom, NextToken,
    PutEntry, PutFailure, PutOutcome, RecordDistribution, ShardFilter, ShardIterator, ShardsPage,
    StreamStatus, StreamSummary, WrittenRecord,
};
#[cfg(feature = "embedded")]
pub use embedded::EmbeddedServer;
pub use error::{ApiError, ApiErrorKind, ApiResult, Operation};
pub use in_memory::{
    CONNECTION_LOST, FaultPlan, FaultRates, InMemoryKinesis, InMemoryOptions, TokioClock,
    TrimmedPosition,
};
pub use page::{RecordColumns, RecordsPage, RecordsPageBuilder};
pub use retry::{Backoff, list_all_shards, with_retries};
pub use sdk::SdkKinesis;
#[cfg(feature = "dynamodb")]
pub(crate) use sdk::{Failure, Sent, failure};
