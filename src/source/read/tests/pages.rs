//! The pages of a shard as a buffer holds them, and every position in them.

use std::time::Duration;

use super::*;
use crate::aggregation::{Opened, open};
use crate::kinesis::{IteratorPosition, Kinesis, RecordsPage};
use crate::model::{SequenceNumber, ShardId};

/// A position between two user records: its index in the pages, and in the shard.
#[derive(Debug, Clone)]
pub(crate) struct PagePosition {
    page: usize,
    row: RowIndex,
    pub(crate) position: ShardPosition,
}

/// All pages up to the tip.
pub(crate) async fn pages(fixture: &Fixture) -> Vec<RecordsPage> {
    let (kinesis, stream) = (&fixture.kinesis, &fixture.stream);
    let shard = ShardId::new(fixture::SHARD);
    let start = IteratorPosition::TrimHorizon;
    let iterator = kinesis.get_shard_iterator(stream, &shard, &start).await;
    let mut next = Some(iterator.unwrap());
    let mut pages = Vec::new();
    while let Some(iterator) = next {
        let limit = fixture.context.options.records_per_fetch;
        let page = kinesis.get_records(stream, &iterator, limit, RecordColumns::ALL);
        let page = page.await.unwrap();
        let behind = page.behind_latest > Some(Duration::ZERO);
        next = page.next.clone().filter(|_| behind);
        pages.push(page);
    }
    pages
}

/// Every position, the start and the end included.
pub(crate) fn page_positions(pages: &[RecordsPage]) -> Vec<PagePosition> {
    let mut positions = vec![PagePosition {
        page: 0,
        row: RowIndex::before(0),
        position: ShardPosition::TrimHorizon,
    }];
    for (number, page) in pages.iter().enumerate() {
        for record in 0..page.len() {
            let users = match open(page.data().value(record)) {
                Opened::Aggregate(users) => users.len() as u64,
                _ => 1,
            };
            let sequence = page.sequence_number().unwrap().value(record);
            let sequence = SequenceNumber::new(sequence).unwrap();
            positions.extend((1..=users).map(|given| PagePosition {
                page: number,
                row: if given == users {
                    RowIndex::before(record + 1)
                } else {
                    RowIndex { record, sub: given }
                },
                position: ShardPosition::After {
                    sequence: sequence.clone(),
                    sub_sequence: (given < users).then_some(given - 1),
                },
            }));
        }
    }
    positions
}

/// The rows between two positions.
pub(crate) fn slices(
    pages: &[RecordsPage],
    first: &PagePosition,
    end: &PagePosition,
) -> Vec<PageSlice> {
    let slice = |number: usize| {
        let page = pages[number].clone();
        let mut start = RowIndex::before(0);
        let mut last = RowIndex::before(page.len());
        if number == first.page {
            start = first.row;
        }
        if number == end.page {
            last = end.row;
        }
        PageSlice::new(page, start, last)
    };
    (first.page..=end.page).map(slice).collect()
}
