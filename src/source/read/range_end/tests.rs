use super::*;
use crate::kinesis::{RecordColumns, RecordsPageBuilder};

/// A page of records with these sequence numbers.
fn page(numbers: &[u64]) -> RecordsPage {
    let mut builder = RecordsPageBuilder::with_capacity(RecordColumns::ALL, numbers.len(), 0);
    for number in numbers {
        builder.push(b"", None, &number.to_string(), None);
    }
    let last = numbers.last().map(|number| sequence(*number));
    builder.finish(last, None, None, vec![])
}

fn sequence(number: u64) -> SequenceNumber {
    SequenceNumber::new(&number.to_string()).unwrap()
}

fn after(number: u64, sub_sequence: Option<u64>) -> ShardPosition {
    ShardPosition::After {
        sequence: sequence(number),
        sub_sequence,
    }
}

fn index(record: usize, sub: u64) -> RowIndex {
    RowIndex { record, sub }
}

/// The part of the first page of an open shard that belongs to a range.
fn take(upto: ShardPosition, from: &ShardPosition, page: &RecordsPage) -> RangePart {
    let mut end = RangeEnd::new(upto);
    end.take(page, from, false, false).unwrap()
}

/// The same for the last page of a closed shard.
fn take_last(upto: ShardPosition, from: &ShardPosition, page: &RecordsPage) -> RangePart {
    let mut end = RangeEnd::new(upto);
    end.take(page, from, true, false).unwrap()
}

const START: ShardPosition = ShardPosition::TrimHorizon;

#[test]
fn the_end_is_found_by_comparing_sequence_numbers_as_numbers() {
    // As text, 100 comes before 9.
    let numbers = [8, 9, 10, 98, 99, 100, 101, 1_000];
    let page = page(&numbers);
    for (record, number) in numbers.into_iter().enumerate() {
        for (sub, end) in [(None, index(record + 1, 0)), (Some(3), index(record, 4))] {
            let taken = take(after(number, sub), &START, &page);
            assert_eq!((taken.end, taken.done, taken.loss), (end, true, None));
        }
    }
    let taken = take(after(1_001, None), &START, &page);
    assert_eq!(
        (taken.end, taken.done, taken.loss),
        (index(8, 0), false, None)
    );
}

#[test]
fn a_later_record_in_place_of_the_last_one_is_a_loss() {
    for (number, end, found) in [(7, 0, "8"), (50, 2, "98"), (99, 3, "100")] {
        let taken = take(after(number, None), &START, &page(&[8, 9, 98, 100]));
        assert_eq!((taken.end, taken.done), (index(end, 0), true));
        assert_eq!(taken.loss, Some(RangeLoss::End(found.to_owned())));
    }
}

#[test]
fn a_shard_that_ends_early_is_a_loss_unless_the_range_ends_with_it() {
    let last = page(&[8, 9]);
    let taken = take_last(after(10, None), &START, &last);
    assert_eq!((taken.end, taken.done), (index(2, 0), true));
    assert_eq!(taken.loss, Some(RangeLoss::ShardEnded));
    let taken = take_last(ShardPosition::ShardEnd, &START, &last);
    assert_eq!(
        (taken.end, taken.done, taken.loss),
        (index(2, 0), true, None)
    );
    assert_eq!(take_last(after(9, None), &START, &last).loss, None);
}

#[test]
fn several_empty_pages_at_the_tip_are_a_loss() {
    for upto in [after(10, None), ShardPosition::ShardEnd] {
        let mut end = RangeEnd::new(upto);
        let empty = page(&[]);
        let looks = [
            (&empty, true),
            (&empty, true),
            (&page(&[9]), true),
            (&empty, true),
            (&empty, false),
            (&empty, true),
            (&empty, true),
        ];
        for (page, at_tip) in looks {
            let taken = end.take(page, &START, false, at_tip).unwrap();
            assert_eq!((taken.done, taken.loss), (false, None));
        }
        let taken = end.take(&empty, &START, false, true).unwrap();
        assert_eq!((taken.done, taken.loss), (true, Some(RangeLoss::Tip)));
    }
}

#[test]
fn a_start_inside_a_record_skips_its_read_rows() {
    let from = after(8, Some(1));
    let taken = take(after(9, None), &from, &page(&[8, 9]));
    assert_eq!((taken.first, taken.loss), (index(0, 2), None));
    let taken = take(after(8, Some(4)), &from, &page(&[8, 9]));
    assert_eq!((taken.first, taken.end), (index(0, 2), index(0, 5)));
    assert_eq!(first_row(&page(&[8, 9]), &after(8, None)), index(0, 0));
}

#[test]
fn an_expired_start_record_is_a_loss_of_that_record_only() {
    let from = after(8, Some(1));
    let taken = take(after(10, None), &from, &page(&[9, 10, 11]));
    assert_eq!(
        (taken.first, taken.end, taken.done),
        (index(0, 0), index(2, 0), true)
    );
    assert_eq!(taken.loss, Some(RangeLoss::Start("9".to_owned())));
    let waiting = take(ShardPosition::ShardEnd, &from, &page(&[]));
    assert_eq!((waiting.done, waiting.loss), (false, None));
    let ended = take_last(ShardPosition::ShardEnd, &from, &page(&[]));
    assert_eq!(
        (ended.done, ended.loss),
        (true, Some(RangeLoss::ShardEnded))
    );
}

#[test]
fn an_end_that_is_not_a_row_is_rejected() {
    let error = RangeEnd::new(START).take(&page(&[]), &after(1, None), false, false);
    assert!(error.unwrap_err().to_string().contains("TRIM_HORIZON"));
}
