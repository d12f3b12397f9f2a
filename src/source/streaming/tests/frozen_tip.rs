//! Runs that end at a frozen tip.

use super::*;
use crate::kinesis::RecordsPageBuilder;
use crate::source::rows::CountedPage;
use crate::source::streaming::state::{AfterPage, PageArrival};

/// All rows of a run up to the frozen tip, and its end.
async fn run(fixture: &Fixture, from: StreamStart) -> (Vec<String>, Offsets) {
    let reader = fixture.read(from).await;
    let mut rows = Vec::new();
    let mut ends = None;
    while !reader.is_exhausted() {
        match reader.readiness(Instant::now()).unwrap() {
            Readiness::Ready => {
                let batch = reader.next().await;
                reader.release(&batch.ranges.ends());
                rows.extend(rows_of(&batch));
                ends = Some(batch.ranges.ends());
            }
            _ => reader.changed().await,
        }
    }
    let ends = ends.unwrap_or_else(|| reader.take().ranges.ends());
    (rows, ends)
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_at_the_tip_despite_new_records_and_the_next_one_continues() {
    let mut fixture = Fixture::with_shards(2).await;
    fixture.options.records_per_fetch = 7;
    let mut written = Vec::new();
    for number in 0..100 {
        let text = format!("{number} early");
        fixture.put(&text).await;
        written.push(text);
    }
    sleep(Duration::from_millis(1)).await;
    fixture.settings.until = Some(fixture.now());
    sleep(Duration::from_millis(1)).await;
    let busy = async {
        for number in 0.. {
            fixture.put(&format!("{number} late")).await;
            sleep(Duration::from_millis(50)).await;
        }
    };
    let (mut rows, ends) = tokio::select! {
        biased;
        done = run(&fixture, from_trim_horizon()) => done,
        () = busy => unreachable!("the writer never ends"),
    };
    rows.sort();
    written.sort();
    assert_eq!(rows, written);
    sleep(Duration::from_millis(1)).await;
    fixture.settings.until = Some(fixture.now());
    let (rows, _) = run(&fixture, resume_at(ends)).await;
    let late = rows.iter().filter(|row| row.ends_with("late")).count();
    assert!(late == rows.len() && late > 10);
    let mut unique = rows.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), rows.len());
}

#[tokio::test(start_paused = true)]
async fn an_empty_stream_is_exhausted() {
    let mut fixture = Fixture::with_shards(2).await;
    fixture.settings.until = Some(fixture.now());
    let (rows, ends) = run(&fixture, from_trim_horizon()).await;
    assert!(rows.is_empty());
    assert_eq!(ends[&shard(0)], ShardPosition::TrimHorizon);
    let later = ShardPosition::AtTimestamp(fixture.now().plus(Duration::from_secs(9)));
    let (rows, ends) = run(&fixture, initial_at(later.clone())).await;
    assert!(rows.is_empty());
    assert_eq!(ends[&shard(0)], later);
}

#[tokio::test(start_paused = true)]
async fn a_run_reads_earlier_reshards_and_leaves_later_ones_to_the_next() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.put("apple 1").await;
    fixture.split_the_only_shard().await;
    fixture.put("apple 2").await;
    fixture.put("pear 1").await;
    sleep(Duration::from_millis(1)).await;
    fixture.settings.until = Some(fixture.now());
    sleep(Duration::from_millis(1)).await;
    fixture.put("apple 3").await;
    let (mut rows, _) = run(&fixture, from_trim_horizon()).await;
    rows.sort();
    assert_eq!(rows, ["apple 1", "apple 2", "pear 1"]);

    // Merged after the tip was frozen: the merged shard is listed, but not read.
    let [left, right] = [shard(1), shard(2)];
    let merge = fixture.kinesis.merge_shards(&fixture.stream, &left, &right);
    merge.await.unwrap();
    fixture.put("apple 4").await;
    let (mut rows, ends) = run(&fixture, from_trim_horizon()).await;
    rows.sort();
    assert_eq!(rows, ["apple 1", "apple 2", "pear 1"]);
    assert_eq!(ends[&shard(3)], ShardPosition::TrimHorizon);
    sleep(Duration::from_millis(1)).await;
    fixture.settings.until = Some(fixture.now());
    let (rows, ends) = run(&fixture, resume_at(ends)).await;
    assert_eq!(rows, ["apple 3", "apple 4"]);
    assert_eq!(ends[&shard(1)], ShardPosition::ShardEnd);
}

/// A closed shard may return another page before it ends.
#[tokio::test(start_paused = true)]
async fn a_closed_shard_is_read_to_its_end_and_an_open_one_to_the_tip() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.split_the_only_shard().await;
    fixture.settings.until = Some(fixture.now());
    let reader = fixture.read_all().await;
    let page = |after| {
        let empty = RecordsPageBuilder::with_capacity(RecordColumns::ALL, 0, 0);
        let empty = empty.finish(None, None, None, vec![]);
        PageArrival {
            page: CountedPage::new(empty, &ShardPosition::TrimHorizon, None).unwrap(),
            covered: None,
            at_tip: true,
            found_nothing: true,
            after,
        }
    };
    let arrives = |n, after| {
        let shared = &reader.shared;
        shared.with(|state| state.arrived(&shard(n), page(after)))
    };
    assert_eq!(arrives(0, AfterPage::AtFrozenTip), (vec![], true));
    let children = vec![shard(1), shard(2)];
    assert_eq!(arrives(0, AfterPage::Children(vec![])), (children, false));
    assert_eq!(arrives(1, AfterPage::AtFrozenTip), (vec![], false));
    assert!(!reader.is_exhausted());
    assert_eq!(arrives(2, AfterPage::BehindFrozenTip), (vec![], false));
    assert!(reader.is_exhausted());
}
