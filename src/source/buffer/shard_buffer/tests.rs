use md5::{Digest, Md5};

use super::*;
use crate::aggregation::{AggregateBuilder, UserRecord};
use crate::kinesis::{RecordColumns, RecordsPage, RecordsPageBuilder};
use crate::model::{SequenceNumber, UnixMillis};

/// An aggregated record with this many user records.
fn aggregate(rows: usize) -> Vec<u8> {
    let mut builder = AggregateBuilder::new(1 << 20);
    for row in 0..rows {
        builder.try_push(&UserRecord {
            partition_key: "k",
            explicit_hash_key: None,
            data: &row.to_be_bytes(),
        });
    }
    builder.finish().to_vec()
}

/// An aggregated record with a key and no user records.
fn empty_aggregate() -> Vec<u8> {
    let message = b"\x0a\x01k";
    let digest = Md5::digest(message);
    [&[0xF3, 0x89, 0x9A, 0xC2], message.as_slice(), &digest[..]].concat()
}

/// A page of records with these numbers of rows. Their sequence numbers, which are also their arrival times,
/// start at `first`. A record without rows is an aggregate without user records.
fn page(first: usize, rows: &[usize]) -> RecordsPage {
    let mut builder = RecordsPageBuilder::with_capacity(RecordColumns::ALL, rows.len(), 0);
    for (number, rows) in (first..).zip(rows) {
        let data = match rows {
            0 => empty_aggregate(),
            1 => b"plain".to_vec(),
            rows => aggregate(*rows),
        };
        let time = UnixMillis(number as i64);
        builder.push(&data, Some("k"), &number.to_string(), Some(time));
    }
    let last = (first + rows.len()).checked_sub(1);
    let last = last.map(|last| SequenceNumber::new(&last.to_string()).unwrap());
    builder.finish(last, None, None, vec![])
}

fn after(number: usize, sub_sequence: Option<u64>) -> ShardPosition {
    ShardPosition::After {
        sequence: SequenceNumber::new(&number.to_string()).unwrap(),
        sub_sequence,
    }
}

fn push(buffer: &mut ShardBuffer, page: RecordsPage) {
    let page = CountedPage::new(page, &buffer.end().clone(), None);
    buffer.push(page.unwrap());
}

fn buffer_of(pages: &[(usize, &[usize])]) -> ShardBuffer {
    let mut buffer = ShardBuffer::starting_at(ShardPosition::TrimHorizon);
    for (first, rows) in pages {
        push(&mut buffer, page(*first, rows));
    }
    buffer
}

/// The rows of slices, as sequence numbers and subsequence numbers.
fn rows_of(taken: &TakenRows) -> Vec<(String, u64)> {
    let mut rows = Vec::new();
    for slice in taken.slices.as_deref().unwrap_or_default() {
        let numbers = slice.page.sequence_number().unwrap();
        for record in slice.first.record..slice.page.len() {
            let count = match slice.page.data().value(record) {
                b"plain" => 1,
                data => match crate::aggregation::open(data) {
                    crate::aggregation::Opened::Aggregate(users) => users.len() as u64,
                    _ => 1,
                },
            };
            for sub in 0..count {
                let index = crate::source::RowIndex { record, sub };
                if index >= slice.first && index < slice.end {
                    rows.push((numbers.value(record).to_owned(), sub));
                }
            }
        }
    }
    rows
}

#[test]
fn a_range_ends_with_the_last_row_taken() {
    let mut buffer = buffer_of(&[(10, &[1, 4, 1]), (13, &[2])]);
    assert_eq!(buffer.pending_rows(), 8);
    let taken = buffer.take(3);
    assert_eq!(taken.range.after, ShardPosition::TrimHorizon);
    assert_eq!(taken.range.upto, after(11, Some(1)));
    assert_eq!(taken.rows, 3);
    assert_eq!(buffer.take(2).range.upto, after(11, None));
    assert_eq!(buffer.take(1).range.upto, after(12, None));
    assert_eq!(buffer.take(1).range.upto, after(13, Some(0)));
    assert_eq!(buffer.take(9).range.upto, after(13, None));
    assert!(buffer.take(9).range.is_empty());
}

