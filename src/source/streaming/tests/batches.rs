use md5::{Digest, Md5};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_batch_has_all_buffered_rows_and_the_next_one_continues() {
    let fixture = Fixture::with_shards(2).await;
    let words = ["apple 1", "pear 1", "plum 1", "apple 2"];
    for word in words {
        fixture.put(word).await;
    }
    let reader = fixture.read_all().await;
    let mut rows = reader.rows(4).await;
    rows.sort();
    assert_eq!(rows, ["apple 1", "apple 2", "pear 1", "plum 1"]);
    fixture.put("apple 3").await;
    let batch = reader.next().await;
    assert_eq!(rows_of(&batch), ["apple 3"]);
    assert_eq!(batch.ranges.shards.len(), 2);
    let empty = batch
        .ranges
        .shards
        .values()
        .filter(|range| range.is_empty());
    assert_eq!(empty.count(), 1);
    assert_eq!(batch.reads.reads.len(), 1);
    let latest = reader.status().latest;
    assert_eq!(batch.ranges.ends(), latest);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_cut_at_the_row_cap_inside_an_aggregate_and_a_restart_continues_there() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.max_records_per_shard = Some(3);
    let texts = numbers(7);
    fixture.put_aggregate(&texts[..5]).await;
    fixture.put(&texts[5]).await;
    fixture.put(&texts[6]).await;
    let reader = fixture.read_all().await;
    let batch = reader.next().await;
    assert_eq!(rows_of(&batch), texts[..3]);
    let ends = batch.ranges.ends();
    let inside = matches!(
        ends[&shard(0)],
        ShardPosition::After {
            sub_sequence: Some(2),
            ..
        }
    );
    assert!(inside, "{ends:?}");
    drop(reader);
    let reader = fixture.read(resume_at(ends)).await;
    assert_eq!(reader.rows(4).await, texts[3..]);
}

#[tokio::test(start_paused = true)]
async fn the_byte_cap_applies_to_all_shards_together() {
    let mut fixture = Fixture::with_shards(4).await;
    fixture.options.max_batch_bytes = 20_000;
    for number in 0..100 {
        let text = format!("{number} {}", "x".repeat(1_000));
        fixture.put(&text).await;
    }
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(1)).await;
    let mut rows = 0;
    while rows < 100 {
        let batch = reader.next().await;
        assert!((1..=20).contains(&batch.rows), "{}", batch.rows);
        rows += batch.rows;
        reader.release(&batch.ranges.ends());
    }
    assert_eq!(rows, 100);
}

#[tokio::test(start_paused = true)]
async fn full_buffers_stop_reading_until_a_batch_is_released() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.buffer_max_bytes = 200_000;
    fixture.options.records_per_fetch = 10;
    let texts: Vec<String> = (0..500)
        .map(|number| format!("k {number} {}", "x".repeat(1_000)))
        .collect();
    for text in &texts {
        fixture.put(text).await;
    }
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(60)).await;
    let calls = fixture.kinesis.calls(Operation::GetRecords);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(fixture.kinesis.calls(Operation::GetRecords), calls);
    let held = reader.status().buffered_bytes;
    assert!((90_000..=220_000).contains(&held), "{held}");
    let first = reader.next().await;
    let mut rows = rows_of(&first);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(fixture.kinesis.calls(Operation::GetRecords), calls);
    reader.release(&first.ranges.ends());
    rows.extend(reader.rows(500 - rows.len()).await);
    assert_eq!(rows, texts);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(reader.status().buffered_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_an_earlier_run_is_read_from_the_service() {
    let fixture = Fixture::with_shards(2).await;
    fixture.put("apple 1").await;
    let reader = fixture.read_all().await;
    let batch = reader.next().await;
    drop(reader);
    let reader = fixture.read(resume_at(batch.ranges.ends())).await;
    let again = reader.replay(&batch.ranges);
    assert_eq!(again.reads, batch.reads.reads);
    assert!(again.buffered.is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_caps_one_batch_has_all_rows_up_to_the_tip() {
    let mut fixture = Fixture::with_shards(2).await;
    fixture.options.buffer_max_bytes = 100_000;
    fixture.options.max_records_per_shard = Some(1);
    for number in 0..400 {
        let text = format!("{number} {}", "x".repeat(1_000));
        fixture.put(&text).await;
    }
    advance(Duration::from_millis(10)).await;
    fixture.settings.until = Some(fixture.now());
    fixture.settings.caps = false;
    let reader = fixture.read_all().await;
    let batch = reader.next().await;
    assert_eq!(batch.rows, 400);
    assert_eq!(batch.reads.reads.len(), 2);
    assert!(batch.reads.buffered.len() < 2);
    assert!(reader.is_exhausted());
    drop(reader);
    fixture.settings.caps = true;
    fixture.put("late 1").await;
    fixture.settings.until = None;
    let reader = fixture.read(resume_at(batch.ranges.ends())).await;
    assert_eq!(reader.next_rows().await, ["late 1"]);
}

/// An aggregated record with a long key and no user records.
fn empty_aggregate() -> Bytes {
    let message = [b"\x0a\xe8\x07".as_slice(), &[b'k'; 1_000]].concat();
    let digest = Md5::digest(&message);
    let parts = [&[0xF3, 0x89, 0x9A, 0xC2], message.as_slice(), &digest[..]];
    Bytes::from(parts.concat())
}

#[tokio::test(start_paused = true)]
async fn records_without_rows_do_not_block_the_buffers() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.buffer_max_bytes = 100_000;
    fixture.options.records_per_fetch = 10;
    for _ in 0..300 {
        fixture.put_bytes("k", empty_aggregate()).await;
    }
    fixture.put("k 1").await;
    let reader = fixture.read_all().await;
    assert_eq!(reader.rows(1).await, ["k 1"]);
}
