//! What a bounded scan has read last, so that a record it has failed at can be found again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::shard_read::{ShardRead, Until};
use crate::model::{ShardId, ShardPosition};

/// Pages of a shard that are remembered: more than can be on their way between a scan and what computes.
const REMEMBERED_PAGES: usize = 8;

/// The places of the pages that were read last of each shard. Noted once a page.
#[derive(Debug, Default)]
pub(crate) struct RecentPages(Mutex<BTreeMap<ShardId, Recent>>);

#[derive(Debug)]
struct Recent {
    read: ShardRead,
    /// Where the pages began, the oldest first.
    starts: VecDeque<ShardPosition>,
    /// Behind the last one.
    end: ShardPosition,
}

impl RecentPages {
    /// Notes that `read` has come from `start` to `end` with a page.
    pub(crate) fn note(&self, read: &ShardRead, start: ShardPosition, end: ShardPosition) {
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

    /// The reads of the pages that are remembered.
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
    fn the_last_pages_of_each_shard_are_remembered() {
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
        recent.note(&read, ShardPosition::TrimHorizon, after(1));
        assert_eq!(recent.reads(), expected(ShardPosition::TrimHorizon, 1));
        for page in 1..=REMEMBERED_PAGES {
            recent.note(&read, after(page), after(page + 1));
        }
        assert_eq!(recent.reads(), expected(after(1), REMEMBERED_PAGES + 1));
    }
}
