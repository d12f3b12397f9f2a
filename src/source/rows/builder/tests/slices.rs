//! Rows of slices of a page.

use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use super::*;
use crate::model::ShardPosition;
use crate::source::rows::CountedPage;

fn index(record: usize, sub: u64) -> RowIndex {
    RowIndex { record, sub }
}

/// The rows of a slice.
fn rows_between(
    builder: &mut RowBuilder,
    page: &RecordsPage,
    first: RowIndex,
    end: RowIndex,
) -> Vec<String> {
    rows_of(builder, PageSlice::new(page.clone(), first, end))
}

fn rows_of(builder: &mut RowBuilder, slice: PageSlice) -> Vec<String> {
    let mut open = OpenPage::new(slice);
    let mut rows = Vec::new();
    while let Some(batch) = builder
        .next_batch(&mut open, &mut Findings::default())
        .unwrap()
    {
        assert!(batch.num_rows() > 0);
        rows.extend(described(&batch));
    }
    rows
}

/// One line per row, with all its columns.
fn described(batch: &RecordBatch) -> Vec<String> {
    let columns: Vec<_> = (batch.columns().iter())
        .map(|column| ArrayFormatter::try_new(column, &FormatOptions::default()).unwrap())
        .collect();
    let row = |row| {
        let values = columns.iter().map(|column| column.value(row).to_string());
        values.collect::<Vec<_>>().join(" ")
    };
    (0..batch.num_rows()).map(row).collect()
}

/// Every index of a page between two rows.
fn indexes(records: &[u64]) -> Vec<RowIndex> {
    let of = |(record, rows): (usize, &u64)| (0..*rows).map(move |sub| index(record, sub));
    let inner = records.iter().enumerate().flat_map(of);
    inner.chain([RowIndex::before(records.len())]).collect()
}

#[test]
fn a_slice_has_exactly_the_rows_between_its_indexes() {
    let packed = |n: usize| aggregate(&vec![("k", Some(n as u128), b"user".as_slice()); n]);
    let (three, one, four) = (packed(3), packed(1), packed(4));
    let mixed: &[&[u8]] = &[b"a", &three, &one, b"b", b"c", &four];
    let plain: &[&[u8]] = &[b"a", b"b", b"c", b"d"];
    for (records, rows) in [(mixed, &[1, 3, 1, 1, 1, 4][..]), (plain, &[1, 1, 1, 1])] {
        let page = page(records);
        let indexes = indexes(rows);
        for filter in [HashFilter::PerRecord, HashFilter::Kcl, HashFilter::None] {
            let mut builder = builder(&all_columns(), filter, None);
            let all = rows_between(&mut builder, &page, indexes[0], indexes[indexes.len() - 1]);
            assert_eq!(all.len(), indexes.len() - 1);
            for first in 0..indexes.len() {
                for end in first..indexes.len() {
                    let rows = rows_between(&mut builder, &page, indexes[first], indexes[end]);
                    assert_eq!(
                        rows,
                        all[first..end],
                        "{:?} {:?}",
                        indexes[first],
                        indexes[end]
                    );
                }
            }
        }
    }
}

#[test]
fn an_end_after_the_last_user_record_is_the_end_of_the_record() {
    let packed = aggregate(&[("k", None, b"0"), ("k", None, b"1")]);
    let mut builder = builder(&[RowColumn::Data], HashFilter::None, None);
    let page = page(&[&packed, b"plain", b"next"]);
    let mut rows = |first, end| rows_between(&mut builder, &page, first, end);
    assert_eq!(rows(index(0, 1), index(0, 9)), ["31"]);
    assert_eq!(rows(index(0, 9), index(1, 9)), ["706c61696e"]);
    assert_eq!(rows(index(1, 9), index(9, 0)), ["6e657874"]);
}

