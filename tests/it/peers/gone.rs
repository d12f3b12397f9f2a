//! Shards that the service reports as nonexistent, for a while or because they have expired.
//!
//! A position before the retention causes no error at all; see `streaming::data_loss`.

use std::time::Duration;

use datafusion_kinesis::ErrorKind;
use tokio::time::{sleep, timeout};

use super::gate::Gate;
use super::heard::Heard;
use super::trial::{Trial, hours, shard, words};
use crate::streaming::FROM_THE_START;

/// Long enough for any retries.
const MINUTES: Duration = Duration::from_secs(600);

/// A query that was stopped within a shard, which was then split and has expired. Its children are
/// listed and hold the numbers from 200 on.
async fn vanished(name: &str, fails: bool) -> Trial {
    let options = format!("{FROM_THE_START}, 'kinesis.failOnDataLoss' '{fails}'");
    let mut trial = Trial::new(name, 1, &options).await;
    trial.put(100).await;
    trial.run().await;
    trial.put(100).await;
    trial.split(0).await;
    hours(30).await;
    trial.put(100).await;
    assert_eq!(trial.shards().await.len(), 2);
    trial
}

#[tokio::test(start_paused = true)]
async fn d08_an_expired_shard_ends_the_query_with_its_name_and_position() {
    let trial = vanished("d08-fails", true).await;
    let rows = trial.journal.rows();
    for _start in 0..2 {
        let query = trial.start().await;
        let ended = timeout(MINUTES, query.await_termination());
        let error = ended.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DataLoss, "{error}");
        let message = error.to_string();
        for part in [
            "stream 'words'",
            "shard 'shardId-000000000000'",
            "position AFTER 4",
            "'kinesis.failOnDataLoss' = 'false'",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    assert_eq!(trial.journal.rows(), rows, "nothing is committed");
}

#[tokio::test(start_paused = true)]
async fn d08_an_expired_shard_is_reported_and_its_children_are_read() {
    let (heard, _guard) = Heard::listen();
    let mut trial = vanished("d08-goes-on", false).await;
    assert!(!heard.has(&["shardId-000000000000"]));
    trial.run().await;
    let told = heard.has(&["shardId-000000000000", "AFTER 4", "no longer exists"]);
    assert!(told, "{heard:?}");
    trial.put(100).await;
    trial.run().await;
    let numbers: Vec<u64> = trial.journal.rows().iter().map(|row| row.number).collect();
    assert_eq!(numbers.len(), 300);
    assert!(
        (0..100)
            .chain(200..400)
            .all(|number| numbers.contains(&number))
    );
}

/// A shard that is briefly unknown has not ended.
#[tokio::test(start_paused = true)]
async fn d08_a_listed_shard_that_is_not_found_is_retried() {
    for fails in [true, false] {
        let (world, gate) = Gate::world();
        let options = format!("{FROM_THE_START}, 'kinesis.failOnDataLoss' '{fails}'");
        let name = format!("d08-not-found-{fails}");
        let mut trial = Trial::of(world, &name, 2, &options).await;
        trial.put(50).await;
        trial.run().await;
        gate.deny(Some(shard(0)));
        trial.put(50).await;
        let query = trial.start().await;
        sleep(MINUTES).await;
        assert!(query.is_active());
        // The other shard continues meanwhile.
        let meanwhile = trial.journal.rows().len();
        assert!((51..100).contains(&meanwhile), "{meanwhile}");
        query.stop().await.unwrap();
        gate.deny(None);
        trial.run().await;
        trial.expect_all();
    }
}

#[tokio::test(start_paused = true)]
async fn d08_a_deleted_stream_is_an_error_and_not_an_end() {
    for fails in [true, false] {
        let options = format!("{FROM_THE_START}, 'kinesis.failOnDataLoss' '{fails}'");
        let mut trial = Trial::new(&format!("d08-deleted-{fails}"), 2, &options).await;
        let query = trial.start().await;
        trial.put(50).await;
        query.process_all_available().await.unwrap();
        trial.world.kinesis.delete_stream(&words()).await.unwrap();
        let ended = timeout(MINUTES, query.await_termination());
        let error = ended.await.unwrap().unwrap_err();
        assert!(error.to_string().contains("'words'"), "{error}");
    }
}
