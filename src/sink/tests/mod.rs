//! Writers against a service that takes, refuses, loses and reshards as told.

mod service;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray};
use tokio::time::Instant;

use super::*;
use crate::aggregation::{Opened, looks_aggregated, open};
use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::{PutEntry, RecordDistribution};
use crate::model::{HashKey, StreamIdentity};
use service::{Answer, Service, user_records};

const MIB: usize = 1024 * 1024;

fn plain() -> SinkSettings {
    SinkSettings {
        aggregation: false,
        ..SinkSettings::default()
    }
}

fn stream(service: &Arc<Service>, settings: SinkSettings) -> Arc<SinkStream> {
    let identity = StreamIdentity::parse("words").unwrap();
    let kinesis = Arc::clone(service);
    Arc::new(SinkStream::new(kinesis, identity, settings))
}

async fn writer_with(
    service: &Arc<Service>,
    settings: SinkSettings,
) -> (SinkWriter, Arc<SinkCounters>) {
    let counters = Arc::new(SinkCounters::default());
    let random = fastrand::Rng::with_seed(3);
    let writer = SinkWriter::new(stream(service, settings), Arc::clone(&counters), random).await;
    (writer.unwrap(), counters)
}

async fn writer(service: &Arc<Service>, settings: SinkSettings) -> SinkWriter {
    writer_with(service, settings).await.0
}

fn batch<K: AsRef<str>, D: AsRef<[u8]>>(rows: &[(K, D)]) -> RecordBatch {
    let keys: ArrayRef = Arc::new(StringArray::from_iter_values(
        rows.iter().map(|(key, _)| key),
    ));
    let data: ArrayRef = Arc::new(BinaryArray::from_iter_values(
        rows.iter().map(|(_, data)| data),
    ));
    RecordBatch::try_from_iter([("partitionKey", keys), ("data", data)]).unwrap()
}

/// Rows `(key of n % keys, n)`.
fn numbered(range: std::ops::Range<usize>, keys: usize) -> RecordBatch {
    let rows: Vec<_> = range
        .map(|n| (format!("key-{}", n % keys), n.to_string()))
        .collect();
    batch(&rows)
}

async fn write_all(
    service: &Arc<Service>,
    settings: SinkSettings,
    batches: &[RecordBatch],
) -> Result<u64> {
    let mut writer = writer(service, settings).await;
    for batch in batches {
        writer.write(batch).await?;
    }
    writer.finish().await
}

fn outcome_of(result: Result<u64>) -> Error {
    result.unwrap_err()
}

/// All numbers of each key came, the first as well as the last copies in the order of writing.
fn assert_complete_and_in_order(read: &[(String, Vec<u8>)], rows: usize, keys: usize) {
    let mut by_key: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (key, data) in read {
        let number = std::str::from_utf8(data).unwrap().parse().unwrap();
        by_key.entry(key).or_default().push(number);
    }
    assert_eq!(by_key.len(), keys);
    for (key, numbers) in by_key {
        let key_number: usize = key["key-".len()..].parse().unwrap();
        let expected: Vec<usize> = (key_number..rows).step_by(keys).collect();
        assert_eq!(
            without_repeats(numbers.iter()),
            expected,
            "{key}: first copies"
        );
        let mut last = without_repeats(numbers.iter().rev());
        last.reverse();
        assert_eq!(last, expected, "{key}: last copies");
    }
}

fn without_repeats<'a>(numbers: impl Iterator<Item = &'a usize>) -> Vec<usize> {
    let mut seen = HashSet::new();
    numbers.copied().filter(|n| seen.insert(*n)).collect()
}

#[tokio::test(start_paused = true)]
async fn small_rows_go_out_as_one_aggregate_per_shard() {
    let service = Service::with_shards(4);
    let (mut writer, counters) = writer_with(&service, SinkSettings::default()).await;
    writer.write(&numbered(0..1_000, 100)).await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), 1_000);
    let state = service.state();
    assert_eq!((state.requests.len(), state.log.len()), (1, 4));
    for (shard, entry) in &state.log {
        assert_eq!(&*entry.partition_key, "a");
        let records = user_records(entry);
        assert_eq!(entry.explicit_hash_key, Some(records[0].1));
        assert!(
            records
                .iter()
                .all(|(_, hash, _)| shard.hash_range.contains(*hash))
        );
    }
    drop(state);
    assert_complete_and_in_order(&service.read(), 1_000, 100);
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!(count(&counters.rows), 1_000);
    assert_eq!((count(&counters.records), count(&counters.calls)), (4, 1));
    assert_eq!(
        (count(&counters.resent), count(&counters.throttled)),
        (0, 0)
    );
    let log = &service.state().log;
    let bytes: usize = log.iter().map(|(_, entry)| entry.size_bytes()).sum();
    assert_eq!(count(&counters.bytes), bytes as u64);
}

