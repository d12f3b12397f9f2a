//! Records that expired before a query read them.

use super::*;
use datafusion_kinesis::kinesis::{InMemoryOptions, TrimmedPosition};
use datafusion_kinesis::model::{HashKey, ShardId, StreamIdentity};
use datafusion_kinesis::{Error, ErrorKind};

const HOUR: Duration = Duration::from_secs(3_600);

/// Retention of the simulator.
const DAY: Duration = Duration::from_secs(24 * 3_600);

const MODES: [TrimmedPosition; 2] = [TrimmedPosition::Resumes, TrimmedPosition::Pinned];

/// Polls slowly, so that idle hours take few steps.
const SLOW: &str = "'kinesis.startingPosition' 'TRIM_HORIZON', \
                    'kinesis.getRecords.fetchIntervalMs' '10000', \
                    'kinesis.describeShardInterval' '60s'";

/// A one-shard stream that is older than its retention, and the checkpoint of a query.
struct Lossy {
    world: World,
    sink: Sink,
    place: String,
}

impl Lossy {
    async fn new(name: &str, mode: TrimmedPosition, fails: bool) -> Self {
        let world = World::with_options(InMemoryOptions::default().with_trimmed_positions(mode));
        let options = format!("{SLOW}, 'kinesis.failOnDataLoss' '{fails}'");
        world.unbounded_table("words", 1, &options).await;
        tokio::time::sleep(2 * DAY).await;
        Self {
            world,
            sink: Sink::default(),
            place: format!("memory://loss-{name}-{mode:?}-{fails}"),
        }
    }

    async fn put(&self, number: u32) {
        self.world.put("words", "k", number.to_string()).await;
    }

    async fn start(&self) -> StreamingQuery {
        let query = self.sink.of(words(&self.world));
        let query = query.with_checkpoint_location(&self.place);
        query.start().await.unwrap()
    }

    /// Runs until caught up, and stops.
    async fn run(&self) {
        let query = self.start().await;
        query.process_all_available().await.unwrap();
        query.stop().await.unwrap();
    }

    /// The error that a run ends with.
    async fn failure(&self) -> String {
        let query = self.start().await;
        let ended = tokio::time::timeout(DAY, query.await_termination()).await;
        loss_message(&ended.unwrap().unwrap_err())
    }

    async fn split(&self) {
        let stream = StreamIdentity::parse("words").unwrap();
        let parent = ShardId::new("shardId-000000000000");
        let half = HashKey(1 << 127);
        let split = self.world.kinesis.split_shard(&stream, &parent, half);
        split.await.unwrap();
    }
}

