//! Streaming queries: a statement over an unbounded table, run batch by batch.

mod listener;
mod progress;
mod trigger;

pub use listener::{
    StreamingQueryIdle, StreamingQueryListener, StreamingQueryStarted, StreamingQueryTerminated,
};
pub use progress::{KinesisMetrics, SinkProgress, SourceProgress, StreamingQueryProgress};
