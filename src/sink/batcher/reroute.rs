//! After a reshard: assigns all unacknowledged records to lanes again.
//!
//! A record on a shard other than predicted is written, and a reader that de-aggregates by content
//! sees it. But readers that use the Kinesis Client Library discard a whole aggregate if one of its
//! user records is outside the shard's hash range. Such an aggregate is therefore sent again, as
//! new aggregates by the new shard map: a record that is written twice is better than one that is
//! never read.

use std::collections::HashMap;

use tokio::time::Instant;

use super::Settled;
use super::entry::Entry;
use super::{Batcher, Expired, Layout, lanes_of};
use crate::error::{Error, Result};
use crate::model::{HashRange, ShardId};

/// Why records could not be rerouted.
#[derive(Debug)]
pub(in crate::sink) enum RerouteError {
    /// A record was rejected for longer than its time to live.
    Expired(Expired),
    /// A bug in this crate.
    Internal(Error),
}

impl Batcher {
    /// Whether a new layout is needed and no record is in flight. Lanes of two layouts side by side
    /// could not keep the order of a key.
    pub(in crate::sink) fn needs_layout(&self) -> bool {
        self.mispredicted && self.in_flight == 0
    }

    /// Assigns all records to the lanes of `layout`. Call it once
    /// [`needs_layout`](Self::needs_layout) returns `true`.
    pub(in crate::sink) fn reroute(
        &mut self,
        layout: Layout,
        now: Instant,
    ) -> Result<Settled, RerouteError> {
        self.seal_all();
        let old = std::mem::replace(&mut self.lanes, lanes_of(&layout));
        self.ready.clear();
        self.retries.clear();
        self.timers.clear();
        self.mispredicted = false;
        self.window
            .set_unlimited(matches!(layout, Layout::Aggregated(_)));
        self.layout = layout;

        let layout = self.layout.clone();
        let ranges = match &layout {
            Layout::Aggregated(map) => map.ranges(),
            Layout::Single | Layout::Spread => HashMap::new(),
        };
        let mut settled = Settled::default();
        for entry in old.into_allocated().flat_map(|lane| lane.sealed) {
            self.reroute_entry(entry, &ranges, &mut settled, now)?;
        }
        // Some of the records have already waited in an aggregate.
        self.seal_all();
        Ok(settled)
    }

    fn reroute_entry(
        &mut self,
        mut entry: Entry,
        ranges: &HashMap<&ShardId, HashRange>,
        settled: &mut Settled,
        now: Instant,
    ) -> Result<(), RerouteError> {
        if let Some(shard) = entry.state.written_to.take() {
            let range = ranges.get(&shard);
            if let Some(&range) = range
                && entry.is_within(range).map_err(RerouteError::Internal)?
            {
                self.settle(&entry, settled);
                return Ok(());
            }
            let failure =
                format!("written to {shard}, whose hash range does not cover all of its records");
            entry.state.history.rejected(failure, now);
            self.check_expiry(&entry, now)
                .map_err(RerouteError::Expired)?;
            settled.resent += 1;
        }
        self.forget(&entry);
        entry
            .for_each_user_record(|record| self.push_with(record, None, &entry.state.history, now))
            .map_err(RerouteError::Internal)
    }
}
