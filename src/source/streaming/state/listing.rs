//! What a listing says of the shards of a stream.

use std::collections::HashSet;

use super::State;
use super::shard::{Followed, Progress};
use super::tracking::parents_of;
use crate::model::{SequenceNumber, Shard, ShardId, ShardPosition};
use crate::source::lineage::{Stage, new_shards};
use crate::source::retention::Past;

/// What follows a listing.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// Shards that may be read from now on.
    pub(crate) started: Vec<ShardId>,
    /// Shards that cannot be read to their end any more, and how far they were.
    pub(crate) lost: Vec<(ShardId, ShardPosition)>,
    /// A shard that is of another stream than what was read of it.
    pub(crate) remade: Option<Remade>,
}

/// A shard of a stream that was made anew.
#[derive(Debug)]
pub(crate) struct Remade {
    pub(crate) shard: ShardId,
    pub(crate) position: ShardPosition,
    /// The number before the first record of the shard that was read.
    pub(crate) was: SequenceNumber,
    /// The same of the shard there is now.
    pub(crate) is: SequenceNumber,
}

impl State {
    /// Takes in a listing.
    pub(crate) fn listed(&mut self, listed: &[Shard]) -> Listed {
        self.listings += 1;
        self.last_listing = self.listings_begun;
        if let Some(remade) = self.remade_in(listed) {
            return Listed {
                remade: Some(remade),
                ..Listed::default()
            };
        }
        for shard in listed {
            self.meet(shard);
        }
        if !self.rules.frozen {
            for shard in new_shards(listed, |shard| self.shards.contains_key(shard)) {
                let (id, start) = (shard.id.clone(), ShardPosition::TrimHorizon);
                self.track(id, start, Past::default(), Some(shard));
            }
            self.version += u64::from(self.listing_due);
            self.listing_due = false;
        }
        let ids: HashSet<&ShardId> = listed.iter().map(|shard| &shard.id).collect();
        self.note_parents(listed, &ids);
        let unlisted = self.lineage.observe(&ids);
        for shard in &unlisted.dropped {
            if let Some(followed) = self.shards.remove(shard) {
                self.tally
                    .remove(followed.tally(self.rules.caps.rows_per_shard));
            }
        }
        let lost = unlisted.lost.into_iter();
        let lost: Vec<_> = lost.filter_map(|shard| self.lost(shard)).collect();
        let mut started = Vec::new();
        for (shard, _) in &lost {
            started.extend(self.consume_if_drained(shard));
        }
        let waiting = self.lineage.start_all();
        started.extend(self.started(waiting));
        Listed {
            started,
            lost,
            remade: None,
        }
    }

    /// A tracked shard that the listing has with another first number.
    fn remade_in(&self, listed: &[Shard]) -> Option<Remade> {
        listed.iter().find_map(|shard| {
            let followed = self.shards.get(&shard.id)?;
            let was = followed.begins_after.clone()?;
            (was != shard.starting_sequence).then(|| Remade {
                shard: shard.id.clone(),
                position: followed.buffer.end().clone(),
                was,
                is: shard.starting_sequence.clone(),
            })
        })
    }

    /// Takes from a listing what is not known yet of a tracked shard.
    fn meet(&mut self, shard: &Shard) {
        let frozen = self.rules.frozen;
        let Some(known) = self.shards.get_mut(&shard.id) else {
            return;
        };
        known.closed |= shard.is_closed() && !frozen;
        if known.begins_after.is_some() {
            return;
        }
        known.begins_after = Some(shard.starting_sequence.clone());
        if !self.lineage.parents(&shard.id).is_empty() {
            return;
        }
        // It was tracked before it was listed.
        let parents = parents_of(shard);
        let range = self.filter(!parents.is_empty(), shard.hash_range);
        let unread = self.lineage.stage(&shard.id) == Some(Stage::Missing);
        self.lineage.adopt(&shard.id, parents, unread);
        self.update(&shard.id, |followed| {
            followed.hash_range = range;
            if unread {
                followed.progress = Progress::Waiting;
            }
        });
    }

    /// Takes note of the shards whose parents are listed. A closed shard is for as long as its last record
    /// would stay: what its children took first is younger, and still there.
    fn note_parents(&mut self, listed: &[Shard], ids: &HashSet<&ShardId>) {
        for shard in listed {
            let mut parents = shard.parent.iter().chain(&shard.adjacent_parent);
            if parents.any(|parent| ids.contains(parent))
                && let Some(followed) = self.shards.get_mut(&shard.id)
            {
                followed.had_parents = self.last_listing;
            }
        }
    }

    /// Whether the shard had a parent when the first listing behind that of number `listing` was asked
    /// for, or a later one; `None` before it has come.
    pub(crate) fn has_parents_behind(&self, shard: &ShardId, listing: u64) -> Option<bool> {
        let had_parents = |followed: &Followed| followed.had_parents > listing;
        (self.last_listing > listing).then(|| self.shards.get(shard).is_some_and(had_parents))
    }

    /// Reads no more of a shard; gives it and how far it was read. The next batch ends with its end, as
    /// if it had been read to it, unless the query is to stop before that.
    fn lost(&mut self, shard: ShardId) -> Option<(ShardId, ShardPosition)> {
        let stops = self.rules.fail_on_data_loss;
        let position = self.update(&shard, |followed| {
            let position = followed.buffer.end().clone();
            followed.progress = Progress::Done;
            if !stops {
                followed.closed = true;
                followed.buffer.close();
            }
            position
        });
        position.map(|position| (shard, position))
    }
}
