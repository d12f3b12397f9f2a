//! Routing, sequence numbers, sizes and rates of puts.

use super::*;
use crate::kinesis::RecordDistribution;
use std::collections::HashSet;

#[tokio::test(start_paused = true)]
async fn keys_are_routed_by_md5_unless_a_hash_key_is_given() {
    let fixture = Fixture::with_shards(2).await;
    // MD5 of "a" begins with 0x0c, that of "pk1" with 0xf7.
    assert_eq!(
        fixture.put("a").await.shard.as_str(),
        "shardId-000000000000"
    );
    assert_eq!(
        fixture.put("pk1").await.shard.as_str(),
        "shardId-000000000001"
    );
    for (hash, shard) in [(0, 0), ((1 << 127) - 1, 0), (1 << 127, 1), (u128::MAX, 1)] {
        let mut entry = entry("a", b"x");
        entry.explicit_hash_key = Some(HashKey(hash));
        let written = fixture.kinesis.put_record(&fixture.stream, &entry).await;
        assert_eq!(written.unwrap().shard, shard::shard_id(shard), "{hash}");
    }
}

#[tokio::test(start_paused = true)]
async fn sequence_numbers_of_a_shard_increase() {
    let fixture = Fixture::with_shards(1).await;
    let entries = vec![entry("k", b"x"); 100];
    let mut last = fixture.shards().await[0].starting_sequence.clone();
    for _ in 0..3 {
        let outcomes = fixture.kinesis.put_records(&fixture.stream, &entries).await;
        for written in outcomes.unwrap() {
            let number = written.unwrap().sequence;
            assert!(number > last);
            last = number;
        }
        advance(Duration::from_secs(2)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_auto_distributed_stream_ignores_keys() {
    let fixture = Fixture::with_shards(2).await;
    let spread = RecordDistribution::Service;
    let refused = fixture
        .kinesis
        .set_record_distribution(&fixture.stream, spread);
    assert_eq!(code(refused.await), "InvalidArgumentException");

    let name = StreamName::new("spread").unwrap();
    let stream = StreamIdentity::named(name.clone());
    fixture
        .kinesis
        .create_on_demand_stream(&name)
        .await
        .unwrap();
    let set = fixture.kinesis.set_record_distribution(&stream, spread);
    set.await.unwrap();
    let summary = fixture.kinesis.describe_stream(&stream).await.unwrap();
    assert_eq!((summary.open_shards, summary.distribution), (4, spread));
    let entries = vec![entry("k", b"x"); 8];
    let outcomes = fixture
        .kinesis
        .put_records(&stream, &entries)
        .await
        .unwrap();
    let shards: HashSet<_> = outcomes.into_iter().map(|put| put.unwrap().shard).collect();
    assert_eq!(shards.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_call_writes_nothing() {
    let fixture = Fixture::with_shards(1).await;
    let mebibyte = vec![b'x'; 1 << 20];
    let refused: [(&str, Vec<PutEntry>); 6] = [
        ("no entry", vec![]),
        ("501 entries", vec![entry("k", b"x"); 501]),
        (
            "key and data above 1 MiB",
            vec![entry("a", b"x"), entry("k", &mebibyte)],
        ),
        ("more than 10 MiB", vec![entry("k", &mebibyte[1..]); 11]),
        ("no key", vec![entry("", b"x")]),
        (
            "a key of 257 characters",
            vec![entry(&"ä".repeat(257), b"x")],
        ),
    ];
    for (what, entries) in refused {
        let outcomes = fixture.kinesis.put_records(&fixture.stream, &entries).await;
        let kind = outcomes.unwrap_err().kind();
        assert_eq!(kind, ApiErrorKind::InvalidArgument, "{what}");
    }
    let taken = [
        vec![entry("k", &mebibyte[1..]); 10],
        vec![entry(&"ä".repeat(256), b"")],
    ];
    for entries in taken {
        let outcomes = fixture.kinesis.put_records(&fixture.stream, &entries).await;
        assert!(outcomes.unwrap().iter().all(Result::is_ok));
    }
    assert_eq!(
        fixture.page(0, IteratorPosition::TrimHorizon).await.len(),
        10
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_can_be_configured_for_records_of_ten_mebibytes() {
    let fixture = Fixture::with_shards(1).await;
    let (kinesis, stream) = (&fixture.kinesis, &fixture.stream);
    let large = entry("k", &vec![b'x'; (10 << 20) - 1]);
    assert!(kinesis.put_record(stream, &large).await.is_err());
    kinesis
        .update_max_record_size(stream, 10 << 20)
        .await
        .unwrap();
    kinesis.put_record(stream, &large).await.unwrap();
    let page = fixture.page(0, IteratorPosition::TrimHorizon).await;
    assert_eq!((page.len(), page.size_bytes()), (1, 10 << 20));
    let wrong = kinesis.update_max_record_size(stream, 11 << 20).await;
    assert_eq!(code(wrong), "InvalidArgumentException");
}

#[tokio::test(start_paused = true)]
async fn enforced_limits_allow_a_thousand_records_per_second() {
    let options = InMemoryOptions {
        enforce_limits: true,
        ..InMemoryOptions::default()
    };
    let fixture = Fixture::with(1, options).await;
    let entries = vec![entry("k", b"x"); 500];
    let mut written = 0;
    for _ in 0..3 {
        let outcomes = fixture.kinesis.put_records(&fixture.stream, &entries).await;
        for outcome in outcomes.unwrap() {
            match outcome {
                Ok(_) => written += 1,
                Err(failure) => assert!(failure.throttled, "{failure:?}"),
            }
        }
    }
    assert_eq!(written, 1_000);
    assert_eq!(
        fixture.page(0, IteratorPosition::TrimHorizon).await.len(),
        1_000
    );
}

#[test]
fn a_tailing_reader_sees_every_record_of_many_writers_once_and_in_order() {
    const WRITERS: usize = 4;
    const PUTS: usize = 50;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WRITERS)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let fixture = Arc::new(Fixture::with_shards(1).await);
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let fixture = Arc::clone(&fixture);
                tokio::spawn(async move {
                    let entries = vec![entry("k", b"x"); 20];
                    for _ in 0..PUTS {
                        let put = fixture.kinesis.put_records(&fixture.stream, &entries);
                        put.await.unwrap();
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let mut iterator = fixture
            .iterator(0, IteratorPosition::TrimHorizon)
            .await
            .unwrap();
        let mut seen: Vec<SequenceNumber> = Vec::new();
        while seen.len() < WRITERS * PUTS * 20 {
            let page = fixture.fetch(&iterator, 100).await.unwrap();
            let numbers = page.sequence_number().unwrap().iter().flatten();
            seen.extend(numbers.map(|number| SequenceNumber::new(number).unwrap()));
            iterator = page.next.unwrap();
            tokio::task::yield_now().await;
        }
        assert!(seen.is_sorted_by(|a, b| a < b));
        for writer in writers {
            writer.await.unwrap();
        }
    });
}
