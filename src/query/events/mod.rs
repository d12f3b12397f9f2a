//! Events of a running query: progress of batches, listeners, and their JSON.

pub(super) mod listener;
pub(super) mod progress;