#[test]
fn records_without_rows_are_taken_with_the_row_before_them() {
    let mut buffer = buffer_of(&[(10, &[1, 0]), (12, &[0, 0]), (14, &[1])]);
    assert_eq!(buffer.pending_rows(), 2);
    let taken = buffer.take(1);
    assert_eq!(taken.range.upto, after(13, None));
    assert_eq!(rows_of(&taken), [("10".to_owned(), 0)]);
    assert_eq!(rows_of(&buffer.take(1)), [("14".to_owned(), 0)]);
}

#[test]
fn a_start_inside_an_aggregate_skips_its_read_rows() {
    let mut buffer = ShardBuffer::starting_at(after(10, Some(1)));
    push(&mut buffer, page(10, &[4, 1]));
    push(&mut buffer, page(12, &[1]));
    let taken = buffer.take(9);
    assert_eq!(
        rows_of(&taken),
        [("10", 2), ("10", 3), ("11", 0), ("12", 0)].map(|(n, sub)| (n.to_owned(), sub))
    );
    // The record has expired, or was read completely.
    for (first, sub) in [(11, 1), (10, 7)] {
        let mut buffer = ShardBuffer::starting_at(after(10, Some(sub)));
        push(&mut buffer, page(first, &[2, 1]));
        let rows = if first == 11 { 3 } else { 1 };
        assert_eq!(buffer.pending_rows(), rows);
        assert_eq!(rows_of(&buffer.take(9)).len() as u64, rows);
    }
}

#[test]
fn the_shard_end_is_taken_with_the_last_row_or_by_the_next_batch() {
    let mut buffer = buffer_of(&[(10, &[1])]);
    buffer.close();
    assert!(!buffer.is_drained());
    assert_eq!(buffer.take(1).range.upto, ShardPosition::ShardEnd);
    let mut buffer = buffer_of(&[(10, &[1])]);
    assert_eq!(buffer.take(1).range.upto, after(10, None));
    buffer.close();
    assert!(buffer.is_drained());
    let taken = buffer.take(0);
    assert_eq!((taken.rows, taken.range.after), (0, after(10, None)));
    assert_eq!(taken.range.upto, ShardPosition::ShardEnd);
}

#[test]
fn pages_are_dropped_when_their_batch_is_released() {
    let mut buffer = buffer_of(&[(10, &[1, 1]), (12, &[1]), (13, &[1, 1])]);
    let all = buffer.held_bytes();
    let first = buffer.take(3).range.upto;
    let second = buffer.take(1).range.upto;
    assert_eq!(buffer.held_bytes(), all);
    buffer.release(&after(99, None));
    assert_eq!(buffer.held_bytes(), all);
    buffer.release(&first);
    let rest = buffer.held_bytes();
    assert!(rest < all);
    // The last page was taken partly.
    buffer.release(&second);
    assert_eq!(buffer.held_bytes(), rest);
    let last = buffer.take(1).range.upto;
    buffer.release(&last);
    assert_eq!(buffer.held_bytes(), 0);
    push(&mut buffer, page(15, &[1]));
    assert_eq!(rows_of(&buffer.take(1)), [("15".to_owned(), 0)]);
}

#[test]
fn rows_of_dropped_pages_are_counted_and_must_be_read_again() {
    let mut buffer = buffer_of(&[(10, &[1, 3])]);
    buffer.drop_pages();
    push(&mut buffer, page(12, &[2]));
    assert_eq!(buffer.held_bytes(), 0);
    let taken = buffer.take(u64::MAX);
    assert!(taken.slices.is_none());
    assert_eq!((taken.rows, taken.range.upto), (6, after(12, None)));
    push(&mut buffer, page(13, &[1]));
    assert_eq!(rows_of(&buffer.take(1)).len(), 1);
}

#[test]
fn records_that_arrived_later_are_not_taken() {
    let counted = |until: i64| {
        let until = Some(UnixMillis(until));
        CountedPage::new(page(10, &[1, 3, 1]), &ShardPosition::TrimHorizon, until).unwrap()
    };
    let cut = counted(11);
    assert!(!cut.is_whole());
    assert_eq!((cut.rows(), cut.end()), (4, after(11, None)));
    assert!(counted(12).is_whole());
    assert!(counted(9).is_empty());
}

