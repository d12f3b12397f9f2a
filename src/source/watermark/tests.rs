use super::*;

mod random;

const DELAY: Duration = Duration::from_millis(10);

fn id(name: &str) -> ShardId {
    ShardId::new(name)
}

/// Shards as `name:activity` or `name<parent,parent:activity`, with A for active, I for idle, O for ended.
fn coverage(text: &str) -> Coverage {
    let shard = |text: &str| {
        let (shard, activity) = text.split_once(':').unwrap();
        let (shard, parents) = shard.split_once('<').unwrap_or((shard, ""));
        ShardActivity {
            shard: id(shard),
            parents: parents
                .split(',')
                .filter(|name| !name.is_empty())
                .map(id)
                .collect(),
            activity: match activity {
                "A" => Activity::Active,
                "I" => Activity::Idle,
                "O" => Activity::Ended,
                other => panic!("{other}"),
            },
            quiet: Duration::ZERO,
        }
    };
    Coverage {
        shards: text.split_whitespace().map(shard).collect(),
        ..Coverage::default()
    }
}

/// The watermarks of a restart after `watermarks`.
fn restarted(watermarks: &Watermarks) -> Watermarks {
    let before = InputProgress {
        watermark: watermarks.watermark,
        event_times: watermarks.event_times(),
    };
    Watermarks::new(watermarks.delay, &before, watermarks.sources.len())
}

/// Each step: the event times that a batch has seen, as `shard=time`; the activity of the shards when the next one
/// is planned; and its expected watermark. Also checks that a restart before every batch changes nothing.
fn expect(case: &str, steps: &[(&str, &str, Option<i64>)]) {
    let mut stays = Watermarks::new(DELAY, &InputProgress::default(), 1);
    let mut restarts = stays.clone();
    for (step, (seen, shards, expected)) in steps.iter().enumerate() {
        for watermarks in [&mut stays, &mut restarts] {
            for seen in seen.split_whitespace() {
                let (shard, time) = seen.split_once('=').unwrap();
                watermarks.seen(0, &id(shard), UnixMillis(time.parse().unwrap()));
            }
            let next = watermarks.advance(&[coverage(shards)]);
            assert_eq!(next, expected.map(UnixMillis), "{case}, step {step}");
            assert_eq!(watermarks.watermark, next);
        }
        assert_eq!(stays.event_times(), restarts.event_times(), "{case}");
        restarts = restarted(&restarts);
    }
}

#[test]
fn the_minimum_over_active_shards_counts() {
    expect(
        "there is none before there are rows",
        &[("", "a:A b:A", None), ("", "a:I b:I", None), ("", "", None)],
    );
    expect(
        "least of two",
        &[
            ("a=50 b=30", "a:A b:A", Some(20)),
            ("b=90", "a:A b:A", Some(40)),
        ],
    );
    expect(
        "the largest time of a shard counts, whatever comes later",
        &[("a=50", "a:A", Some(40)), ("a=20", "a:A", Some(40))],
    );
    expect(
        "a shard of which nothing is known holds it",
        &[
            ("a=50", "a:A b:A", None),
            ("b=20", "a:A b:A", Some(10)),
            ("a=60 b=60", "a:A b:A c:A", Some(10)),
            ("", "a:A b:A c:I", Some(50)),
        ],
    );
    expect(
        "it does not go back with a shard that is behind",
        &[
            ("a=50", "a:A b:I", Some(40)),
            ("b=5", "a:A b:A", Some(40)),
            ("b=45", "a:A b:A", Some(40)),
            ("b=55", "a:A b:A", Some(40)),
            ("a=60", "a:A b:A", Some(45)),
        ],
    );
}

#[test]
fn idle_shards_do_not_count_unless_all_are_idle() {
    expect(
        "the other goes on",
        &[
            ("a=50 b=30", "a:A b:A", Some(20)),
            ("a=70", "a:A b:I", Some(60)),
            ("", "a:A b:A", Some(60)),
            ("a=90", "a:A b:A", Some(60)),
            ("b=95", "a:A b:A", Some(80)),
        ],
    );
    expect(
        "with nothing left to be read it is as far as the rows",
        &[
            ("a=50 b=30", "a:A b:A", Some(20)),
            ("", "a:I b:I", Some(40)),
            ("", "a:A b:I", Some(40)),
        ],
    );
    expect(
        "one that has had no row is no hindrance when it is idle",
        &[("a=50", "a:I b:I", Some(40))],
    );
}

