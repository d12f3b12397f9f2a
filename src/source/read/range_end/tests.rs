use super::*;
use crate::kinesis::{RecordColumns, RecordsPageBuilder, ShardIterator};

/// A page of records with these numbers; of an open shard, or the last one of a closed shard.
fn page(numbers: &[u64], open: bool) -> RecordsPage {
    let mut builder = RecordsPageBuilder::with_capacity(RecordColumns::ALL, numbers.len(), 0);
    for number in numbers {
        builder.push(b"", None, &number.to_string(), None);
    }
    let last = numbers.last().map(|number| sequence(*number));
    let next = open.then(|| ShardIterator::new("next"));
    builder.finish(last, next, None, vec![])
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

fn place(record: usize, sub: u64) -> RowIndex {
    RowIndex { record, sub }
}

/// What the first page of a range has of it.
fn take(upto: ShardPosition, from: &ShardPosition, page: &RecordsPage) -> Taken {
    RangeEnd::new(upto).take(page, from, false).unwrap()
}

const START: ShardPosition = ShardPosition::TrimHorizon;

#[test]
fn the_end_is_found_by_number_wherever_it_lies_in_the_page() {
    // As text, 100 comes before 9.
    let numbers = [8, 9, 10, 98, 99, 100, 101, 1_000];
    let page = page(&numbers, true);
    for (record, number) in numbers.into_iter().enumerate() {
        for (sub, end) in [(None, place(record + 1, 0)), (Some(3), place(record, 4))] {
            let taken = take(after(number, sub), &START, &page);
            assert_eq!((taken.end, taken.done, taken.loss), (end, true, None));
        }
    }
    let taken = take(after(1_001, None), &START, &page);
    assert_eq!(
        (taken.end, taken.done, taken.loss),
        (place(8, 0), false, None)
    );
}

#[test]
fn a_later_record_in_the_place_of_the_last_is_a_loss() {
    for (number, end, found) in [(7, 0, "8"), (50, 2, "98"), (99, 3, "100")] {
        let taken = take(after(number, None), &START, &page(&[8, 9, 98, 100], true));
        assert_eq!((taken.end, taken.done), (place(end, 0), true));
        assert_eq!(taken.loss, Some(Loss::End(found.to_owned())));
    }
}

#[test]
fn a_shard_that_ends_first_is_a_loss_unless_its_end_was_asked_for() {
    let last = page(&[8, 9], false);
    let taken = take(after(10, None), &START, &last);
    assert_eq!((taken.end, taken.done), (place(2, 0), true));
    assert_eq!(taken.loss, Some(Loss::ShardEnded));
    let taken = take(ShardPosition::ShardEnd, &START, &last);
    assert_eq!(
        (taken.end, taken.done, taken.loss),
        (place(2, 0), true, None)
    );
    assert_eq!(take(after(9, None), &START, &last).loss, None);
}

#[test]
fn the_tip_is_a_loss_when_it_was_seen_several_times() {
    for upto in [after(10, None), ShardPosition::ShardEnd] {
        let mut end = RangeEnd::new(upto);
        let empty = page(&[], true);
        let looks = [
            (&empty, true),
            (&empty, true),
            (&page(&[9], true), true),
            (&empty, true),
            (&empty, false),
            (&empty, true),
            (&empty, true),
        ];
        for (page, at_tip) in looks {
            let taken = end.take(page, &START, at_tip).unwrap();
            assert_eq!((taken.done, taken.loss), (false, None));
        }
        let taken = end.take(&empty, &START, true).unwrap();
        assert_eq!((taken.done, taken.loss), (true, Some(Loss::Tip)));
    }
}

#[test]
fn a_start_inside_a_record_skips_what_was_read_of_it() {
    let from = after(8, Some(1));
    let taken = take(after(9, None), &from, &page(&[8, 9], true));
    assert_eq!((taken.first, taken.loss), (place(0, 2), None));
    let taken = take(after(8, Some(4)), &from, &page(&[8, 9], true));
    assert_eq!((taken.first, taken.end), (place(0, 2), place(0, 5)));
    assert_eq!(
        first_row(&page(&[8, 9], true), &after(8, None)),
        place(0, 0)
    );
}

#[test]
fn a_start_inside_a_record_that_is_gone_is_a_loss_and_takes_no_other_with_it() {
    let from = after(8, Some(1));
    let taken = take(after(10, None), &from, &page(&[9, 10, 11], true));
    assert_eq!(
        (taken.first, taken.end, taken.done),
        (place(0, 0), place(2, 0), true)
    );
    assert_eq!(taken.loss, Some(Loss::Start("9".to_owned())));
    let waiting = take(ShardPosition::ShardEnd, &from, &page(&[], true));
    assert_eq!((waiting.done, waiting.loss), (false, None));
    let ended = take(ShardPosition::ShardEnd, &from, &page(&[], false));
    assert_eq!((ended.done, ended.loss), (true, Some(Loss::ShardEnded)));
}

#[test]
fn an_end_that_is_no_row_is_refused() {
    let error = RangeEnd::new(START).take(&page(&[], true), &after(1, None), false);
    assert!(error.unwrap_err().to_string().contains("TRIM_HORIZON"));
}