#[test]
fn byte_caps_cut_between_records_and_row_caps_anywhere() {
    let buffer = buffer_of(&[(10, &[1, 1]), (12, &[1, 5])]);
    let record = "plain".len() + "k".len();
    let extent = |rows, bytes| buffer.extent(rows, bytes).rows;
    assert_eq!(extent(99, record - 1), 0);
    assert_eq!(extent(99, record), 1);
    assert_eq!(extent(99, record * 3), 3);
    assert_eq!(extent(99, record * 3 + 5), 3);
    assert_eq!(extent(6, usize::MAX), 6);
    assert_eq!(
        buffer.first_record(9),
        Extent {
            rows: 1,
            bytes: record
        }
    );
    assert!(buffer.extent(6, usize::MAX).bytes > aggregate(5).len());
}

/// Pages of random records, and all their rows.
fn random_pages(random: &mut fastrand::Rng) -> (Vec<RecordsPage>, Vec<(String, u64)>) {
    let (mut pages, mut rows, mut number) = (Vec::new(), Vec::new(), 1);
    for _ in 0..random.usize(1..8) {
        let plain = random.bool();
        let counts: Vec<usize> = (0..random.usize(0..6))
            .map(|_| if plain { 1 } else { random.usize(0..6) })
            .collect();
        for (number, count) in (number..).zip(&counts) {
            rows.extend((0..*count as u64).map(|sub| (number.to_string(), sub)));
        }
        pages.push(page(number, &counts));
        number += counts.len();
    }
    (pages, rows)
}

#[test]
fn every_row_is_taken_once_and_in_order_even_over_restarts() {
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (pages, expected) = random_pages(&mut random);
        let mut buffer = ShardBuffer::starting_at(ShardPosition::TrimHorizon);
        let mut coming = pages.iter();
        let mut rows = Vec::new();
        let mut last = ShardPosition::TrimHorizon;
        loop {
            if random.bool() {
                match coming.next() {
                    Some(page) => push(&mut buffer, page.clone()),
                    None if buffer.pending_rows() == 0 => break,
                    None => {}
                }
            }
            let cap = random.u64(0..9);
            let bytes = random.usize(0..400);
            let extent = buffer.extent(cap, bytes);
            assert!(extent.rows <= cap && extent.bytes <= bytes, "seed {seed}");
            let taken = buffer.take(if random.bool() { cap } else { extent.rows });
            assert_eq!(taken.range.after, last, "seed {seed}");
            assert_eq!(rows_of(&taken).len() as u64, taken.rows, "seed {seed}");
            rows.extend(rows_of(&taken));
            last = taken.range.upto;
            if random.bool() {
                buffer.release(&last);
            }
            if random.usize(0..10) == 0 {
                buffer = restarted(&last, &pages);
                coming = [].iter();
            }
        }
        assert_eq!(rows, expected, "seed {seed}");
    }
}

/// A buffer that starts at `position`, with all records after it.
fn restarted(position: &ShardPosition, pages: &[RecordsPage]) -> ShardBuffer {
    let mut buffer = ShardBuffer::starting_at(position.clone());
    for page in pages {
        let numbers = page.sequence_number().unwrap();
        let first = (0..page.len()).find(|record| {
            let number = SequenceNumber::new(numbers.value(*record)).unwrap();
            match position {
                ShardPosition::After {
                    sequence,
                    sub_sequence: Some(_),
                } => number >= *sequence,
                ShardPosition::After { sequence, .. } => number > *sequence,
                _ => true,
            }
        });
        let Some(first) = first else { continue };
        let mut rest = RecordsPageBuilder::with_capacity(RecordColumns::ALL, page.len(), 0);
        for record in first..page.len() {
            rest.push(
                page.data().value(record),
                Some("k"),
                numbers.value(record),
                None,
            );
        }
        push(&mut buffer, rest.finish(None, None, None, vec![]));
    }
    buffer
}