#[test]
fn children_of_a_split_inherit_its_time() {
    expect(
        "both inherit",
        &[
            ("a=50 b=80", "a:A b:A c<a:A d<a:A", Some(40)),
            ("a=60", "a:O b:A c<a:A d<a:A", Some(50)),
            ("b=99", "a:O b:A c<a:A d<a:A", Some(50)),
            ("c=70", "a:O b:A c<a:A d<a:A", Some(50)),
            ("d=75", "a:O b:A c<a:A d<a:A", Some(60)),
            ("", "a:O b:A c<a:I d<a:A", Some(65)),
            ("", "b:A c<a:I d<a:I", Some(89)),
        ],
    );
    expect(
        "nobody has named the children yet",
        &[
            ("a=50 b=80", "a:O b:A", Some(40)),
            ("b=99", "a:O b:A", Some(40)),
            ("", "a:O b:I", Some(40)),
            ("b=99", "a:O b:A c<a:A d<a:A", Some(40)),
            ("c=70 d=80", "a:O b:A c<a:A d<a:A", Some(60)),
        ],
    );
    expect(
        "the end is seen by the batch that is running",
        &[
            ("a=50", "a:A", Some(40)),
            ("a=55", "a:O c<a:A d<a:A", Some(45)),
            ("", "a:O c<a:O d<a:A e<c:A f<c:A", Some(45)),
            ("d=90", "a:O c<a:O d<a:A e<c:A f<c:A", Some(45)),
            ("e=65 f=70", "a:O c<a:O d<a:A e<c:A f<c:A", Some(55)),
        ],
    );
    expect(
        "a parent without a row leaves nothing",
        &[
            ("b=80", "a:A b:A", None),
            ("", "a:O b:A c<a:A d<a:A", None),
            ("c=70", "a:O b:A c<a:A d<a:I", Some(60)),
        ],
    );
    expect(
        "a parent that is idle has children that are not",
        &[
            ("a=50 b=80", "a:A b:A", Some(40)),
            ("b=99", "a:I b:A c<a:A d<a:A", Some(40)),
        ],
    );
    expect(
        "the parent is not listed any more when the query starts again",
        &[
            ("a=50 b=80", "a:A b:A", Some(40)),
            ("a=60 b=99", "b:A c<a:A d<a:A", Some(50)),
            ("c=70 d=80", "b:A c<a:A d<a:A", Some(60)),
        ],
    );
}

#[test]
fn a_merged_shard_inherits_the_minimum_of_its_parents() {
    expect(
        "one ends before the other",
        &[
            ("a=50 b=80", "a:A b:A", Some(40)),
            ("b=99", "a:O b:A c<a,b:A", Some(40)),
            ("b=120", "a:O b:O c<a,b:A", Some(40)),
            ("c=90", "a:O b:O c<a,b:A", Some(80)),
        ],
    );
    expect(
        "one is not listed any more when the other ends",
        &[
            ("a=50 b=80", "a:O b:A c<a,b:A", Some(40)),
            ("b=99", "b:A c<a,b:A", Some(40)),
            ("b=120", "b:O c<a,b:A", Some(40)),
            ("c=90", "c<a,b:A", Some(80)),
        ],
    );
    expect(
        "what the other one has seen counts when all are idle",
        &[
            ("a=50 b=80", "a:A b:A", Some(40)),
            ("", "a:O b:O c<a,b:A", Some(40)),
            ("", "a:O b:O c<a,b:A", Some(40)),
            ("", "a:O b:O c<a,b:I", Some(70)),
        ],
    );
}

#[test]
fn times_of_ended_shards_are_dropped_when_their_children_have_them() {
    let mut watermarks = Watermarks::new(DELAY, &InputProgress::default(), 2);
    let mut after = |seen: &[(&str, i64)], shards: &str| -> Vec<(String, i64)> {
        for (shard, time) in seen {
            watermarks.seen(1, &id(shard), UnixMillis(*time));
        }
        watermarks.advance(&[Coverage::default(), coverage(shards)]);
        let times = watermarks.event_times().pop().unwrap();
        let times = times.into_iter();
        times.map(|(id, time)| (id.to_string(), time.0)).collect()
    };
    let of = |times: &[(&str, i64)]| -> Vec<(String, i64)> {
        let times = times.iter();
        times.map(|(id, time)| ((*id).to_owned(), *time)).collect()
    };
    let seen = [("a", 50), ("b", 80)];
    assert_eq!(after(&seen, "a:A b:A"), of(&seen));
    assert_eq!(after(&[], "a:O b:A"), of(&seen), "no child is known");
    assert_eq!(after(&[], "a:O b:A c<a,b:A"), of(&seen), "it waits");
    let both = of(&[("b", 80), ("c", 50)]);
    assert_eq!(
        after(&[], "a:O b:O c<a,b:A"),
        both,
        "the largest of all stays"
    );
    let merged = of(&[("c", 85)]);
    assert_eq!(after(&[("c", 85)], "a:O b:O c<a,b:A"), merged);
    assert_eq!(after(&[], "d:A"), [], "it is no longer tracked");
}

