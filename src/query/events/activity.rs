//! What a query is doing.

use crate::model::BatchId;
use crate::query::health::HealthState;
use crate::query::status::QueryStatus;

/// What a query is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::query) enum Activity {
    Starting,
    /// It takes over the checkpoint and restores its state.
    Recovering,
    WaitingForTrigger,
    /// There are rows, and shards that are worth waiting for.
    WaitingForShards,
    WaitingForData,
    Processing(BatchId),
    Stopped,
    /// It ended with this error.
    Failed(String),
}

impl Activity {
    /// The status that handles see.
    pub(super) fn status(&self, health: HealthState) -> QueryStatus {
        let is_active = matches!(self, Self::WaitingForShards | Self::Processing(_));
        QueryStatus {
            message: self.message(),
            is_data_available: is_active,
            is_trigger_active: is_active,
            health,
        }
    }

    /// The message of the status.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Starting => "Starting".to_owned(),
            Self::Recovering => "Recovering".to_owned(),
            Self::WaitingForTrigger => "Waiting for next trigger".to_owned(),
            Self::WaitingForShards => "Waiting for shards to catch up".to_owned(),
            Self::WaitingForData => "Waiting for data to arrive".to_owned(),
            Self::Processing(batch) => format!("Processing batch {batch}"),
            Self::Stopped => "Stopped".to_owned(),
            Self::Failed(error) => format!("Terminated with an error: {error}"),
        }
    }

    /// The batch that runs.
    pub(super) fn batch(&self) -> Option<BatchId> {
        match self {
            Self::Processing(batch) => Some(*batch),
            _ => None,
        }
    }

    /// Whether a batch runs, or would run if the query could. It takes a while to recover, in which rows may wait.
    pub(super) fn is_due(&self) -> bool {
        matches!(
            self,
            Self::Recovering | Self::WaitingForShards | Self::Processing(_)
        )
    }

    /// Whether it waits for rows or for its trigger.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self, Self::WaitingForTrigger | Self::WaitingForData)
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self, Self::Stopped | Self::Failed(_))
    }
}