#[tokio::test(start_paused = true)]
async fn aggregates_keep_their_limit_and_larger_rows_go_alone_in_their_place() {
    let service = Service::with_shards(1);
    let mut rows: Vec<_> = (0..300)
        .map(|n| (n.to_string(), vec![b'x'; 1_000]))
        .collect();
    rows[150].1 = vec![b'y'; 60_000];
    write_all(&service, SinkSettings::default(), &[batch(&rows)])
        .await
        .unwrap();
    let state = service.state();
    for (_, entry) in &state.log {
        let alone = entry.data.len() == 60_000;
        assert!(alone || entry.data.len() <= 51_200);
        assert_eq!(&*entry.partition_key, if alone { "150" } else { "a" });
    }
    drop(state);
    let keys: Vec<_> = service.read().into_iter().map(|(key, _)| key).collect();
    let expected: Vec<_> = (0..300).map(|n: usize| n.to_string()).collect();
    assert_eq!(keys, expected);
}

#[tokio::test(start_paused = true)]
async fn a_lone_row_is_not_wrapped_and_keeps_its_keys() {
    let service = Service::with_shards(4);
    let columns: [(&str, ArrayRef); 3] = [
        ("partitionKey", Arc::new(StringArray::from(vec!["lone"]))),
        ("data", Arc::new(StringArray::from(vec![""]))),
        ("explicitHashKey", Arc::new(StringArray::from(vec!["7"]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    write_all(&service, SinkSettings::default(), &[batch])
        .await
        .unwrap();
    let state = service.state();
    let (shard, entry) = &state.log[0];
    assert!(shard.hash_range.contains(HashKey(7)));
    assert_eq!(&*entry.partition_key, "lone");
    assert_eq!(entry.explicit_hash_key, Some(HashKey(7)));
    assert!(entry.data.is_empty());
}

#[tokio::test(start_paused = true)]
async fn requests_keep_to_500_records_and_10_mib() {
    let service = Service::with_shards(4);
    write_all(&service, plain(), &[numbered(0..2_000, 2_000)])
        .await
        .unwrap();
    let sizes: Vec<_> = service.state().requests.iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 2_000);
    assert!(sizes.contains(&500), "{sizes:?}");

    let service = Service::with_shards(4);
    let rows: Vec<_> = (0..30).map(|n| (n.to_string(), vec![0; MIB - 2])).collect();
    let settings = SinkSettings {
        max_buffered_bytes: 40 * MIB,
        ..plain()
    };
    write_all(&service, settings, &[batch(&rows)])
        .await
        .unwrap();
    let sizes: Vec<_> = service.state().requests.iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 10, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_record_of_10_mib_goes_to_a_stream_that_takes_it() {
    for settings in [plain(), SinkSettings::default()] {
        let service = Service::with_shards(2);
        service.state().max_record_bytes = 10 * MIB;
        let rows = [("k", vec![1; 10 * MIB - 1]), ("k", vec![2; 3])];
        assert_eq!(
            write_all(&service, settings, &[batch(&rows)])
                .await
                .unwrap(),
            2
        );
        let read = service.read();
        assert_eq!((read[0].1.len(), read[1].1.len()), (10 * MIB - 1, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn only_refused_records_are_sent_again() {
    let service = Service::with_shards(1);
    service.state().answers = [Answer::Refuse(vec![1, 3]), Answer::Refuse(vec![0])].into();
    let (mut writer, counters) = writer_with(&service, plain()).await;
    writer.write(&numbered(0..5, 5)).await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), 5);
    let data = |entries: &Vec<PutEntry>| -> Vec<String> {
        (entries.iter())
            .map(|entry| String::from_utf8(entry.data.to_vec()).unwrap())
            .collect()
    };
    let requests: Vec<_> = service.state().requests.iter().map(data).collect();
    assert_eq!(requests[0], ["0", "1", "2", "3", "4"]);
    let mut again: Vec<_> = requests[1..].concat();
    again.sort();
    again.dedup();
    assert_eq!(again, ["1", "3"]);
    assert_eq!(service.read().len(), 5);
    assert_eq!(counters.resent.load(Ordering::Relaxed), 3);
    assert_eq!(counters.throttled.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_or_lost_request_is_sent_again_as_a_whole() {
    let service = Service::with_shards(1);
    service.state().answers = [Answer::Fail("ThrottlingException"), Answer::Lose].into();
    let written = write_all(&service, SinkSettings::default(), &[numbered(0..10, 2)]).await;
    assert_eq!(written.unwrap(), 10);
    assert_eq!(service.state().requests.len(), 3);
    // Twice: the acknowledgement of the first copy was lost.
    assert_eq!(service.read().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn order_per_key_survives_refusals_and_lost_acknowledgements() {
    for (seed, aggregation) in (0..30).flat_map(|seed| [(seed, true), (seed, false)]) {
        let service = Service::with_shards(3);
        {
            let mut state = service.state();
            state.random = fastrand::Rng::with_seed(seed);
            state.refusals = 0.3;
        }
        let settings = SinkSettings {
            aggregation,
            max_aggregate_bytes: 400,
            max_connections: 3,
            record_ttl: Duration::from_secs(3_600),
            ..SinkSettings::default()
        };
        let batches = [numbered(0..300, 7), numbered(300..400, 7)];
        assert_eq!(write_all(&service, settings, &batches).await.unwrap(), 400);
        assert_complete_and_in_order(&service.read(), 400, 7);
    }
}

#[tokio::test(start_paused = true)]
async fn resharding_loses_nothing_and_keeps_the_order_for_strict_readers_too() {
    for seed in 0..40 {
        let service = Service::with_shards(2);
        {
            let mut state = service.state();
            state.random = fastrand::Rng::with_seed(seed);
            state.splits = 0.1;
            state.refusals = 0.1;
        }
        let settings = SinkSettings {
            max_aggregate_bytes: 500,
            max_connections: 2,
            record_ttl: Duration::from_secs(3_600),
            ..SinkSettings::default()
        };
        let batches = [numbered(0..500, 20), numbered(500..1_000, 20)];
        let written = write_all(&service, settings, &batches).await;
        assert_eq!(written.unwrap(), 1_000, "seed {seed}");
        assert_complete_and_in_order(&service.read(), 1_000, 20);
        assert_complete_and_in_order(&service.read_strictly(), 1_000, 20);
    }
}

#[tokio::test(start_paused = true)]
async fn an_aggregate_on_the_wrong_shard_is_opened_and_sent_again_by_the_new_map() {
    let service = Service::with_shards(1);
    let (mut writer, counters) = writer_with(&service, SinkSettings::default()).await;
    service.state().split(0);
    writer.write(&numbered(0..100, 50)).await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), 100);
    let state = service.state();
    // One by the old map, one for each half by the new.
    assert_eq!((state.log.len(), state.listings), (3, 2));
    drop(state);
    assert_eq!(service.read_strictly().len(), 100);
    assert_eq!(counters.resent.load(Ordering::Relaxed), 1);
    assert_eq!(counters.rows.load(Ordering::Relaxed), 100);
}

#[tokio::test(start_paused = true)]
async fn a_record_on_another_shard_that_holds_all_of_it_stays_there() {
    for rows in [numbered(0..1, 1), numbered(0..100, 1)] {
        let service = Service::with_shards(1);
        let mut writer = writer(&service, SinkSettings::default()).await;
        service.state().split(0);
        let written = rows.num_rows() as u64;
        writer.write(&rows).await.unwrap();
        assert_eq!(writer.finish().await.unwrap(), written);
        assert_eq!(service.state().log.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_writer_starts_with_what_another_found_out() {
    let service = Service::with_shards(1);
    let stream = stream(&service, SinkSettings::default());
    service.state().split(0);
    for batch in [numbered(0..100, 50), numbered(100..200, 50)] {
        let random = fastrand::Rng::with_seed(1);
        let writer = SinkWriter::new(Arc::clone(&stream), Arc::default(), random).await;
        let mut writer = writer.unwrap();
        writer.write(&batch).await.unwrap();
        writer.finish().await.unwrap();
    }
    assert_eq!(service.state().listings, 1);
    tokio::time::sleep(Duration::from_secs(301)).await;
    let random = fastrand::Rng::with_seed(1);
    SinkWriter::new(stream, Arc::default(), random)
        .await
        .unwrap();
    assert_eq!(service.state().listings, 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_starts_to_spread_records_gets_no_more_aggregates() {
    let service = Service::with_shards(8);
    let mut writer = writer(&service, SinkSettings::default()).await;
    service.state().distribution = RecordDistribution::Service;
    for part in 0..10 {
        writer
            .write(&numbered(part * 100..(part + 1) * 100, 100))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        writer.write(&numbered(0..0, 1)).await.unwrap();
    }
    assert_eq!(writer.finish().await.unwrap(), 1_000);
    let state = service.state();
    assert!(!looks_aggregated(&state.log.last().unwrap().1.data));
    drop(state);
    // An aggregate stays where all of it happens to belong; all others came again.
    let read = service.read_strictly();
    let distinct: HashSet<_> = read.into_iter().map(|(_, data)| data).collect();
    assert_eq!(distinct.len(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn where_the_service_picks_the_shard_nothing_waits_for_its_key() {
    let service = Service::with_shards(2);
    service.state().distribution = RecordDistribution::Service;
    service.state().answers = [Answer::Refuse(vec![0, 499])].into();
    write_all(&service, SinkSettings::default(), &[numbered(0..1_000, 1)])
        .await
        .unwrap();
    let state = service.state();
    assert_eq!(state.requests.iter().map(Vec::len).max(), Some(500));
    assert_eq!((state.log.len(), state.listings), (1_000, 0));
}

#[tokio::test(start_paused = true)]
async fn a_record_refused_for_its_time_to_live_fails_and_says_where_and_why() {
    for settings in [plain(), SinkSettings::default()] {
        let service = Service::with_shards(2);
        service.state().refusals = 1.0;
        service.state().answers = (0..1_000).map(|_| Answer::Refuse(vec![0])).collect();
        let began = Instant::now();
        let error = outcome_of(write_all(&service, settings, &[numbered(0..10, 1)]).await);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let message = error.to_string();
        for part in [
            "stream 'words'",
            "shardId-00000000000",
            "'key-0'",
            "30s",
            "Rate exceeded",
        ] {
            assert!(message.contains(part), "{message}");
        }
        let waited = began.elapsed();
        assert!((30..32).contains(&waited.as_secs()), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_will_never_be_taken_fails_at_once() {
    for (code, kind) in [
        ("ResourceNotFoundException", ErrorKind::NotFound),
        ("AccessDeniedException", ErrorKind::AccessDenied),
    ] {
        let service = Service::with_shards(2);
        service.state().answers = [Answer::Fail(code)].into();
        let error = outcome_of(write_all(&service, plain(), &[numbered(0..10, 1)]).await);
        assert_eq!(error.kind(), kind);
        assert_eq!(service.state().requests.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_length_is_an_internal_error() {
    let service = Service::with_shards(1);
    service.state().answers = [Answer::Short].into();
    let error = outcome_of(write_all(&service, plain(), &[numbered(0..10, 10)]).await);
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(
        error.to_string().contains("10 records gave 9 outcomes"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_makes_the_caller_wait() {
    for aggregation in [true, false] {
        let service = Service::with_shards(4);
        let settings = SinkSettings {
            aggregation,
            max_buffered_bytes: 100_000,
            ..SinkSettings::default()
        };
        let mut writer = writer(&service, settings).await;
        let rows: Vec<_> = (0..1_000)
            .map(|n| (n.to_string(), vec![0; 1_000]))
            .collect();
        let began = Instant::now();
        writer.write(&batch(&rows)).await.unwrap();
        // Nine tenths of it have to be out, and none of it waited for company.
        assert!(service.read().len() >= 850, "{}", service.read().len());
        assert!(began.elapsed() < Duration::from_millis(300));
        assert_eq!(writer.finish().await.unwrap(), 1_000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_waits_for_company_no_longer_than_it_may() {
    let service = Service::with_shards(1);
    let mut writer = writer(&service, SinkSettings::default()).await;
    writer.write(&numbered(0..10, 1)).await.unwrap();
    let wait = async |writer: &mut SinkWriter, millis| {
        let until = tokio::time::sleep(Duration::from_millis(millis));
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => break,
                progress = writer.progress() => progress.unwrap(),
            }
        }
    };
    wait(&mut writer, 990).await;
    assert!(service.state().requests.is_empty());
    wait(&mut writer, 30).await;
    assert_eq!(service.read().len(), 10);
    assert_eq!(writer.finish().await.unwrap(), 10);
}

#[tokio::test(start_paused = true)]
async fn all_writers_of_a_stream_share_its_connections() {
    let service = Service::with_shards(1);
    let settings = SinkSettings {
        max_connections: 2,
        ..plain()
    };
    let stream = stream(&service, settings);
    let write = async |seed| {
        let random = fastrand::Rng::with_seed(seed);
        let mut writer = SinkWriter::new(Arc::clone(&stream), Arc::default(), random).await?;
        writer.write(&numbered(0..5_000, 5_000)).await?;
        writer.finish().await
    };
    let (a, b, c) = tokio::join!(write(1), write(2), write(3));
    assert_eq!(a.unwrap() + b.unwrap() + c.unwrap(), 15_000);
    assert_eq!(service.state().most_in_flight, 2);
}

#[tokio::test(start_paused = true)]
async fn writers_share_a_saturated_stream_without_failing_and_without_wasting_it() {
    for (writers, rows_each, aggregation, distribution) in [
        (1, 10_000, true, RecordDistribution::PartitionKey),
        (1, 10_000, false, RecordDistribution::PartitionKey),
        (1, 10_000, false, RecordDistribution::Service),
        (16, 2_500, true, RecordDistribution::PartitionKey),
        (16, 2_500, false, RecordDistribution::PartitionKey),
        (16, 2_500, false, RecordDistribution::Service),
    ] {
        let what = format!("{writers} {aggregation} {distribution:?}");
        let service = Service::with_shards(1);
        {
            let mut state = service.state();
            state.bytes_per_second = Some(MIB as f64);
            state.distribution = distribution;
        }
        let settings = SinkSettings {
            aggregation,
            max_connections: writers,
            ..SinkSettings::default()
        };
        let stream = stream(&service, settings);
        let rows = |n| (format!("key-{n}"), vec![0; 1_000]);
        let batch = batch(&(0..rows_each).map(rows).collect::<Vec<_>>());
        let began = Instant::now();
        let write = async |seed| {
            let random = fastrand::Rng::with_seed(seed);
            let mut writer = SinkWriter::new(Arc::clone(&stream), Arc::default(), random).await?;
            writer.write(&batch).await?;
            writer.finish().await
        };
        let written = futures::future::join_all((0..writers as u64).map(write)).await;
        let written: Result<Vec<u64>> = written.into_iter().collect();
        assert_eq!(written.expect(&what).len(), writers);
        let seconds = began.elapsed().as_secs_f64();
        let state = service.state();
        let sent: usize = state.requests.iter().map(Vec::len).sum();
        let bytes: usize = state.log.iter().map(|(_, entry)| entry.size_bytes()).sum();
        let least = bytes as f64 / MIB as f64;
        assert!(
            seconds < least * 1.2,
            "{what}: {seconds} s for what takes {least} s"
        );
        assert!(
            sent < state.log.len() * 5,
            "{what}: {sent} tries for {}",
            state.log.len()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_row_keeps_its_whole_batch_back() {
    let service = Service::with_shards(1);
    let mut writer = writer(&service, plain()).await;
    let mut rows: Vec<_> = (0..600).map(|n| (n.to_string(), vec![0])).collect();
    rows.push((String::new(), vec![0]));
    let error = writer.write(&batch(&rows)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRow);
    assert!(error.to_string().contains("row 601 of 601"), "{error}");
    assert_eq!(writer.finish().await.unwrap(), 0);
    assert!(service.state().requests.is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_to_write_sends_nothing() {
    let service = Service::with_shards(1);
    let empty = numbered(0..0, 1);
    assert_eq!(
        write_all(&service, SinkSettings::default(), &[])
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        write_all(&service, SinkSettings::default(), &[empty])
            .await
            .unwrap(),
        0
    );
    assert!(service.state().requests.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_writer_abandons_its_requests() {
    let service = Service::with_shards(1);
    let mut writer = writer(&service, plain()).await;
    writer.write(&numbered(0..10, 10)).await.unwrap();
    tokio::task::yield_now().await;
    drop(writer);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(service.state().log.is_empty());
}

#[test]
fn a_writer_can_move_between_threads_while_it_writes() {
    fn assert_send<T: Send>(_: T) {}
    fn write(writer: &mut SinkWriter, batch: &RecordBatch) {
        assert_send(writer.write(batch));
    }
    let _ = write;
}