#[test]
fn all_shards_of_all_sources_count() {
    let mut watermarks = Watermarks::new(DELAY, &InputProgress::default(), 2);
    watermarks.seen(0, &id("a"), UnixMillis(50));
    watermarks.seen(2, &id("a"), UnixMillis(1));
    let shards = |one: &str, other: &str| [coverage(one), coverage(other)];
    assert_eq!(watermarks.advance(&shards("a:A", "a:A")), None);
    watermarks.seen(1, &id("a"), UnixMillis(30));
    let next = |watermarks: &mut Watermarks, one: &str, other: &str| {
        watermarks.advance(&shards(one, other)).unwrap().0
    };
    assert_eq!(next(&mut watermarks, "a:A", "a:A"), 20);
    assert_eq!(next(&mut watermarks, "a:I", "a:A"), 20);
    assert_eq!(next(&mut watermarks, "a:I", "a:I"), 40);
}

#[test]
fn a_replayed_batch_has_the_watermark_it_was_planned_with() {
    let before = InputProgress {
        watermark: Some(UnixMillis(20)),
        event_times: vec![BTreeMap::from([(id("a"), UnixMillis(30))])],
    };
    let mut watermarks = Watermarks::new(DELAY, &before, 1);
    assert_eq!(watermarks.watermark, before.watermark);
    assert_eq!(watermarks.event_times(), before.event_times);
    for (replayed, expected) in [(None, 20), (Some(45), 45), (Some(40), 45)] {
        watermarks.replayed(replayed.map(UnixMillis));
        assert_eq!(watermarks.watermark, Some(UnixMillis(expected)));
    }
    watermarks.seen(0, &id("a"), UnixMillis(50));
    let next = watermarks.advance(&[coverage("a:A")]);
    assert_eq!(next, Some(UnixMillis(45)), "it does not go back");
}

#[test]
fn event_times_are_clamped_to_four_digit_years() {
    for (time, expected) in [
        (i64::MIN, UnixMillis::FIRST),
        (UnixMillis::FIRST.0, UnixMillis::FIRST),
        (i64::MAX, UnixMillis::LAST.minus(DELAY)),
    ] {
        let mut watermarks = Watermarks::new(DELAY, &InputProgress::default(), 1);
        watermarks.seen(0, &id("a"), UnixMillis(time));
        assert_eq!(watermarks.advance(&[coverage("a:A")]), Some(expected));
    }
    let mut watermarks = Watermarks::new(Duration::MAX, &InputProgress::default(), 1);
    watermarks.seen(0, &id("a"), UnixMillis(50));
    let next = watermarks.advance(&[coverage("a:A")]);
    assert_eq!(next, Some(UnixMillis::FIRST));
}

/// The shards `text` of a stream that was read up to `read_to`.
fn read_up_to(read_to: i64, text: &str) -> [Coverage; 1] {
    [Coverage {
        read_to: Some(UnixMillis(read_to)),
        ..coverage(text)
    }]
}

#[test]
fn the_watermark_follows_the_clock_after_the_idle_timeout() {
    let timeout = Some(Duration::from_millis(100));
    let mut watermarks =
        Watermarks::new(DELAY, &InputProgress::default(), 1).with_idle_timeout(timeout, None);
    assert_eq!(watermarks.advance(&read_up_to(9_000, "a:A b:A")), None);
    watermarks.seen(0, &id("a"), UnixMillis(50));
    watermarks.seen(0, &id("b"), UnixMillis(20));
    let arrived = Coverage {
        last_arrival: Some(UnixMillis(10_000)),
        ..coverage("a:A b:A")
    };
    assert_eq!(watermarks.advance(&[arrived]), Some(UnixMillis(10)));
    for (read_to, expected) in [(10_000, 10), (10_099, 10), (10_100, 40), (10_130, 70)] {
        let read = read_up_to(read_to, "a:A b:A");
        let farthest = watermarks.farthest(Some(UnixMillis(read_to)));
        assert!(farthest >= Some(UnixMillis(expected)));
        let next = watermarks.advance(&read);
        assert_eq!(next, Some(UnixMillis(expected)), "{read_to}");
    }
    watermarks.arrived(Some(UnixMillis(10_150)));
    let next = watermarks.advance(&read_up_to(10_200, "a:A b:A"));
    assert_eq!(next, Some(UnixMillis(70)), "a record arrived");
    assert_eq!(watermarks.last_arrival(), Some(UnixMillis(10_150)));
}

#[test]
fn a_shard_quiet_for_the_idle_timeout_does_not_hold_the_others() {
    for (timeout, expected) in [(Some(100), 70), (Some(101), 40), (None, 40)] {
        let timeout = timeout.map(Duration::from_millis);
        let mut watermarks =
            Watermarks::new(DELAY, &InputProgress::default(), 1).with_idle_timeout(timeout, None);
        watermarks.seen(0, &id("a"), UnixMillis(50));
        watermarks.seen(0, &id("b"), UnixMillis(80));
        let mut both = coverage("a:A b:A");
        both.shards[0].quiet = Duration::from_millis(100);
        let next = watermarks.advance(&[both]);
        assert_eq!(next, Some(UnixMillis(expected)), "{timeout:?}");
    }
}
