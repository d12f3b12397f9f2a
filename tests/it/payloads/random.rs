//! Any mix of good and bad records gives the same rows for any projection, any cut into batches, and any restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion_kinesis::model::{BatchId, Trigger};
use datafusion_kinesis::query::{Step, StreamingQuery};
use futures::TryStreamExt;

use crate::streaming::Freeze;
use crate::support::World;

const SEEDS: u64 = 12;

/// The rows of each batch, as text without the frame.
type Batches = Arc<Mutex<BTreeMap<u64, Vec<String>>>>;

/// A record's payload and the numbers of the rows that it has.
fn payload(random: &mut fastrand::Rng, next: &mut u32, nulls: bool) -> (String, Vec<String>) {
    let mut rows = Vec::new();
    let mut lines = Vec::new();
    for _ in 0..random.u32(0..4) {
        *next += 1;
        let n = *next;
        let filler = "x".repeat(random.usize(0..40));
        let (line, row) = match random.u32(0..6) {
            0 => (format!(r#"{{"n":{n},"a":"{filler}",}}"#), None),
            1 => (format!(r#"{{"n":{n}"#), None),
            2 => (format!(r#"[{n}]"#), None),
            3 => (
                format!(r#"{{"b":[{n},"{filler}"],"n":{n},"a":7}}"#),
                Some(n),
            ),
            4 => (
                format!(r#"{{"N":{n},"a":{{"deep":[]}},"c":1e999}}"#),
                Some(n),
            ),
            _ => (
                format!(r#"{{"a":"\u00e4{filler}","n":{n},"n":{n}}}"#),
                Some(n),
            ),
        };
        lines.push(line);
        match row {
            Some(n) => rows.push(n.to_string()),
            None if nulls => rows.push(String::new()),
            None => {}
        }
    }
    (lines.join("\n"), rows)
}

#[tokio::test(start_paused = true)]
async fn rows_depend_neither_on_projection_nor_on_batches_nor_on_restarts() {
    for seed in 0..SEEDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let nulls = random.bool();
        let policy = if nulls { "null" } else { "skip" };
        let world = World::new();
        world.table("raw", random.u32(1..4), "").await;
        let options = format!(
            "('kinesis.format' 'json', 'kinesis.format.framing' 'newline', 'kinesis.format.onError' '{policy}',
              'kinesis.startingPosition' 'TRIM_HORIZON', 'kinesis.maxFetchRecordsPerShard' '{}')",
            random.u32(1..9)
        );
        for (kind, options) in [
            ("UNBOUNDED EXTERNAL TABLE live", options.clone()),
            (
                "EXTERNAL TABLE bounded",
                options.replace(
                    "maxFetchRecordsPerShard' '",
                    "maxFetchRecordsPerShard' '10000",
                ),
            ),
        ] {
            world
                .run(&format!(
                    "CREATE {kind} (n BIGINT, a VARCHAR, c DOUBLE) STORED AS \"aws-kinesis\" LOCATION 'raw'
                     OPTIONS {options}"
                ))
                .await;
        }
        let (mut next, mut expected) = (0, Vec::new());
        for key in 0..random.u32(5..40) {
            let (payload, rows) = payload(&mut random, &mut next, nulls);
            world.put("raw", &key.to_string(), payload).await;
            expected.extend(rows);
        }
        expected.sort();
        let count = world.number("SELECT count(*) FROM bounded").await;
        assert_eq!(count, expected.len() as u64, "seed {seed}, {policy}");
        for columns in ["n", "n, a", "n, c", "n, a, c"] {
            let mut rows = world.lines(&format!("SELECT {columns} FROM bounded")).await;
            rows.sort();
            assert_eq!(rows, expected, "seed {seed}, {policy}, {columns}");
        }
        let mut rows = streamed(&world, seed, &mut random).await;
        rows.sort();
        assert_eq!(rows, expected, "seed {seed}, {policy}, streaming");
    }
}

/// The rows of a streaming query that is killed and started again several times.
async fn streamed(world: &World, seed: u64, random: &mut fastrand::Rng) -> Vec<String> {
    let batches = Batches::default();
    for start in 0..4 {
        let sink = Arc::clone(&batches);
        let columns = ["n", "n, a", "n, a, c"][seed as usize % 3];
        let query = StreamingQuery::builder(&world.ctx, format!("SELECT {columns} FROM live"))
            .with_checkpoint_location(format!("memory://random-{seed}"))
            .with_trigger(Trigger::AvailableNow)
            .foreach_batch(move |batch, rows| take(Arc::clone(&sink), batch, rows));
        if start == 3 {
            query
                .start()
                .await
                .unwrap()
                .await_termination()
                .await
                .unwrap();
            break;
        }
        let step = [Step::Running, Step::Ran, Step::PlanMade][random.usize(0..3)];
        let freeze = Freeze::at(step, random.usize(1..4));
        let query = query
            .with_step_hook(freeze.hook.clone())
            .start()
            .await
            .unwrap();
        tokio::select! {
            () = freeze.reached() => {}
            ended = query.await_termination() => ended.unwrap(),
        }
    }
    let batches = batches.lock().unwrap();
    batches.values().flatten().cloned().collect()
}

/// Keeps the first column of a batch. A batch that runs again has the same rows.
async fn take(
    batches: Batches,
    batch: BatchId,
    rows: datafusion::execution::SendableRecordBatchStream,
) -> Result<(), datafusion::error::DataFusionError> {
    let rows: Vec<_> = rows.try_collect().await?;
    let table = pretty_format_batches(&rows)?.to_string();
    let lines = table.lines().skip(3).filter(|line| line.starts_with('|'));
    let first = lines.map(|line| line.split('|').nth(1).unwrap_or_default().trim().to_owned());
    let mut rows: Vec<String> = first.collect();
    rows.sort();
    let before = batches.lock().unwrap().insert(batch.0, rows.clone());
    if let Some(before) = before {
        assert_eq!(before, rows, "batch {batch} ran again");
    }
    Ok(())
}
