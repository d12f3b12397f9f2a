mod slices;

use datafusion::arrow::array::{AsArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{Int64Type, UInt32Type};

use super::*;
use crate::aggregation::AggregateBuilder;
use crate::kinesis::{RecordColumns, RecordsPage, RecordsPageBuilder};
use crate::model::{HashKey, ShardPosition, UnixMillis};
use crate::source::rows::CountedPage;

/// An aggregated record with these user records.
fn aggregate(users: &[(&str, Option<u128>, &[u8])]) -> Vec<u8> {
    let mut builder = AggregateBuilder::new(4 << 20);
    for (partition_key, hash_key, data) in users {
        builder.try_push(&UserRecord {
            partition_key,
            explicit_hash_key: hash_key.map(HashKey),
            data,
        });
    }
    builder.finish().to_vec()
}

/// A page of these records, with sequence numbers from 100 on and the key `outer`.
fn page(records: &[&[u8]]) -> RecordsPage {
    let mut builder = RecordsPageBuilder::with_capacity(RecordColumns::ALL, records.len(), 0);
    for (i, data) in records.iter().enumerate() {
        let number = (100 + i).to_string();
        builder.push(data, Some("outer"), &number, Some(UnixMillis(i as i64)));
    }
    builder.finish(None, None, None, vec![])
}

fn builder(columns: &[RowColumn], filter: HashFilter, range: Option<HashRange>) -> RowBuilder {
    RowBuilder::new(
        &StreamName::new("words").unwrap(),
        &ShardId::new("shardId-0"),
        range,
        filter,
        columns.to_vec(),
    )
}

fn whole(page: RecordsPage) -> OpenPage {
    let end = RowIndex::before(page.len());
    OpenPage::new(PageSlice::new(page, RowIndex::before(0), end))
}

fn all_columns() -> Vec<RowColumn> {
    RowColumn::STANDARD
        .into_iter()
        .chain(ExtraColumn::ALL.map(RowColumn::Extra))
        .collect()
}

fn only_batch(builder: &mut RowBuilder, page: RecordsPage) -> (RecordBatch, Findings) {
    let mut open = whole(page);
    let mut findings = Findings::default();
    let batch = builder
        .next_batch(&mut open, &mut findings)
        .unwrap()
        .unwrap();
    assert!(
        builder
            .next_batch(&mut open, &mut findings)
            .unwrap()
            .is_none()
    );
    (batch, findings)
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(column).unwrap();
    if let Some(bytes) = column.as_binary_opt::<i32>() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        return bytes.iter().map(|bytes| bytes.map(text)).collect();
    }
    let strings = column.as_string::<i32>();
    strings.iter().map(|text| text.map(str::to_owned)).collect()
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

#[test]
fn a_page_of_plain_records_shares_the_memory_of_its_columns() {
    let page = page(&[b"a", b"bc"]);
    let data = page.data().value_data().as_ptr();
    let (batch, _) = only_batch(&mut builder(&all_columns(), HashFilter::None, None), page);
    assert_eq!(
        batch.column(0).as_binary::<i32>().value_data().as_ptr(),
        data
    );
    assert_eq!(texts(&batch, "data"), some(&["a", "bc"]));
    assert_eq!(texts(&batch, "streamName"), some(&["words", "words"]));
    assert_eq!(texts(&batch, "partitionKey"), some(&["outer", "outer"]));
    assert_eq!(texts(&batch, "sequenceNumber"), some(&["100", "101"]));
    assert_eq!(texts(&batch, "shardId"), some(&["shardId-0", "shardId-0"]));
    assert_eq!(texts(&batch, "explicitHashKey"), [None, None]);
}

#[test]
fn aggregated_records_become_one_row_per_user_record() {
    let packed = aggregate(&[("k1", None, b"one"), ("k2", Some(7), b"two")]);
    let page = page(&[b"plain", &packed, b"last"]);
    let (batch, findings) = only_batch(&mut builder(&all_columns(), HashFilter::None, None), page);
    assert_eq!(
        texts(&batch, "data"),
        some(&["plain", "one", "two", "last"])
    );
    assert_eq!(
        texts(&batch, "partitionKey"),
        some(&["outer", "k1", "k2", "outer"])
    );
    assert_eq!(
        texts(&batch, "sequenceNumber"),
        some(&["100", "101", "101", "102"])
    );
    let hash_keys = [None, None, Some("7".to_owned()), None];
    assert_eq!(texts(&batch, "explicitHashKey"), hash_keys);
    let sub = batch.column_by_name("subSequenceNumber").unwrap();
    assert_eq!(sub.as_primitive::<Int64Type>().values(), &[0, 0, 1, 0]);
    let arrival = batch.column_by_name("approximateArrivalTimestamp").unwrap();
    let arrival = arrival.as_any().downcast_ref::<TimestampMicrosecondArray>();
    assert_eq!(arrival.unwrap().values(), &[0, 1_000, 1_000, 2_000]);
    assert_eq!(findings, Findings::default());
}

/// Checksums are verified for many records at once: a wrong one must not spoil the others, nor be missed among them.
#[test]
fn a_record_with_a_wrong_checksum_is_plain_wherever_it_is() {
    const RECORDS: usize = 70;
    let whole = aggregate(&[("k1", None, b"one"), ("k2", None, b"two")]);
    let mut wrong = whole.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let wrong_at = [vec![], vec![5], vec![0, 33, 69], (0..RECORDS).collect()];
    for wrong_at in wrong_at {
        let record = |at: usize| match wrong_at.contains(&at) {
            true => &wrong[..],
            false => &whole[..],
        };
        let records: Vec<&[u8]> = (0..RECORDS).map(record).collect();
        let rows = records.iter().flat_map(|record| match *record == wrong {
            true => vec![&wrong[..]],
            false => vec![&b"one"[..], b"two"],
        });
        let rows: Vec<&[u8]> = rows.collect();
        let mut builder = builder(&[RowColumn::Data], HashFilter::None, None);
        let (batch, findings) = only_batch(&mut builder, page(&records));
        let data = batch.column(0).as_binary::<i32>();
        assert_eq!(data.iter().flatten().collect::<Vec<_>>(), rows);
        assert_eq!(findings, Findings::default());
        let counted = CountedPage::new(page(&records), &ShardPosition::TrimHorizon, None);
        let counted = counted.unwrap();
        assert_eq!(counted.rows(), rows.len() as u64);
        let mut open = OpenPage::new(counted.slice(0, counted.rows()));
        let batch = builder.next_batch(&mut open, &mut Findings::default());
        let batch = batch.unwrap().unwrap();
        let data = batch.column(0).as_binary::<i32>();
        assert_eq!(data.iter().flatten().collect::<Vec<_>>(), rows);
    }
}

#[test]
fn a_batch_without_columns_has_a_row_count() {
    let packed = aggregate(&[("k1", None, b"one"), ("k2", None, b"two")]);
    let (batch, _) = only_batch(
        &mut builder(&[], HashFilter::None, None),
        page(&[&packed, b"x"]),
    );
    assert_eq!((batch.num_rows(), batch.num_columns()), (3, 0));
}

#[test]
fn an_aggregate_with_a_bad_table_index_is_one_row_and_counted() {
    let damaged = "f3899ac20a03706b311a0608001a026f6b1a0708071a036261641a0908001a0561667465722ef3\
                   c959bb21c264385c0e2195fb1bcf";
    let damaged: Vec<u8> = (0..damaged.len() / 2)
        .map(|i| u8::from_str_radix(&damaged[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    let (batch, findings) = only_batch(
        &mut builder(&all_columns(), HashFilter::None, None),
        page(&[&damaged]),
    );
    assert_eq!(batch.column(0).as_binary::<i32>().value(0), damaged);
    assert_eq!(findings.damaged, 1);
}

#[test]
fn every_row_has_the_number_of_the_read() {
    let packed = aggregate(&[("k1", None, b"one"), ("k2", None, b"two")]);
    let columns = [RowColumn::ShardNumber, RowColumn::Data];
    let mut builder = builder(&columns, HashFilter::None, None).numbered(9);
    let mixed: [&[u8]; 2] = [&packed, b"last"];
    for (records, rows) in [(&mixed[..], 3), (&[b"plain".as_slice()], 1)] {
        let (batch, _) = only_batch(&mut builder, page(records));
        let numbers = batch.column(0).as_primitive::<UInt32Type>();
        assert_eq!(numbers.values(), vec![9; rows].as_slice());
    }
}

#[test]
fn the_hash_filter_drops_user_records_or_whole_aggregates() {
    let low = HashRange {
        start: HashKey(0),
        end: HashKey(99),
    };
    let mixed = aggregate(&[("k", Some(5), b"in"), ("k", Some(500), b"out")]);
    let inside = aggregate(&[("k", Some(6), b"in2"), ("k", Some(7), b"in3")]);
    let read = |filter, range| {
        let mut builder = builder(&[RowColumn::Data], filter, range);
        let (batch, findings) = only_batch(&mut builder, page(&[&mixed, &inside]));
        (texts(&batch, "data"), findings.filtered)
    };
    assert_eq!(
        read(HashFilter::PerRecord, Some(low)),
        (some(&["in", "in2", "in3"]), 1)
    );
    assert_eq!(read(HashFilter::Kcl, Some(low)), (some(&["in2", "in3"]), 2));
    let all = some(&["in", "out", "in2", "in3"]);
    assert_eq!(read(HashFilter::None, Some(low)), (all.clone(), 0));
    assert_eq!(read(HashFilter::PerRecord, None), (all, 0));
}

#[test]
fn a_very_large_aggregate_is_split_into_batches() {
    let numbers: Vec<String> = (0..150_000).map(|n| n.to_string()).collect();
    let users: Vec<_> = numbers.iter().map(|n| ("k", None, n.as_bytes())).collect();
    let packed = aggregate(&users);
    assert!(packed.len() > 1_000_000);
    let mut builder = builder(&[RowColumn::Data], HashFilter::None, None);
    let mut open = whole(page(&[&packed, b"last"]));
    let mut rows = Vec::new();
    let mut sizes = Vec::new();
    while let Some(batch) = builder
        .next_batch(&mut open, &mut Findings::default())
        .unwrap()
    {
        sizes.push(batch.num_rows());
        rows.extend(texts(&batch, "data").into_iter().flatten());
    }
    assert_eq!(sizes, [65_536, 65_536, 18_928, 1]);
    assert_eq!(rows.pop().as_deref(), Some("last"));
    assert_eq!(rows, numbers);
}

#[test]
fn many_user_records_are_split_into_batches() {
    let users: Vec<_> = (0..3_000).map(|_| ("k", None, b"x".as_slice())).collect();
    let packed = aggregate(&users);
    let mut builder = builder(&[RowColumn::SequenceNumber], HashFilter::None, None);
    let mut open = whole(page(&[packed.as_slice(); 10]));
    let mut sizes = Vec::new();
    while let Some(batch) = builder
        .next_batch(&mut open, &mut Findings::default())
        .unwrap()
    {
        sizes.push(batch.num_rows());
    }
    assert_eq!(sizes, [9_000, 9_000, 9_000, 3_000]);
}
