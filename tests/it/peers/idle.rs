//! Shards without records have a position, too.

use std::time::Duration;

use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::{HashKey, Trigger};
use datafusion_kinesis::query::{Step, StepHook};

use super::trial::{Trial, hours, words};
use crate::support::entry;

/// LATEST, and the simulator's start time.
const STARTS: [&str; 2] = [
    "'kinesis.startingPosition' 'LATEST'",
    "'kinesis.startingPosition' 'AT_TIMESTAMP 2023-11-14T22:13:20Z'",
];

/// Puts a number into the first or second of two shards.
async fn put_into(trial: &Trial, second: bool, number: u64) {
    let hash_key = HashKey(if second { u128::MAX } else { 0 });
    let (stream, entry) = (words(), entry("k", number.to_string(), Some(hash_key)));
    let outcomes = trial.world.kinesis.put_records(&stream, &[entry]).await;
    outcomes.unwrap().remove(0).unwrap();
}

fn numbers(trial: &Trial) -> Vec<u64> {
    let mut numbers: Vec<u64> = trial.journal.rows().iter().map(|row| row.number).collect();
    numbers.sort_unstable();
    numbers
}

/// One shard is busy and makes batches; the other rarely gets records, between triggers.
#[tokio::test(start_paused = true)]
async fn d03_records_put_between_triggers_into_an_idle_shard_are_not_lost() {
    for start in STARTS {
        let name = format!("d03-{}", start.len());
        let tick = Trigger::ProcessingTime(Duration::from_secs(10));
        let trial = Trial::new(&name, 2, start).await.with_trigger(tick);
        let query = trial.start().await;
        for number in 0..100 {
            put_into(&trial, number % 10 == 9, number).await;
            // Ticks happen at various times between two puts.
            tokio::time::sleep(Duration::from_millis(3_700)).await;
        }
        query.process_all_available().await.unwrap();
        assert_eq!(numbers(&trial), (0..100).collect::<Vec<_>>(), "{start}");
        assert!(trial.journal.runs().len() > 20, "{start}");
    }
}

#[tokio::test(start_paused = true)]
async fn d03_records_put_into_an_idle_shard_between_restarts_are_not_lost() {
    for start in STARTS {
        let trial = Trial::new(&format!("d03-restarts-{}", start.len()), 2, start).await;
        trial.run().await;
        for number in 0..60 {
            // The idle shard has no record before the fifteenth start.
            put_into(&trial, number > 30 && number % 10 == 9, number).await;
            hours(number % 3).await;
            if number % 2 == 0 {
                trial.run().await;
            }
        }
        trial.run().await;
        assert_eq!(numbers(&trial), (0..60).collect::<Vec<_>>(), "{start}");
    }
}

/// A query without a batch has a starting position, too.
#[tokio::test(start_paused = true)]
async fn d03_a_query_that_has_read_nothing_keeps_its_starting_position() {
    for start in STARTS {
        let mut trial = Trial::new(&format!("d03-nothing-{}", start.len()), 2, start).await;
        for _start in 0..5 {
            trial.run().await;
            hours(1).await;
        }
        trial.put(20).await;
        hours(1).await;
        trial.run().await;
        trial.expect_all();
    }
}

/// Self-ending runs keep the positions of idle shards, too.
#[tokio::test(start_paused = true)]
async fn d03_self_ending_runs_lose_nothing_between_them() {
    for start in STARTS {
        let trial = Trial::new(&format!("d03-ends-{}", start.len()), 2, start).await;
        let trial = trial.with_trigger(Trigger::AvailableNow);
        let run = async || trial.start().await.await_termination().await.unwrap();
        run().await;
        for number in 0..30 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            put_into(&trial, number % 10 == 9, number).await;
            if number % 3 == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
                run().await;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        run().await;
        assert_eq!(numbers(&trial), (0..30).collect::<Vec<_>>(), "{start}");
    }
}

/// Records that arrive while a batch processes others belong to the next batch.
#[tokio::test(start_paused = true)]
async fn d03_records_put_while_a_batch_runs_are_not_lost() {
    let trial = Trial::new("d03-busy", 2, STARTS[0]).await;
    let slow = StepHook::new(|step, _batch| {
        let seconds = if step == Step::Ran { 30 } else { 0 };
        Box::pin(tokio::time::sleep(Duration::from_secs(seconds)))
    });
    let query = trial.builder().with_step_hook(slow).start().await.unwrap();
    for number in 0..60 {
        put_into(&trial, number % 10 == 9, number).await;
        tokio::time::sleep(Duration::from_secs(7)).await;
    }
    query.process_all_available().await.unwrap();
    assert_eq!(numbers(&trial), (0..60).collect::<Vec<_>>());
    assert!(trial.journal.runs().len() < 30);
}
