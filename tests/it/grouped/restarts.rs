//! A query that is killed and started again counts each row once.

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::query::Step;

use super::*;
use crate::streaming::Freeze;
use crate::streaming::fencing::BlockAt;

#[tokio::test(start_paused = true)]
async fn killed_at_any_step_it_counts_each_row_once() {
    for (step, nth) in Step::ALL
        .into_iter()
        .flat_map(|step| [(step, 1), (step, 2)])
    {
        if step < Step::Planned && nth == 2 {
            continue;
        }
        let context = format!("{step:?} {nth}");
        let name = format!("grouped-killed-at-{step:?}-{nth}");
        let mut counting = Counting::new(&name).await;
        let freeze = Freeze::at(step, nth);
        counting.put(20).await;
        let query = counting.builder().with_step_hook(freeze.hook.clone());
        let query = query.start().await.unwrap();
        if nth == 2 {
            query.process_all_available().await.unwrap();
            counting.put(15).await;
        }
        freeze.reached().await;
        drop(query);
        counting.put(10).await;
        counting.run().await;
        counting.check(&context);
        counting.put(10).await;
        counting.run().await;
        counting.check(&context);
    }
}

#[tokio::test(start_paused = true)]
async fn killed_fifty_times_it_counts_each_row_once() {
    let mut counting = Counting::new("grouped-killed-fifty-times").await;
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..50 {
        counting.put(random.u64(1..12)).await;
        let partitions = random.usize(1..5);
        let set = format!("SET datafusion.execution.target_partitions = {partitions}");
        counting.world.run(&set).await;
        let freeze = Freeze::at(Step::ALL[random.usize(..Step::ALL.len())], 1);
        let query = counting.builder().with_step_hook(freeze.hook.clone());
        let query = query.start().await.unwrap();
        // A committed batch may leave nothing to do.
        let _ = tokio::time::timeout(Duration::from_secs(5), freeze.reached()).await;
        drop(query);
    }
    counting.run().await;
    counting.check("");
}

#[tokio::test(start_paused = true)]
async fn another_number_of_partitions_finds_all_groups() {
    let mut counting = Counting::new("grouped-partitions").await;
    for partitions in [1, 4, 2, 7, 1] {
        let set = format!("SET datafusion.execution.target_partitions = {partitions}");
        counting.world.run(&set).await;
        counting.put(25).await;
        counting.run().await;
        counting.check(&set);
    }
}

/// A fenced run does not damage the state, wherever it is.
#[tokio::test(start_paused = true)]
async fn a_fenced_run_does_not_change_the_state_of_the_newer_one() {
    for step in Step::ALL.into_iter().filter(|step| *step >= Step::Planned) {
        let context = format!("{step:?}");
        let options = format!("{FROM_THE_START}, 'kinesis.minBatchesToRetain' '1'");
        let place = format!("memory://grouped-fenced-at-{step:?}");
        let mut counting = Counting::with_options(&place, &options).await;
        let hold = BlockAt::at(step, 2);
        counting.put(20).await;
        let older = counting.builder().with_step_hook(hold.hook.clone());
        let older = older.start().await.unwrap();
        older.process_all_available().await.unwrap();
        counting.put(20).await;
        hold.held.notified().await;
        let newer = counting.builder().start().await.unwrap();
        for _ in 0..20 {
            newer.process_all_available().await.unwrap();
            counting.put(3).await;
        }
        hold.go.notify_one();
        tokio::time::sleep(Duration::from_secs(1)).await;
        counting.put(10).await;
        let ended = older.await_termination();
        let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
        let error = ended.expect(&context).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fenced, "{context}: {error}");
        newer.process_all_available().await.unwrap();
        newer.stop().await.unwrap();
        counting.check(&context);
        counting.put(10).await;
        counting.run().await;
        counting.check(&context);
    }
}

/// Windows of ten milliseconds over numbers that are times.
pub(super) const WINDOWS: &str = "SELECT window_start, count(*) FROM
    (SELECT to_timestamp_millis(CAST(CAST(data AS VARCHAR) AS BIGINT)) AS ts FROM words)
    GROUP BY tumble(ts, INTERVAL '10 milliseconds')";

#[tokio::test(start_paused = true)]
async fn a_window_open_across_restarts_is_returned_once_with_all_rows() {
    let (world, lines) = (world(1).await, Lines::default());
    let builder = || {
        let query = grouped(&world, WINDOWS, OutputMode::Append);
        let query = query.with_watermark(Duration::from_millis(5), None);
        lines
            .of(query)
            .with_checkpoint_location("memory://grouped-open-window")
    };
    for (time, closed) in [
        ("1", vec![]),
        ("3", vec![]),
        ("9", vec![]),
        ("14", vec![]),
        ("2", vec![]),
        ("16", vec!["1970-01-01T00:00:00 4"]),
        ("12", vec!["1970-01-01T00:00:00 4"]),
    ] {
        world.put("words", "k", time).await;
        let query = builder().start().await.unwrap();
        query.process_all_available().await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        query.stop().await.unwrap();
        assert_eq!(lines.given().concat(), closed, "after {time}");
    }
    world.put("words", "k", "30").await;
    let query = builder().start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    query.stop().await.unwrap();
    let second = "1970-01-01T00:00:00.010 3";
    assert_eq!(lines.given().concat(), ["1970-01-01T00:00:00 4", second]);
}