#[test]
fn the_kcl_hash_filter_checks_the_whole_aggregate_of_a_slice() {
    let low = HashRange {
        start: HashKey(0),
        end: HashKey(99),
    };
    let packed = aggregate(&[("k", Some(5), b"in"), ("k", Some(500), b"out")]);
    let page = page(&[&packed]);
    let rows = |filter| {
        let mut builder = builder(&[RowColumn::Data], filter, Some(low));
        rows_between(&mut builder, &page, index(0, 0), index(0, 1))
    };
    assert_eq!(rows(HashFilter::PerRecord), ["696e"]);
    assert_eq!(rows(HashFilter::Kcl), Vec::<String>::new());
}

#[test]
fn a_slice_of_a_very_large_aggregate_is_split_into_batches() {
    let users = vec![("k", None, b"x".as_slice()); 150_000];
    let packed = aggregate(&users);
    let mut builder = builder(
        &[RowColumn::Extra(ExtraColumn::SubSequenceNumber)],
        HashFilter::None,
        None,
    );
    let slice = PageSlice::new(page(&[&packed]), index(0, 10), index(0, 140_000));
    let mut open = OpenPage::new(slice);
    let mut sizes = Vec::new();
    let mut next = 10;
    while let Some(batch) = builder
        .next_batch(&mut open, &mut Findings::default())
        .unwrap()
    {
        sizes.push(batch.num_rows());
        for sub in batch.column(0).as_primitive::<Int64Type>().values() {
            assert_eq!(*sub, next);
            next += 1;
        }
    }
    assert_eq!(sizes, [65_536, 65_536, 8_918]);
    assert_eq!(next, 140_000);
}

#[test]
fn a_slice_of_plain_records_shares_the_memory_of_its_page() {
    let page = page(&[b"aaa", b"bbb", b"ccc"]);
    let data = page.data().value_data().as_ptr_range();
    let slice = PageSlice::new(page, index(0, 1), index(2, 0));
    assert_eq!((slice.records(), slice.size_bytes()), (0..2, 16));
    let mut builder = builder(&[RowColumn::Data], HashFilter::None, None);
    let batch = builder.next_batch(&mut OpenPage::new(slice), &mut Findings::default());
    let batch = batch.unwrap().unwrap();
    let column = batch.column(0).as_binary::<i32>();
    assert_eq!(column.value(0), b"bbb");
    assert!(data.contains(&column.value(0).as_ptr()));
}

/// DataFusion checks all bytes of an array when it casts it to text, not only those of its rows.
#[test]
fn plain_rows_can_be_cast_to_text_next_to_invalid_utf8() {
    let packed = aggregate(&[("k", None, b"user".as_slice()); 3]);
    let page = page(&[b"\xff", b"a", b"bc", &packed, b"d"]);
    let mut builder = builder(&[RowColumn::Data], HashFilter::PerRecord, None);
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    for (first, end, expected) in [(1, 3, &["a", "bc"][..]), (4, 5, &["d"]), (2, 3, &["bc"])] {
        let slice = PageSlice::new(page.clone(), index(first, 0), index(end, 0));
        let mut open = OpenPage::new(slice);
        let rows = builder.next_batch(&mut open, &mut Findings::default());
        let rows = rows.unwrap().unwrap();
        let text = cast_with_options(rows.column(0), &DataType::Utf8, &strict).unwrap();
        let text: Vec<_> = text.as_string::<i32>().iter().flatten().collect();
        assert_eq!(text, expected);
    }
}

#[test]
fn checked_slices_have_the_same_rows() {
    let packed = aggregate(&[("k", None, b"a"), ("k", None, b"b")]);
    let mut spoilt = packed.clone();
    *spoilt.last_mut().unwrap() ^= 1;
    let sound: &[&[u8]] = &[b"a", &packed];
    let mixed: &[&[u8]] = &[&packed, &spoilt];
    for (records, checked) in [(sound, true), (mixed, false)] {
        let page = page(records);
        let mut builder = builder(&all_columns(), HashFilter::None, None);
        let end = RowIndex::before(page.len());
        let expected = rows_between(&mut builder, &page, index(0, 0), end);
        let counted = CountedPage::new(page, &ShardPosition::TrimHorizon, None).unwrap();
        let slice = counted.slice(0, counted.rows());
        assert_eq!(slice.checked, checked);
        assert_eq!(rows_of(&mut builder, slice), expected);
    }
}
