//! Streaming queries: a statement over an unbounded table, run batch by batch.

mod progress;
mod trigger;

pub use progress::{KinesisMetrics, SinkProgress, SourceProgress, StreamingQueryProgress};
