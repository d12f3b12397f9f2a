//! Days of a stream at random, against the rule itself, which forgets nothing.

use super::*;

/// A shard, with all that was ever seen of it.
#[derive(Debug, Clone)]
struct Shard {
    source: usize,
    parents: Vec<usize>,
    state: Activity,
    /// Whether the query knows it.
    known: bool,
    seen: Option<i64>,
}

/// All shards there ever were; children come after their parents.
#[derive(Debug, Default)]
struct Day {
    shards: Vec<Shard>,
    watermark: Option<i64>,
}

fn name(place: usize) -> ShardId {
    ShardId::new(format!("shardId-{place:012}"))
}

impl Day {
    fn add(&mut self, source: usize, parents: Vec<usize>, known: bool) {
        self.shards.push(Shard {
            source,
            parents,
            state: Activity::Active,
            known,
            seen: None,
        });
    }

    fn is_over(&self, place: usize) -> bool {
        self.shards[place].state == Activity::Ended
    }

    /// Whether rows of it may be read.
    fn is_read(&self, place: usize) -> bool {
        let shard = &self.shards[place];
        let parents = &shard.parents;
        shard.known && !self.is_over(place) && parents.iter().all(|parent| self.is_over(*parent))
    }

    /// Whether somebody was made of it.
    fn is_closed(&self, place: usize) -> bool {
        let mut shards = self.shards.iter();
        shards.any(|shard| shard.parents.contains(&place))
    }

    /// Splits a shard, or merges two.
    fn reshard(&mut self, random: &mut fastrand::Rng) {
        let open: Vec<usize> = (0..self.shards.len())
            .filter(|place| self.is_read(*place) && !self.is_closed(*place))
            .collect();
        let Some(parent) = random.choice(&open).copied() else {
            return;
        };
        let source = self.shards[parent].source;
        let sibling = open
            .iter()
            .copied()
            .find(|place| *place != parent && self.shards[*place].source == source);
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

    /// What happens between two batches.
    fn pass(&mut self, random: &mut fastrand::Rng) {
        if random.u8(..5) == 0 && self.shards.len() < 40 {
            self.reshard(random);
        }
        for place in 0..self.shards.len() {
            // Siblings are listed together.
            let sibling = place.checked_sub(1).map(|before| &self.shards[before]);
            let parents = &self.shards[place].parents;
            self.shards[place].known |= match sibling {
                Some(sibling) if sibling.parents == *parents => sibling.known,
                _ => random.bool(),
            };
            if !self.is_read(place) {
                continue;
            }
            self.shards[place].state = if self.is_closed(place) && random.u8(..3) == 0 {
                Activity::Ended
            } else if random.u8(..3) == 0 {
                Activity::Idle
            } else {
                Activity::Active
            };
        }
    }

    /// How far each shard is: no less than the least of the shards it was made from.
    fn times(&self) -> Vec<Option<i64>> {
        let mut times: Vec<Option<i64>> = Vec::new();
        for shard in &self.shards {
            let parents = shard.parents.iter().filter_map(|parent| times[*parent]);
            times.push(shard.seen.max(parents.min()));
        }
        times
    }

    /// The watermark by the rule.
    fn expected(&mut self) -> Option<i64> {
        let times = self.times();
        let counts = |place: &usize| {
            let mut children = self.shards.iter().filter(|child| child.known);
            let has_heir = children.any(|child| child.parents.contains(place));
            match self.shards[*place].state {
                _ if !self.shards[*place].known => false,
                Activity::Active => true,
                Activity::Idle => false,
                Activity::Ended => !has_heir && times[*place].is_some(),
            }
        };
        let counting: Vec<usize> = (0..self.shards.len()).filter(counts).collect();
        let next = if counting.is_empty() {
            times.iter().flatten().max().copied()
        } else if counting.iter().any(|place| times[*place].is_none()) {
            None
        } else {
            counting.iter().filter_map(|place| times[*place]).min()
        };
        self.watermark = self.watermark.max(next.map(|time| time - 10));
        self.watermark
    }

    fn coverage(&self) -> Vec<Coverage> {
        let of = |source: usize| {
            let shards = self.shards.iter().enumerate();
            let known = shards.filter(|(_, shard)| shard.known && shard.source == source);
            let standing = |(place, shard): (usize, &Shard)| ShardActivity {
                shard: name(place),
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
fn random_days_have_the_watermark_of_the_rule_and_it_never_goes_back() {
    let (mut moved, mut reshards) = (0, 0);
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut day = Day::default();
        for source in [0, 0, 1] {
            day.add(source, Vec::new(), true);
        }
        let mut watermarks = Watermarks::new(DELAY, &InputProgress::default(), 2);
        for batch in 0..60 {
            day.pass(&mut random);
            let before = watermarks.watermark;
            let found = watermarks.advance(&day.coverage());
            let expected = day.expected().map(UnixMillis);
            assert_eq!(found, expected, "seed {seed}, batch {batch}, {day:#?}");
            assert!(found >= before);
            moved += usize::from(found > before);
            for place in 0..day.shards.len() {
                let active = day.shards[place].state == Activity::Active;
                if day.is_read(place) && active && random.bool() {
                    let time = batch * 10 + random.i64(0..100);
                    let shard = &mut day.shards[place];
                    shard.seen = shard.seen.max(Some(time));
                    watermarks.seen(shard.source, &name(place), UnixMillis(time));
                }
            }
            if random.u8(..4) == 0 {
                watermarks = restarted(&watermarks);
            }
        }
        reshards += day.shards.len() - 3;
        let kept: usize = watermarks.event_times().iter().map(BTreeMap::len).sum();
        let over = (0..day.shards.len()).filter(|place| day.is_over(*place));
        assert!(
            kept <= day.shards.len() - over.count() + 6,
            "{kept} {day:#?}"
        );
    }
    assert!(moved > 5_000 && reshards > 5_000, "{moved} {reshards}");
}

#[test]
fn ten_thousand_shards_take_no_time() {
    let shards: Vec<ShardActivity> = (0..20_000)
        .map(|place| ShardActivity {
            shard: name(place),
            parents: if place < 10_000 {
                Vec::new()
            } else {
                vec![name(place - 10_000), name((place + 1) % 10_000)]
            },
            activity: if place < 10_000 {
                Activity::Ended
            } else {
                Activity::Active
            },
            quiet: Duration::ZERO,
        })
        .collect();
    let mut watermarks = Watermarks::new(DELAY, &InputProgress::default(), 1);
    for place in 0..10_000 {
        watermarks.seen(0, &name(place), UnixMillis(50 + place as i64));
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
