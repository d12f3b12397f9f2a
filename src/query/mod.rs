//! Streaming queries: a statement over an unbounded table, run batch by batch.

mod trigger;
