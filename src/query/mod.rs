//! Streaming queries: run a statement over unbounded tables in micro-batches.
//!
//! [`StreamingQuery::builder`] takes a statement, [`start`](StreamingQueryBuilder::start) checks it and starts
//! it in the background, and the returned [`StreamingQuery`] is the handle.
//!
//! ```text
//!  builder ─▶ start ─▶ plan, identity: is it supported? is it this checkpoint's query?
//!               │
//!               ▼     what next?               run this batch
//!  handle ◀─▶ task ◀────────────▶ schedule   task ───────────────▶ batch ─▶ output
//!               ▲                                                    │
//!               ╰──── sources: rows, positions                       ╰─▶ events ─▶ handle, listeners
//! ```
//!
//! | folder | what it does |
//! |---|---|
//! | `builder`, `start` | options of a query; the checks of a start |
//! | `identity` | which query a checkpoint belongs to, where it is stored, which queries are running |
//! | `plan` | turns a statement into the plans of its batches; refuses unsupported statements |
//! | `sources` | readers of the streams, and the positions at which a start resumes |
//! | `schedule` | pure: decides what to do next, from the time and facts about the sources |
//! | `batch` | the steps of one batch: log, run, save state, commit, purge |
//! | `output` | where the rows of a batch go |
//! | `events` | status, progress and listeners |
//! | `handle` | the handle: stop, catch up, result |
//! | `cost` | pure: what the query costs per hour, from counts and list prices |
//! | `health` | rates, alarms, webhook; its rules are pure |
//! | `manager`, `observed` | the queries of a session, and what can be seen of each from outside |
//! | `task` | the background task that connects them |

mod batch;
mod builder;
mod cost;
mod events;
mod fail_points;
mod handle;
mod health;
mod identity;
mod manager;
mod observed;
mod output;
mod plan;
mod schedule;
mod sources;
mod start;
mod status;
mod task;

pub use builder::StreamingQueryBuilder;
pub use cost::EstimatedCost;
pub use events::{
    EventTimeProgress, KinesisMetrics, KinesisSinkMetrics, OutputProgress, PayloadProgress,
    PlanNode, RecordAges, SinkProgress, SourceProgress, SourceReaders, SourceShards,
    StateOperatorProgress, StreamingQueryIdle, StreamingQueryListener, StreamingQueryProgress,
    StreamingQueryStarted, StreamingQueryTerminated,
};
#[doc(hidden)]
pub use fail_points::{Step, StepHook};
pub use handle::StreamingQuery;
pub use health::{
    Alarm, HealthRates, HealthReason, HealthState, ProbeReason, ProbeReport, QueryHealth,
    QueryProbe, StreamingQueryHealthChange,
};
#[cfg(feature = "cli")]
pub(crate) use identity::expect_own_checkpoint;
#[cfg(feature = "cli")]
pub(crate) use identity::same_statement;
pub use manager::{ReadinessHold, StreamingQueries};
pub use observed::{ObservedQuery, QueryDescription, SourceDescription};
pub(crate) use plan::explained;
pub use plan::is_streaming;
pub use status::{QueryEnd, QueryStatus};

pub use crate::sink::SinkStatus;
pub use crate::source::streaming::{RateRange, ShardError, ShardStage, ShardStatus};
pub use crate::state::{StateFilesProgress, StateSample};
