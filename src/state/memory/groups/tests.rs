use std::collections::{BTreeMap, HashSet};

use datafusion::arrow::array::{
    ArrayRef, AsArray, Int64Array, StringArray, TimestampMillisecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit};

use super::*;
use crate::state::memory::columns::{After, Ends};
use crate::state::memory::expiry::Expiry;

const TIME: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

fn layout() -> Arc<Layout> {
    let schema = Schema::new(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("time", TIME, true),
        Field::new("count", DataType::Int64, true),
    ]);
    let ends = Ends {
        column: 1,
        after: After::Nothing,
    };
    let end = Expiry::new(ends, &schema).unwrap();
    Arc::new(Layout::new(Arc::new(schema), 2, None, Some(end)).unwrap())
}

type Row = (Option<String>, Option<i64>, i64);

fn rows(layout: &Layout, rows: &[Row]) -> RecordBatch {
    let keys: StringArray = rows.iter().map(|(key, ..)| key.clone()).collect();
    let times: TimestampMillisecondArray = rows.iter().map(|(_, time, _)| *time).collect();
    let counts = Int64Array::from_iter_values(rows.iter().map(|(.., count)| *count));
    let columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(times), Arc::new(counts)];
    RecordBatch::try_new(Arc::clone(layout.schema()), columns).unwrap()
}

fn read(batch: &RecordBatch) -> Vec<Row> {
    let keys = batch.column(0).as_string::<i32>();
    let times = batch
        .column(1)
        .as_any()
        .downcast_ref::<TimestampMillisecondArray>()
        .unwrap();
    let counts = batch.column(2).as_primitive::<Int64Type>();
    let row = |row: usize| {
        let key = keys.is_valid(row).then(|| keys.value(row).to_owned());
        let time = times.is_valid(row).then(|| times.value(row));
        (key, time, counts.value(row))
    };
    (0..batch.num_rows()).map(row).collect()
}

fn all(groups: &Groups) -> Vec<Row> {
    let images = groups.image().into_iter();
    let mut rows: Vec<Row> = images
        .flat_map(|image| read(&image.rows(&groups.layout).unwrap()))
        .collect();
    rows.sort();
    rows
}

/// Batches of random keys against a map, enough of them that chunks are compacted and dropped.
#[test]
fn groups_match_a_map_under_random_batches() {
    let layout = layout();
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut groups = Groups::new(Arc::clone(&layout));
        let mut map: BTreeMap<(Option<String>, Option<i64>), i64> = BTreeMap::new();
        let keys = random.i64(1..3_000);
        for batch in 0..60_i64 {
            let mut touched: BTreeMap<(Option<String>, Option<i64>), i64> = BTreeMap::new();
            for _ in 0..random.usize(0..400) {
                let key = random.i64(0..keys);
                let name = (key % 17 > 0).then(|| format!("key {key}"));
                let time = (key % 5 > 0).then_some(batch * 10 + key % 100);
                *touched.entry((name, time)).or_default() += 1;
            }
            let come: Vec<Row> = touched
                .iter()
                .map(|((key, time), count)| (key.clone(), *time, *count))
                .collect();
            let come = rows(&layout, &come);
            let held: HashSet<_> = read(&groups.find(&come).unwrap()).into_iter().collect();
            let taken: HashSet<_> = read(&groups.take(&come).unwrap()).into_iter().collect();
            assert_eq!(held, taken, "seed {seed}, batch {batch}");
            let known = touched.keys().filter_map(|group| {
                let count = map.get(group)?;
                Some((group.0.clone(), group.1, *count))
            });
            assert_eq!(taken, known.collect(), "seed {seed}, batch {batch}");
            for (group, count) in touched {
                *map.entry(group).or_default() += count;
            }
            let merged: Vec<Row> = read(&come)
                .into_iter()
                .map(|(key, time, _)| {
                    let count = map[&(key.clone(), time)];
                    (key, time, count)
                })
                .collect();
            groups.put(&rows(&layout, &merged)).unwrap();
            if batch % 7 == 6 {
                let limit = batch * 10 - 30;
                let ending = read(&groups.ending(limit).unwrap()).len();
                let closed = groups.close(limit).unwrap();
                let before = map.len();
                map.retain(|(_, time), _| time.is_none_or(|time| time > limit));
                assert_eq!(
                    (closed, ending),
                    (before - map.len(), closed),
                    "seed {seed}"
                );
            }
            assert_eq!(groups.len(), map.len());
            let expected = map
                .iter()
                .map(|((key, time), count)| (key.clone(), *time, *count));
            assert_eq!(all(&groups), expected.collect::<Vec<_>>(), "seed {seed}");
        }
        let chunks = groups.chunks.iter().flatten();
        let rows: usize = chunks.clone().map(Chunk::len).sum();
        assert!(
            rows <= 3 * groups.len() + 500,
            "{rows} rows for {} groups",
            groups.len()
        );
        let bytes: usize = chunks.map(|chunk| chunk.bytes).sum();
        assert_eq!(groups.chunk_bytes, bytes, "seed {seed}");
    }
}

#[test]
fn later_changes_do_not_affect_a_snapshot() {
    let layout = layout();
    let mut groups = Groups::new(Arc::clone(&layout));
    let first = [
        (Some("a".to_owned()), Some(1), 1),
        (Some("b".to_owned()), Some(2), 2),
    ];
    groups.put(&rows(&layout, &first)).unwrap();
    let image = groups.image();
    let touched = rows(&layout, &first[..1]);
    assert_eq!(read(&groups.take(&touched).unwrap()), first[..1]);
    groups.close(2).unwrap();
    assert_eq!(groups.len(), 0);
    let images = image.into_iter().map(|image| image.rows(&layout).unwrap());
    let held: Vec<Row> = images.flat_map(|rows| read(&rows)).collect();
    assert_eq!(held, first);
}

#[test]
fn a_duplicate_group_is_refused() {
    let layout = layout();
    let mut groups = Groups::new(Arc::clone(&layout));
    let twice = [
        (Some("a".to_owned()), None, 1),
        (Some("a".to_owned()), None, 2),
    ];
    let error = groups.put(&rows(&layout, &twice)).unwrap_err();
    assert!(error.to_string().contains("memory_limit"), "{error}");
}

#[test]
fn positive_and_negative_zero_are_one_group() {
    use datafusion::arrow::array::Float64Array;
    let schema = Arc::new(Schema::new(vec![
        Field::new("key", DataType::Float64, true),
        Field::new("count", DataType::Int64, true),
    ]));
    let layout = Arc::new(Layout::new(Arc::clone(&schema), 1, None, None).unwrap());
    let mut groups = Groups::new(layout);
    let row = |key: f64| {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Float64Array::from(vec![key])),
            Arc::new(Int64Array::from(vec![1])),
        ];
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    };
    groups.put(&row(0.0)).unwrap();
    assert_eq!(groups.take(&row(-0.0)).unwrap().num_rows(), 1);
    groups.put(&row(f64::NAN)).unwrap();
    assert_eq!(groups.take(&row(f64::NAN)).unwrap().num_rows(), 1);
    assert_eq!(groups.len(), 0);
}
