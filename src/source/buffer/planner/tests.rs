use super::*;

/// Plain records of these sizes, with one row each.
struct Records(Vec<usize>);

impl PendingRows for Records {
    fn extent(&self, rows: u64, bytes: usize) -> Extent {
        let mut extent = Extent::default();
        for size in self
            .0
            .iter()
            .take(usize::try_from(rows).unwrap_or(usize::MAX))
        {
            if extent.bytes + size > bytes {
                break;
            }
            extent.rows += 1;
            extent.bytes += size;
        }
        extent
    }

    fn first_record(&self, rows: u64) -> Extent {
        self.extent(rows.min(1), usize::MAX)
    }
}

fn planned(shards: &[(&Records, u32)], rows_per_shard: u64, bytes: usize) -> Vec<u64> {
    let pending: Vec<_> = (shards.iter())
        .map(|(rows, passed_over)| PendingShard {
            rows: *rows,
            passed_over: *passed_over,
        })
        .collect();
    let caps = Caps {
        rows_per_shard,
        bytes,
    };
    plan(&pending, caps)
}

#[test]
fn everything_is_taken_if_it_fits() {
    let (little, much) = (Records(vec![10; 3]), Records(vec![10; 50]));
    assert_eq!(planned(&[(&little, 0), (&much, 0)], 100, 1_000), [3, 50]);
    assert!(planned(&[], 100, 1_000).is_empty());
}

#[test]
fn no_shard_exceeds_its_row_cap() {
    let (little, much) = (Records(vec![10; 3]), Records(vec![10; 50]));
    assert_eq!(planned(&[(&little, 0), (&much, 0)], 20, 1_000), [3, 20]);
}

#[test]
fn small_shards_get_everything_and_the_others_equal_parts() {
    let (little, much, more) = (
        Records(vec![10; 2]),
        Records(vec![10; 50]),
        Records(vec![10; 500]),
    );
    let shards = [(&much, 0), (&little, 0), (&more, 0)];
    assert_eq!(planned(&shards, 1_000, 220), [10, 2, 10]);
}

#[test]
fn a_batch_has_at_least_one_record_from_the_shard_passed_over_most_often() {
    let large = Records(vec![1_000; 2]);
    let shards = [(&large, 0), (&large, 3), (&large, 1)];
    assert_eq!(planned(&shards, 100, 10), [0, 1, 0]);
}

#[test]
fn what_is_left_goes_to_records_larger_than_a_share() {
    let (small, large) = (Records(vec![10; 10]), Records(vec![300; 3]));
    // The share is 300 of 700; one record of each large shard fits.
    assert_eq!(
        planned(&[(&small, 0), (&large, 0), (&large, 0)], 100, 700),
        [10, 1, 1]
    );
    // The share is 200, and 400 are left for one of the two large shards.
    assert_eq!(
        planned(&[(&small, 0), (&large, 0), (&large, 1)], 100, 500),
        [10, 0, 1]
    );
}

#[test]
fn shards_with_large_records_are_not_starved_by_small_ones() {
    let (small, large) = (Records(vec![10; 1_000]), Records(vec![500]));
    let mut passed_over = [0_u32; 4];
    let mut turns = [0; 4];
    for _ in 0..12 {
        let mut shards = vec![(&small, 0); 4];
        shards.extend(passed_over.iter().map(|passed| (&large, *passed)));
        let rows = planned(&shards, 10_000, 400);
        for shard in 0..4 {
            let given = rows[4 + shard] > 0;
            turns[shard] += u32::from(given);
            passed_over[shard] = if given { 0 } else { passed_over[shard] + 1 };
        }
    }
    assert_eq!(turns, [3; 4]);
}

#[test]
fn shares_respect_the_caps_for_any_shards() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let largest = random.usize(1..2_000);
        let shards: Vec<Records> = (0..random.usize(1..40))
            .map(|_| {
                let records = random.usize(0..30);
                Records((0..records).map(|_| random.usize(0..largest)).collect())
            })
            .collect();
        let bytes = random.usize(1..20_000);
        let cap = random.u64(1..20);
        let shards: Vec<_> = shards.iter().map(|shard| (shard, 0)).collect();
        let rows = planned(&shards, cap, bytes);
        let given: Vec<Extent> = (shards.iter().zip(&rows))
            .map(|((shard, _), rows)| shard.extent(*rows, usize::MAX))
            .collect();
        let total: usize = given.iter().map(|extent| extent.bytes).sum();
        assert!(total < bytes + largest, "seed {seed}");
        assert!(rows.iter().all(|rows| *rows <= cap), "seed {seed}");
        let held: usize = shards.iter().map(|(shard, _)| shard.0.len()).sum();
        let taken: u64 = rows.iter().sum();
        assert!(taken > 0 || held == 0, "seed {seed}");
    }
}

#[test]
fn ten_thousand_shards_are_planned_quickly() {
    let shards: Vec<Records> = (0..10_000).map(|n| Records(vec![n % 997; 20])).collect();
    let shards: Vec<_> = shards.iter().map(|shard| (shard, 0)).collect();
    let rows = planned(&shards, 100, 8 << 20);
    assert!(rows.iter().sum::<u64>() > 10_000);
}