/// Returns the message of a data loss, after checking that it names stream, shard and advice.
fn loss_message(error: &Error) -> String {
    let message = error.to_string();
    assert_eq!(error.kind(), ErrorKind::DataLoss, "{message}");
    for part in [
        "stream 'words', shard 'shardId-",
        "'kinesis.failOnDataLoss' = 'false'",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    message
}

#[tokio::test(start_paused = true)]
async fn downtime_longer_than_retention_is_a_loss() {
    for mode in MODES {
        for fails in [false, true] {
            let lossy = Lossy::new("down", mode, fails).await;
            lossy.put(1).await;
            lossy.run().await;
            lossy.put(2).await;
            tokio::time::sleep(DAY + HOUR).await;
            lossy.put(3).await;
            if fails {
                for _ in 0..2 {
                    let message = lossy.failure().await;
                    for part in ["position AFTER ", "all records that arrived by", "24 hours"] {
                        assert!(message.contains(part), "{part} in {message}");
                    }
                }
                assert_eq!(lossy.sink.numbers(), [1]);
            } else {
                lossy.run().await;
                assert_eq!(lossy.sink.numbers(), [1, 3]);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_backlog_within_retention_is_read_completely() {
    for mode in MODES {
        let lossy = Lossy::new("backlog", mode, true).await;
        lossy.put(1).await;
        lossy.run().await;
        lossy.put(2).await;
        tokio::time::sleep(DAY - HOUR).await;
        lossy.put(3).await;
        lossy.run().await;
        assert_eq!(lossy.sink.numbers(), [1, 2, 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_shard_that_was_caught_up_loses_nothing() {
    for mode in MODES {
        let lossy = Lossy::new("idle", mode, true).await;
        lossy.put(1).await;
        lossy.run().await;
        let query = lossy.start().await;
        tokio::time::sleep(DAY - HOUR).await;
        lossy.put(2).await;
        query.process_all_available().await.unwrap();
        query.stop().await.unwrap();
        tokio::time::sleep(DAY - HOUR).await;
        // The record before the last one has expired; the last one, and the time it was read, have
        // not.
        lossy.put(3).await;
        lossy.run().await;
        assert_eq!(lossy.sink.numbers(), [1, 2, 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_expired_parent_with_unread_children_is_a_loss() {
    for mode in MODES {
        for fails in [false, true] {
            let lossy = Lossy::new("child", mode, fails).await;
            lossy.put(1).await;
            lossy.run().await;
            lossy.split().await;
            lossy.put(2).await;
            tokio::time::sleep(DAY + HOUR).await;
            lossy.put(3).await;
            if fails {
                let message = lossy.failure().await;
                assert!(message.contains("shardId-000000000000"), "{message}");
                assert!(message.contains("no longer exists"), "{message}");
                assert_eq!(lossy.sink.numbers(), [1]);
            } else {
                lossy.run().await;
                lossy.run().await;
                assert_eq!(lossy.sink.numbers(), [1, 3]);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rerun_batch_whose_first_records_expired_is_a_loss() {
    for mode in MODES {
        for fails in [false, true] {
            let lossy = Lossy::new("begun", mode, fails).await;
            for number in 1..=4 {
                lossy.put(number).await;
                tokio::time::sleep(HOUR).await;
            }
            let freeze = Freeze::at(Step::OffsetsLogged, 1);
            let query = words(&lossy.world).foreach_batch(|_batch, _rows| async { Ok(()) });
            let query = query.with_checkpoint_location(&lossy.place);
            let query = query.with_step_hook(freeze.hook.clone()).start().await;
            freeze.reached().await;
            drop(query);
            tokio::time::sleep(DAY - HOUR * 3 / 2).await;
            if fails {
                let message = lossy.failure().await;
                assert!(message.contains("of its 4 rows are gone"), "{message}");
            } else {
                lossy.run().await;
                let rest = lossy.sink.numbers();
                assert!(
                    (1..4).contains(&rest.len()) && rest.contains(&4),
                    "{rest:?}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bounded_read_from_an_expired_position_is_a_loss() {
    for mode in MODES {
        let lossy = Lossy::new("bounded", mode, false).await;
        lossy.put(1).await;
        let number = "SELECT sequenceNumber FROM once";
        lossy.world.table_again("once", "words", "").await;
        let place = lossy.world.lines(number).await.remove(0);
        tokio::time::sleep(DAY + HOUR).await;
        lossy.put(2).await;
        let start = format!(
            "'kinesis.startingPosition' '{{\"shardId-000000000000\": {{\"iteratorType\": \
             \"AFTER_SEQUENCE_NUMBER\", \"iteratorPosition\": \"{place}\"}}}}'"
        );
        lossy.world.table_again("tolerant", "words", &start).await;
        let fails = format!("{start}, 'kinesis.failOnDataLoss' 'true'");
        lossy.world.table_again("strict", "words", &fails).await;
        assert_eq!(lossy.world.number("SELECT count(*) FROM tolerant").await, 1);
        let (kind, message) = lossy.world.refusal("SELECT * FROM strict").await;
        assert_eq!(kind, ErrorKind::DataLoss, "{message}");
        assert!(
            message.contains(&format!("position AFTER {place}")),
            "{message}"
        );
    }
}
