//! Killed queries and damaged logs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::model::Trigger;
use datafusion_kinesis::query::Step;

use super::trial::Trial;
use crate::streaming::checkpoint_log::put_mixed;
use crate::streaming::{FROM_THE_START, Freeze};
use crate::support::folder;

/// Kills the query at `step` of its second batch, or the first time it gets there.
async fn kill_at(trial: &mut Trial, step: Step) {
    let nth = if step < Step::Planned { 1 } else { 2 };
    let freeze = Freeze::at(step, nth);
    let query = trial.builder().with_step_hook(freeze.hook.clone());
    let query = query.start().await.unwrap();
    for _batch in 0..2 {
        trial.put(20).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let reached = tokio::time::timeout(Duration::from_secs(60), freeze.reached());
    assert!(
        reached.await.is_ok(),
        "{step:?} is never reached: {:?}",
        query.error()
    );
    drop(query);
}

/// The ranges of a batch are planned before it runs, in a single log, so nothing must be recovered
/// from a failed task.
#[tokio::test(start_paused = true)]
async fn d04_killed_at_any_step_of_a_batch_a_query_restarts() {
    let mut trial = Trial::new("d04-killed", 3, FROM_THE_START).await;
    for step in Step::ALL {
        kill_at(&mut trial, step).await;
    }
    trial.run().await;
    trial.expect_all();
}

/// A checkpoint in a folder, of a query that has run `batches` batches of ten rows.
async fn with_batches(name: &str, batches: u64) -> (Trial, std::path::PathBuf) {
    let folder = folder(name);
    let mut trial = Trial::new(name, 2, FROM_THE_START).await;
    trial.place = folder.to_str().unwrap().to_owned();
    for _batch in 0..batches {
        trial.put(10).await;
        let query = trial.builder().with_trigger(Trigger::Once);
        let query = query.start().await.unwrap();
        query.await_termination().await.unwrap();
    }
    trial.put(10).await;
    (trial, folder)
}

#[tokio::test(start_paused = true)]
async fn d04_a_batch_without_its_commit_is_rerun_unchanged() {
    let (trial, folder) = with_batches("d04-commit", 3).await;
    fs::remove_file(folder.join("commits/2")).unwrap();
    trial.run().await;
    trial.expect_all();
    assert_eq!(trial.journal.runs(), [0, 1, 2, 2, 3]);
    fs::remove_dir_all(folder).unwrap();
}

/// The remains of an interrupted write are not an entry.
#[tokio::test(start_paused = true)]
async fn d04_an_interrupted_write_leaves_no_entry() {
    let (trial, folder) = with_batches("d04-half", 3).await;
    fs::remove_file(folder.join("commits/2")).unwrap();
    for half in ["offsets/.3.77-0.tmp", "commits/.2.77-1.tmp"] {
        fs::write(folder.join(half), "{\"version\": 1, \"ba").unwrap();
    }
    trial.run().await;
    trial.expect_all();
    fs::remove_dir_all(folder).unwrap();
}

/// An unreadable entry is reported with advice that does not lose rows.
#[tokio::test(start_paused = true)]
async fn d04_a_torn_entry_is_reported_and_the_advice_loses_nothing() {
    for (torn, removed) in [
        ("offsets/2", &["offsets/2", "commits/2"] as &[_]),
        ("commits/2", &["commits/2"]),
    ] {
        let (mut trial, folder) = with_batches(&torn.replace('/', "-"), 3).await;
        tear(&folder.join(torn));
        // The newest entry of `offsets` is read before the query runs.
        let error = match trial.builder().start().await {
            Ok(query) => query.await_termination().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
        let message = error.to_string();
        for part in [torn, "restore it from a copy, or remove it"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        for entry in removed {
            fs::remove_file(folder.join(entry)).unwrap();
        }
        // A batch that is planned again may have other rows.
        let before = std::mem::take(&mut trial.journal).rows();
        trial.run().await;
        let rows = before.into_iter().chain(trial.journal.rows());
        let numbers: BTreeSet<u64> = rows.map(|row| row.number).collect();
        assert!(numbers.into_iter().eq(0..40), "{torn}");
        fs::remove_dir_all(folder).unwrap();
    }
}

fn tear(entry: &Path) {
    let text = fs::read(entry).unwrap();
    fs::write(entry, &text[..text.len() / 2]).unwrap();
}

/// A batch whose rows are not read runs no tasks, but still counts as a batch.
#[tokio::test(start_paused = true)]
async fn d04_a_batch_whose_rows_are_not_read_is_committed() {
    let mut trial = Trial::new("d04-unasked", 2, FROM_THE_START).await;
    for _batch in 0..3 {
        trial.put(10).await;
        let query = trial
            .builder()
            .foreach_batch(|_batch, _rows| async { Ok(()) });
        let query = query.start().await.unwrap();
        query.process_all_available().await.unwrap();
        query.stop().await.unwrap();
    }
    trial.put(10).await;
    trial.run().await;
    trial.expect_from(30);
}

/// Killed a hundred times right after a commit: the next start resumes after the last row, not at
/// it.
#[tokio::test(start_paused = true)]
async fn d05_a_hundred_restarts_repeat_no_row() {
    let mut trial = Trial::new("d05", 4, FROM_THE_START).await;
    for _restart in 0..100 {
        trial.put(5).await;
        kill_after_a_commit(&trial).await;
    }
    trial.run().await;
    trial.expect_all();
    expect_no_batch_twice(&trial);
}

/// The same with positions inside aggregated records: a batch takes three rows of a shard, and an
/// aggregate holds ten.
#[tokio::test(start_paused = true)]
async fn d05_a_hundred_restarts_inside_aggregates_repeat_no_row() {
    let options = format!("{FROM_THE_START}, 'kinesis.maxFetchRecordsPerShard' '3'");
    let trial = Trial::new("d05-aggregates", 2, &options).await;
    put_mixed(&trial.world, 0, 400).await;
    for _restart in 0..100 {
        kill_after_a_commit(&trial).await;
    }
    trial.run().await;
    let mut numbers: Vec<u64> = trial.journal.rows().iter().map(|row| row.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..400).collect::<Vec<_>>());
    expect_no_batch_twice(&trial);
}

async fn kill_after_a_commit(trial: &Trial) {
    let freeze = Freeze::at(Step::CommitLogged, 1);
    let query = trial.builder().with_step_hook(freeze.hook.clone());
    let query = query.start().await.unwrap();
    // There may be nothing left to read.
    let _ = tokio::time::timeout(Duration::from_secs(5), freeze.reached()).await;
    drop(query);
}

fn expect_no_batch_twice(trial: &Trial) {
    let runs = trial.journal.runs();
    assert_eq!(runs, (0..runs.len() as u64).collect::<Vec<_>>());
    assert!(runs.len() >= 60, "{} batches", runs.len());
}
