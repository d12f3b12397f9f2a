use super::*;

#[tokio::test(start_paused = true)]
async fn a_trickle_of_records_does_not_hold_a_batch_open() {
    let mut fixture = Fixture::with_shards(2).await;
    fixture.options.max_fetch_time_per_shard = Some(Duration::from_secs(30));
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(1)).await;
    for text in numbers(20) {
        fixture.put(&text).await;
        let put = Instant::now();
        assert_eq!(reader.next_rows().await, [text]);
        assert!(put.elapsed() <= Duration::from_millis(200));
        sleep(Duration::from_millis(70)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_a_catching_up_shard_only_with_max_fetch_time() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.records_per_fetch = 10;
    for text in numbers(100) {
        fixture.put(&text).await;
    }
    let at_once = fixture.read_all().await;
    assert_eq!(at_once.next_rows().await.len(), 10);
    // Until the tip, the cap, or the deadline.
    for (cap, seconds, expected) in [(None, 60, 100), (Some(35), 60, 35), (None, 1, 60)] {
        fixture.options.max_records_per_shard = cap;
        fixture.options.max_fetch_time_per_shard = Some(Duration::from_secs(seconds));
        let reader = fixture.read_all().await;
        let rows = reader.next_rows().await.len();
        assert!(rows.abs_diff(expected) <= 10 && (cap.is_none() || rows == expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_a_frozen_stream_is_filled_for_a_second_to_half_its_size_or_to_the_tip() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.records_per_fetch = 10;
    for text in numbers(100) {
        fixture.put(&text).await;
    }
    sleep(Duration::from_secs(1)).await;
    fixture.settings.until = Some(fixture.now());
    // A page of 10 records every 200 ms.
    for (full_bytes, expected) in [(1 << 20, 60), (150, 25)] {
        fixture.options.max_batch_bytes = full_bytes;
        let reader = fixture.read_all().await;
        let began = Instant::now();
        let rows = reader.next_rows().await.len();
        assert!(rows.abs_diff(expected) <= 10, "{full_bytes}: {rows}");
        assert!(began.elapsed() <= Duration::from_millis(1_100));
        let rest = reader.rows(100 - rows).await.len();
        assert_eq!(rest, 100 - rows);
        // The last rows do not wait: the shard is at the tip.
        let whole = Duration::from_millis(2_000);
        assert!(began.elapsed() <= whole, "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn batches_do_not_wait_for_full_buffers() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.records_per_fetch = 10;
    fixture.options.buffer_max_bytes = 100_000;
    fixture.options.max_fetch_time_per_shard = Some(Duration::from_secs(86_400));
    for number in 0..300 {
        let text = format!("k {number} {}", "x".repeat(1_000));
        fixture.put(&text).await;
    }
    let reader = fixture.read_all().await;
    let began = Instant::now();
    assert_eq!(reader.rows(300).await.len(), 300);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn an_idle_hour_costs_one_request_per_shard_and_interval() {
    let fixture = Fixture::with_shards(3).await;
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(3_600)).await;
    let calls = |operation| fixture.kinesis.calls(operation);
    let fetches = calls(Operation::GetRecords);
    assert!((53_000..=3 * 5 * 3_600 + 3).contains(&fetches), "{fetches}");
    let listings = calls(Operation::ListShards);
    assert!((3_500..=3_601).contains(&listings), "{listings}");
    assert_eq!(calls(Operation::GetShardIterator), 3);
    assert_eq!(reader.readiness(Instant::now()).unwrap(), Readiness::NoData);
    assert_eq!(reader.status().max_behind_latest, Some(Duration::ZERO));
    drop(reader);
    sleep(Duration::from_secs(1)).await;
    let fetches = calls(Operation::GetRecords);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(calls(Operation::GetRecords), fetches);
}

#[tokio::test(start_paused = true)]
async fn all_rows_before_a_time_are_taken_once_every_shard_was_read_since() {
    let fixture = Fixture::with_shards(4).await;
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(1)).await;
    fixture.put("apple 1").await;
    let time = fixture.now();
    assert!(!reader.has_taken_all_before(time));
    while !reader.has_taken_all_before(time) {
        match reader.readiness(Instant::now()).unwrap() {
            Readiness::Ready => assert_eq!(reader.next_rows().await, ["apple 1"]),
            _ => reader.changed().await,
        }
    }
    assert!(fixture.now().since(time) <= Duration::from_millis(250));
    assert_eq!(reader.status().buffered_rows, 0);
}

#[tokio::test(start_paused = true)]
async fn all_rows_before_a_time_include_those_after_a_reshard() {
    let fixture = Fixture::with_shards(1).await;
    let reader = fixture.read_all().await;
    fixture.put("apple 1").await;
    fixture.split_the_only_shard().await;
    fixture.put("apple 2").await;
    fixture.put("pear 1").await;
    sleep(Duration::from_millis(1)).await;
    let time = fixture.now();
    let mut rows = Vec::new();
    while !reader.has_taken_all_before(time) {
        match reader.readiness(Instant::now()).unwrap() {
            Readiness::Ready => rows.extend(reader.next_rows().await),
            _ => reader.changed().await,
        }
    }
    assert_eq!(rows.len(), 3);
}
