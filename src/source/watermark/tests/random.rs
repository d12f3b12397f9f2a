//! Random histories of a stream, compared with a model that drops nothing.

use super::*;

/// A shard, with the largest time that was seen in it.
#[derive(Debug, Clone)]
struct Shard {
    source: usize,
    parents: Vec<usize>,
    state: Activity,
    /// Whether it is tracked.
    known: bool,
    seen: Option<i64>,
}

/// All shards that ever existed; children follow their parents.
#[derive(Debug, Default)]
struct History {
    shards: Vec<Shard>,
    watermark: Option<i64>,
}

fn name(index: usize) -> ShardId {
    ShardId::new(format!("shardId-{index:012}"))
}

impl History {
    fn add(&mut self, source: usize, parents: Vec<usize>, known: bool) {
        self.shards.push(Shard {
            source,
            parents,
            state: Activity::Active,
            known,
            seen: None,
        });
    }

    fn has_ended(&self, index: usize) -> bool {
        self.shards[index].state == Activity::Ended
    }

    /// Whether rows of it may be read.
    fn is_read(&self, index: usize) -> bool {
        let shard = &self.shards[index];
        let parents = &shard.parents;
        shard.known
            && !self.has_ended(index)
            && parents.iter().all(|parent| self.has_ended(*parent))
    }

    /// Whether it has children.
    fn is_closed(&self, index: usize) -> bool {
        let mut shards = self.shards.iter();
        shards.any(|shard| shard.parents.contains(&index))
    }

    /// Splits a shard, or merges two.
    fn reshard(&mut self, random: &mut fastrand::Rng) {
        let open: Vec<usize> = (0..self.shards.len())
            .filter(|index| self.is_read(*index) && !self.is_closed(*index))
            .collect();
        let Some(parent) = random.choice(&open).copied() else {
            return;
        };
        let source = self.shards[parent].source;
        let sibling = open
            .iter()
            .copied()
            .find(|index| *index != parent && self.shards[*index].source == source);
        let known = random.bool();
        match sibling.filter(|_| random.bool()) {
            Some(sibling) => self.add(source, vec![parent, sibling], known),
            None => {
                for _ in 0..2 {
                    self.add(source, vec![parent], known);
                }
            }
        }
    }

    /// Random events between two batches.
    fn pass(&mut self, random: &mut fastrand::Rng) {
        if random.u8(..5) == 0 && self.shards.len() < 40 {
            self.reshard(random);
        }
        for index in 0..self.shards.len() {
            // Siblings are listed together.
            let sibling = index.checked_sub(1).map(|before| &self.shards[before]);
            let parents = &self.shards[index].parents;
            self.shards[index].known |= match sibling {
                Some(sibling) if sibling.parents == *parents => sibling.known,
                _ => random.bool(),
            };
            if !self.is_read(index) {
                continue;
            }
            self.shards[index].state = if self.is_closed(index) && random.u8(..3) == 0 {
                Activity::Ended
            } else if random.u8(..3) == 0 {
                Activity::Idle
            } else {
                Activity::Active
            };
        }
    }

    /// The time of each shard, inherited from its parents if it has none of its own.
    fn times(&self) -> Vec<Option<i64>> {
        let mut times: Vec<Option<i64>> = Vec::new();
        for shard in &self.shards {
            let parents = shard.parents.iter().filter_map(|parent| times[*parent]);
            times.push(shard.seen.max(parents.min()));
        }
        times
    }

    /// The watermark by the model.
    fn expected(&mut self) -> Option<i64> {
        let times = self.times();
        let counts = |index: &usize| {
            let mut children = self.shards.iter().filter(|child| child.known);
            let has_heir = children.any(|child| child.parents.contains(index));
            match self.shards[*index].state {
                _ if !self.shards[*index].known => false,
                Activity::Active => true,
                Activity::Idle => false,
                Activity::Ended => !has_heir && times[*index].is_some(),
            }
        };
        let counting: Vec<usize> = (0..self.shards.len()).filter(counts).collect();
        let next = if counting.is_empty() {
            times.iter().flatten().max().copied()
        } else if counting.iter().any(|index| times[*index].is_none()) {
            None
        } else {
            counting.iter().filter_map(|index| times[*index]).min()
        };
        self.watermark = self.watermark.max(next.map(|time| time - 10));
        self.watermark
    }

    fn coverage(&self) -> Vec<Coverage> {
        let of = |source: usize| {
            let shards = self.shards.iter().enumerate();
            let known = shards.filter(|(_, shard)| shard.known && shard.source == source);
            let standing = |(index, shard): (usize, &Shard)| ShardActivity {
                shard: name(index),
                parents: shard.parents.iter().map(|parent| name(*parent)).collect(),
                activity: shard.state,
                quiet: Duration::ZERO,
            };
            Coverage {
                shards: known.map(standing).collect(),
                ..Coverage::default()
            }
        };
        vec![of(0), of(1)]
    }
}

#[test]
fn random_histories_match_the_model_and_the_watermark_never_goes_back() {
    let (mut moved, mut reshards) = (0, 0);
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut history = History::default();
        for source in [0, 0, 1] {
            history.add(source, Vec::new(), true);
        }
        let mut watermarks = Watermarks::new(DELAY, &InputProgress::default(), 2);
        for batch in 0..60 {
            history.pass(&mut random);
            let before = watermarks.watermark;
            let found = watermarks.advance(&history.coverage());
            let expected = history.expected().map(UnixMillis);
            assert_eq!(found, expected, "seed {seed}, batch {batch}, {history:#?}");
            assert!(found >= before);
            moved += usize::from(found > before);
            for index in 0..history.shards.len() {
                let active = history.shards[index].state == Activity::Active;
                if history.is_read(index) && active && random.bool() {
                    let time = batch * 10 + random.i64(0..100);
                    let shard = &mut history.shards[index];
                    shard.seen = shard.seen.max(Some(time));
                    watermarks.seen(shard.source, &name(index), UnixMillis(time));
                }
            }
            if random.u8(..4) == 0 {
                watermarks = restarted(&watermarks);
            }
        }
        reshards += history.shards.len() - 3;
        let kept: usize = watermarks.event_times().iter().map(BTreeMap::len).sum();
        let over = (0..history.shards.len()).filter(|index| history.has_ended(*index));
        assert!(
            kept <= history.shards.len() - over.count() + 6,
            "{kept} {history:#?}"
        );
    }
    assert!(moved > 5_000 && reshards > 5_000, "{moved} {reshards}");
}

#[test]
fn ten_thousand_shards_are_combined_quickly() {
    let shards: Vec<ShardActivity> = (0..20_000)
        .map(|index| ShardActivity {
            shard: name(index),
            parents: if index < 10_000 {
                Vec::new()
            } else {
                vec![name(index - 10_000), name((index + 1) % 10_000)]
            },
            activity: if index < 10_000 {
                Activity::Ended
            } else {
                Activity::Active
            },
            quiet: Duration::ZERO,
        })
        .collect();
    let mut watermarks = Watermarks::new(DELAY, &InputProgress::default(), 1);
    for index in 0..10_000 {
        watermarks.seen(0, &name(index), UnixMillis(50 + index as i64));
    }
    let all = [Coverage {
        shards,
        ..Coverage::default()
    }];
    assert_eq!(watermarks.advance(&all), Some(UnixMillis(40)));
    for _ in 0..10 {
        watermarks.advance(&all);
    }
    assert!(watermarks.event_times()[0].len() <= 10_001);
}
