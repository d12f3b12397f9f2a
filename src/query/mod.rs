//! Streaming queries: a statement over an unbounded table, run batch by batch.

mod failure;
mod listener;
mod output;
mod plan;
mod progress;
mod trigger;

pub use listener::{
    StreamingQueryIdle, StreamingQueryListener, StreamingQueryStarted, StreamingQueryTerminated,
};
pub use plan::is_streaming;
pub use progress::{KinesisMetrics, SinkProgress, SourceProgress, StreamingQueryProgress};
