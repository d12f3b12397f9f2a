//! Streaming queries: a statement over an unbounded table, run batch by batch.
//!
//! [`StreamingQuery::builder`] checks a statement and starts it in the background; the
//! [`StreamingQuery`] it gives is the handle.
//!
//! ```text
//!  builder ──checks──▶ recovery ──whose checkpoint──▶ runner ──▶ waiting ──trigger, data──▶ batch
//!     │                                                 ▲                                     │
//!     ▼                                                 ╰────────────── next ◀────────────────╯
//!   handle ◀──────────────── shared: status, progress, wishes, the end ──────────────────▶ runner
//! ```
//!
//! A batch: its exact ranges are cut off the buffers and written to the log, the plan runs over
//! them, the commit is written. A start runs the newest batch without a commit again, with the same
//! ranges and the same time.

mod batch;
mod builder;
mod events;
mod fail_points;
mod handle;
mod identity;
mod output;
mod plan;
mod schedule;
mod sources;
mod start;
mod status;
mod task;

pub use builder::StreamingQueryBuilder;
pub use events::{
    EventTimeProgress, KinesisMetrics, SinkProgress, SourceProgress, StateOperatorProgress,
    StreamingQueryIdle, StreamingQueryListener, StreamingQueryProgress, StreamingQueryStarted,
    StreamingQueryTerminated,
};
#[doc(hidden)]
pub use fail_points::{Step, StepHook};
pub use handle::StreamingQuery;
#[cfg(feature = "cli")]
pub(crate) use identity::expect_own_checkpoint;
#[cfg(feature = "cli")]
pub(crate) use identity::same_statement;
pub(crate) use plan::explained;
pub use plan::is_streaming;
pub use status::{QueryEnd, QueryStatus};
