//! Windows over random rows, compared with other computations of the same result.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const KEYS: [Option<&str>; 4] = [Some("a"), Some("b"), Some("c"), None];

fn rows(random: &mut fastrand::Rng) -> Vec<Row> {
    let span = random.i64(1..300);
    let row = |random: &mut fastrand::Rng| {
        let time = (random.u8(..) > 10).then(|| random.i64(-span..span));
        (time, KEYS[random.usize(..KEYS.len())], random.i64(0..100))
    };
    let count = random.usize(0..60);
    (0..count).map(|_| row(random)).collect()
}

/// Key, start, end; NULL sorts first.
type Group = (Option<&'static str>, Option<i64>, Option<i64>);

fn lines_of(groups: BTreeMap<Group, (i64, i64)>) -> BTreeSet<String> {
    let time = |time: Option<i64>| time.map_or("NULL".to_owned(), |time| time.to_string());
    let groups = groups.into_iter();
    let line = |((key, start, end), (count, sum)): (Group, (i64, i64))| {
        let key = key.unwrap_or("NULL");
        format!("{key}|{}|{}|{count}|{sum}", time(start), time(end))
    };
    groups.map(line).collect()
}

async fn compare(rows: &[Row], partitions: usize, window: &str, expected: BTreeSet<String>) {
    let ctx = context(partitions);
    register_rows(&ctx, rows, &SECONDS);
    let statement = format!(
        "SELECT key, arrow_cast(window_start, 'Int64'), arrow_cast(window_end, 'Int64'), count(*), \
         sum(v) FROM t GROUP BY key, {window}"
    );
    let found = run(&ctx, &statement).await.unwrap();
    let lines = found.len();
    let found: BTreeSet<String> = found.into_iter().collect();
    assert_eq!(found.len(), lines, "no duplicate groups");
    assert_eq!(
        found, expected,
        "{window} in {partitions} partitions of {rows:?}"
    );
}

#[tokio::test]
async fn hop_matches_windows_at_multiples_of_the_slide() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..60 {
        let rows = rows(&mut random);
        let slide = random.i64(1..40);
        let size = slide + random.i64(0..90);
        let mut groups = BTreeMap::<Group, (i64, i64)>::new();
        for (time, key, value) in &rows {
            let starts: Vec<Option<i64>> = match time {
                Some(time) => (-500..500)
                    .map(|n| n * slide)
                    .filter(|start| (*start..start + size).contains(time))
                    .map(Some)
                    .collect(),
                None => vec![None],
            };
            for start in starts {
                let group = groups.entry((*key, start, start.map(|start| start + size)));
                let (count, sum) = group.or_default();
                (*count, *sum) = (*count + 1, *sum + value);
            }
        }
        let window = format!("hop(ts, INTERVAL '{slide} seconds', INTERVAL '{size} seconds')");
        let partitions = [1, 4][random.usize(..2)];
        compare(&rows, partitions, &window, lines_of(groups)).await;
    }
}

#[tokio::test]
async fn sessions_match_rows_connected_by_at_most_the_gap() {
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..60 {
        let rows = rows(&mut random);
        let gap = random.i64(1..30);
        let mut groups = BTreeMap::new();
        for key in KEYS {
            let of_key = rows.iter().filter(|row| row.1 == key);
            let mut of_key: Vec<(Option<i64>, i64)> = of_key.map(|row| (row.0, row.2)).collect();
            of_key.sort_unstable();
            let connected = of_key.chunk_by(|(a, _), (b, _)| match (a, b) {
                (Some(a), Some(b)) => b - a <= gap,
                (a, b) => a == b,
            });
            for session in connected {
                let (first, last) = (session[0].0, session[session.len() - 1].0);
                let sum = session.iter().map(|(_, value)| value).sum();
                let count = i64::try_from(session.len()).unwrap();
                groups.insert((key, first, last.map(|last| last + gap)), (count, sum));
            }
        }
        let window = format!("session(ts, INTERVAL '{gap} seconds')");
        let partitions = [1, 4][random.usize(..2)];
        compare(&rows, partitions, &window, lines_of(groups)).await;
    }
}

#[tokio::test]
async fn hop_matches_an_unnested_series_of_starts() {
    let mut random = fastrand::Rng::with_seed(13);
    for _ in 0..10 {
        let mut rows = rows(&mut random);
        rows.retain(|row| row.0.is_some());
        let ctx = context(4);
        register_rows(&ctx, &rows, &SECONDS);
        let hop = "SELECT key, arrow_cast(window_start, 'Int64') AS s, count(*) AS n FROM t \
                   GROUP BY key, hop(ts, INTERVAL '10 seconds', INTERVAL '35 seconds')";
        let series = "SELECT key, s, count(*) AS n FROM (\
                        SELECT key, arrow_cast(ts, 'Int64') AS at, unnest(generate_series(-400, 400, 10)) AS s \
                        FROM t) WHERE s <= at AND at < s + 35 GROUP BY key, s";
        let mut results = Vec::new();
        for statement in [hop, series] {
            let mut lines = run(&ctx, statement).await.unwrap();
            lines.sort_unstable();
            results.push(lines);
        }
        assert_eq!(results[0], results[1]);
    }
}
