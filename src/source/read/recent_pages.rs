//! The pages that a bounded scan read last. They are read again to find the record that made a query fail.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::shard_read::{ShardRead, Until};
use crate::model::{ShardId, ShardPosition};

/// Remembered pages per shard: more than can be in flight between a scan and the operator that fails.
const REMEMBERED_PAGES: usize = 8;

/// The positions of the last pages of each shard. Updated once per page.
#[derive(Debug, Default)]
pub(crate) struct RecentPages(Mutex<BTreeMap<ShardId, Recent>>);

#[derive(Debug)]
struct Recent {
    read: ShardRead,
    /// The start of each page, oldest first.
    starts: VecDeque<ShardPosition>,
    /// The end of the last page.
    end: ShardPosition,
}

impl RecentPages {
    /// Records a page of `read` from `start` to `end`.
    pub(super) fn record(&self, read: &ShardRead, start: ShardPosition, end: ShardPosition) {
        let mut shards = self.lock();
        let recent = shards.entry(read.shard.clone()).or_insert_with(|| Recent {
            read: read.clone(),
            starts: VecDeque::with_capacity(REMEMBERED_PAGES),
            end: start.clone(),
        });
        if recent.starts.len() == REMEMBERED_PAGES {
            recent.starts.pop_front();
        }
        recent.starts.push_back(start);
        recent.end = end;
    }

    /// Reads of the remembered pages.
    pub(crate) fn reads(&self) -> Vec<ShardRead> {
        let shards = self.lock();
        let reads = shards.values().filter_map(|recent| {
            Some(ShardRead {
                start: recent.starts.front()?.clone(),
                until: Until::Position(recent.end.clone()),
                limit: None,
                ..recent.read.clone()
            })
        });
        reads.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ShardId, Recent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SequenceNumber, UnixMillis};

    fn after(number: usize) -> ShardPosition {
        ShardPosition::After {
            sequence: SequenceNumber::new(&number.to_string()).unwrap(),
            sub_sequence: None,
        }
    }

    #[test]
    fn only_the_last_pages_of_a_shard_are_remembered() {
        let recent = RecentPages::default();
        let read = ShardRead {
            shard: ShardId::new("shardId-000000000000"),
            hash_range: None,
            start: ShardPosition::TrimHorizon,
            until: Until::Tip(UnixMillis(0)),
            limit: Some(5),
            rows: None,
            number: 0,
        };
        let expected = |start: ShardPosition, end: usize| {
            vec![ShardRead {
                start,
                until: Until::Position(after(end)),
                limit: None,
                ..read.clone()
            }]
        };
        assert_eq!(recent.reads(), []);
        recent.record(&read, ShardPosition::TrimHorizon, after(1));
        assert_eq!(recent.reads(), expected(ShardPosition::TrimHorizon, 1));
        for page in 1..=REMEMBERED_PAGES {
            recent.record(&read, after(page), after(page + 1));
        }
        assert_eq!(recent.reads(), expected(after(1), REMEMBERED_PAGES + 1));
    }
}
