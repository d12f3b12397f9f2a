//! Shards without records are no shards without a place.

use std::time::Duration;

use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::{HashKey, Trigger};
use datafusion_kinesis::query::{Step, StepHook};

use super::trial::{Trial, hours, words};
use crate::support::entry;

/// From now on, and from a time that is the first of the simulator's.
const STARTS: [&str; 2] = [
    "'kinesis.startingPosition' 'LATEST'",
    "'kinesis.startingPosition' 'AT_TIMESTAMP 2023-11-14T22:13:20Z'",
];

/// Puts a number into the first of two shards, or the second.
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

/// One shard is busy and makes batches; into the other one records come seldom, between triggers.
#[tokio::test(start_paused = true)]
async fn d03_records_put_between_triggers_into_an_idle_shard_are_not_lost() {
    for start in STARTS {
        let name = format!("d03-{}", start.len());
        let tick = Trigger::ProcessingTime(Duration::from_secs(10));
        let trial = Trial::new(&name, 2, start).await.with_trigger(tick);
        let query = trial.start().await;
        for number in 0..100 {
            put_into(&trial, number % 10 == 9, number).await;
            // Ticks fall in many places between two puts.
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

/// A query that never had a batch began all the same.
#[tokio::test(start_paused = true)]
async fn d03_a_query_that_has_read_nothing_keeps_its_beginning() {
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

/// Runs that take what is there and end leave idle shards where they were, too.
#[tokio::test(start_paused = true)]
async fn d03_runs_that_end_by_themselves_lose_nothing_between_them() {
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

/// What comes while a batch is busy with other rows belongs to the next one.
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
