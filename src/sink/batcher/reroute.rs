//! After a reshard: everything that is not written finds its lane anew.
//!
//! A record on another shard than predicted is written, and a reader that opens aggregates by their
//! content has it. But readers of the Kinesis Client Library drop an aggregate whole as soon as one
//! user record in it lies outside the shard's hash range. Such an aggregate is therefore sent again,
//! as new aggregates by the new map: a record that comes twice is better than one that never comes.

use std::collections::HashMap;

use tokio::time::Instant;

use super::Settled;
use super::entry::Entry;
use super::{Batcher, Expired, Layout, lanes_of};
use crate::error::{Error, Result};
use crate::model::{HashRange, ShardId};

/// Why records could not be laid out anew.
#[derive(Debug)]
pub(in crate::sink) enum RerouteError {
    /// A record has been on the way for too long.
    Expired(Expired),
    /// Something is wrong with this crate.
    Internal(Error),
}

impl Batcher {
    /// Whether a new layout is needed, and nothing in flight holds it up any more: lanes of two
    /// layouts side by side could not keep the order of a key.
    pub(in crate::sink) fn wants_layout(&self) -> bool {
        self.misled && self.in_flight == 0
    }

    /// Lays all records out by `layout`; for when [`wants_layout`](Self::wants_layout) says so.
    pub(in crate::sink) fn reroute(
        &mut self,
        layout: Layout,
        now: Instant,
    ) -> Result<Settled, RerouteError> {
        self.seal_all();
        let old = std::mem::replace(&mut self.lanes, lanes_of(&layout));
        self.ready.clear();
        self.again.clear();
        self.timers.clear();
        self.misled = false;
        self.window
            .set_open(matches!(layout, Layout::Aggregated(_)));
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
        // Some of them have waited for company before.
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
        if let Some(shard) = entry.tag.landed.take() {
            let range = ranges.get(&shard);
            if let Some(&range) = range
                && entry.is_within(range).map_err(RerouteError::Internal)?
            {
                self.settle(&entry, settled);
                return Ok(());
            }
            let failure = format!("written to {shard}, which does not take all of its hash keys");
            entry.tag.history.refused(failure, now);
            self.check_expiry(&entry, now)
                .map_err(RerouteError::Expired)?;
            settled.resent += 1;
        }
        self.forget(&entry);
        entry
            .for_each_user_record(|record| self.push_with(record, &entry.tag.history, now))
            .map_err(RerouteError::Internal)
    }
}
