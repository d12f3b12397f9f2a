//! The service: what this crate asks of Kinesis Data Streams, and who answers.
//!
//! [`Kinesis`] is the only way to the service. [`SdkKinesis`] is the AWS SDK behind it,
//! `InMemoryKinesis` (feature `simulator`) a simulator on an injected clock. Implementations decode
//! records straight into Arrow columns ([`RecordsPage`]): no caller sees a record struct.

mod api;
mod error;
pub mod limits;
mod list_shards;
mod records_page;
mod retry;
mod sdk;
#[cfg(any(test, feature = "simulator"))]
mod simulator;
mod types;

pub use crate::model::RetryPolicy;
pub use api::{DryRun, DryRunAnswer, Kinesis};
pub use error::{ApiError, ApiErrorKind, ApiResult, Operation};
pub use list_shards::list_all_shards;
pub use records_page::{RecordColumns, RecordsPage, RecordsPageBuilder};
pub use retry::{Backoff, with_retries};
pub use sdk::SdkKinesis;
#[cfg(feature = "dynamodb")]
pub(crate) use sdk::{Failure, Sent, failure};
#[cfg(feature = "simulator")]
pub use simulator::EmbeddedServer;
#[cfg(any(test, feature = "simulator"))]
pub use simulator::{
    CONNECTION_LOST, FaultPlan, FaultRates, InMemoryKinesis, InMemoryOptions, TokioClock,
    TrimmedPosition,
};
pub use types::{
    ChildShard, IteratorPosition, ListShardsFrom, NextToken, PutEntry, PutFailure, PutOutcome,
    RecordDistribution, ShardFilter, ShardIterator, ShardsPage, StreamStatus, StreamSummary,
    WrittenRecord,
};
