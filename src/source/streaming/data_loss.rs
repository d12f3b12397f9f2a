//! What a stream reader tells of records that are lost.

use std::fmt::Display;

use tokio::time::Instant;

use super::shared_state::Shared;
use super::state::{Listed, Remade};
use crate::error::{Error, ErrorKind};
use crate::model::{Shard, ShardId, ShardPosition};
use crate::source::retention::WAY_OUT;

impl Shared {
    /// Takes in a listing: starts what may be read, and tells of what is lost.
    pub(crate) fn listed(&self, shards: &[Shard]) {
        let Listed {
            started,
            lost,
            remade,
        } = self.with(|state| state.listed(shards));
        if let Some(remade) = remade {
            self.remade(&remade);
        }
        for (shard, position) in lost {
            let found = "the shard is not there any more and was not read to its end: what it held \
                         after this position is gone";
            self.lost(&shard, &position, &found);
        }
        self.start(started);
    }

    /// Ends the query: the positions are of a stream that is no more.
    fn remade(&self, remade: &Remade) {
        let Remade {
            shard,
            position,
            was,
            is,
        } = remade;
        let place = self.context.place(shard, position);
        let error = Error::new(
            ErrorKind::DataLoss,
            format!(
                "{place}: the stream was deleted and made anew, since the records of this shard begin \
                 after {is} now, and began after {was} when it was read: what the former stream held \
                 after this position is gone. {WAY_OUT}"
            ),
        );
        self.with(|state| {
            state.remade = true;
            state.fail(error);
        });
    }

    /// Tells of a loss behind `position`; gives whether reading goes on.
    pub(crate) fn lost(
        &self,
        shard: &ShardId,
        position: &ShardPosition,
        found: &dyn Display,
    ) -> bool {
        let place = self.context.place(shard, position);
        let message = format!("{place}: {found}. {WAY_OUT}");
        let error = Error::new(ErrorKind::DataLoss, message);
        if self.context.options.fail_on_data_loss {
            self.fail(error);
            return false;
        }
        let told = self.with(|state| {
            state.failures.losses += 1;
            state.loss_warnings.pass(Instant::now())
        });
        if let Some(not_told) = told {
            tracing::warn!(
                %error, not_told,
                "records are lost, reading goes on with the oldest there is"
            );
        }
        true
    }
}
