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
mod handle;
mod housekeeping;
mod idle;
mod listener;
mod numbers;
mod output;
mod place;
mod plan;
#[cfg(feature = "cli")]
mod preview;
mod progress;
mod recovery;
mod registry;
mod report;
mod resume;
mod runner;
mod shared;
mod start;
mod stateful;
mod statement;
mod status;
mod steps;
mod timer;
mod trigger;
mod waiting;

pub use builder::StreamingQueryBuilder;
pub use handle::StreamingQuery;
pub use listener::{
    StreamingQueryIdle, StreamingQueryListener, StreamingQueryStarted, StreamingQueryTerminated,
};
pub(crate) use plan::explained;
pub use plan::is_streaming;
#[cfg(feature = "cli")]
pub(crate) use preview::expect_own_checkpoint;
pub use progress::{
    EventTimeProgress, KinesisMetrics, SinkProgress, SourceProgress, StateOperatorProgress,
    StreamingQueryProgress,
};
#[cfg(feature = "cli")]
pub(crate) use statement::same_statement;
pub use status::{QueryEnd, QueryStatus};
#[doc(hidden)]
pub use steps::{Step, StepHook};
