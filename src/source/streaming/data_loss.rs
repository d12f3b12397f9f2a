//! Handles a listing or a page that shows lost records: the query fails, or it counts the loss and
//! continues.

use std::fmt::Display;

use tokio::time::Instant;

use super::shared_state::SharedState;
use super::state::{ListingOutcome, RecreatedShard};
use crate::error::{Error, ErrorKind};
use crate::model::{Shard, ShardId, ShardPosition};
use crate::source::retention::CONTINUE_HINT;

impl SharedState {
    /// Handles a listing: starts shards that may be read now, and reports losses.
    pub(super) fn listed(&self, shards: &[Shard]) {
        let ListingOutcome {
            started,
            lost,
            recreated,
        } = self.with(|state| state.listed(shards));
        if let Some(recreated) = recreated {
            self.fail_recreated(&recreated);
        }
        for (shard, position) in lost {
            let reason = "the shard no longer exists and was not read to its end: its records after this \
                          position are lost";
            self.report_loss(&shard, &position, &reason);
        }
        self.start(started);
    }

    /// Ends the query: its positions belong to a stream that no longer exists.
    fn fail_recreated(&self, recreated: &RecreatedShard) {
        let RecreatedShard {
            shard,
            position,
            former_start,
            present_start,
        } = recreated;
        let location = self.context.location(shard, position);
        let error = Error::new(
            ErrorKind::DataLoss,
            format!(
                "{location}: the stream was deleted and recreated: the records of this shard now begin \
                 after {present_start}, and began after {former_start} when it was read. The records of the \
                 former stream after this position are lost. {CONTINUE_HINT}"
            ),
        );
        self.with(|state| {
            state.is_recreated = true;
            state.fail(error);
        });
    }

    /// Reports records that are lost after `position`; returns whether reading continues.
    pub(super) fn report_loss(
        &self,
        shard: &ShardId,
        position: &ShardPosition,
        reason: &dyn Display,
    ) -> bool {
        let location = self.context.location(shard, position);
        let message = format!("{location}: {reason}. {CONTINUE_HINT}");
        let error = Error::new(ErrorKind::DataLoss, message);
        if self.context.options.fail_on_data_loss {
            self.fail(error);
            return false;
        }
        let warning = self.with(|state| {
            state.failures.losses += 1;
            state.loss_warnings.admit(Instant::now())
        });
        if let Some(suppressed) = warning {
            tracing::warn!(
                %error, suppressed,
                "records are lost, continuing with the oldest ones that are left"
            );
        }
        true
    }
}
