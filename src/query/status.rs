//! How a query is, and how it has ended.

/// Why a query has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueryEnd {
    /// Its trigger was done, which `once` and `available now` are with what was there at the start.
    Finished,
    /// It was asked to with [`StreamingQuery::stop`](super::StreamingQuery::stop).
    Stopped,
    /// There was a `STOP_LOCK` in its checkpoint location.
    StopLock,
    /// By [an error](super::StreamingQuery::error).
    Failed,
}

/// What a query does at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryStatus {
    /// In words.
    pub message: String,
    /// Whether there is data that no batch has taken.
    pub is_data_available: bool,
    /// Whether a batch is being planned or run.
    pub is_trigger_active: bool,
}
