//! Reads of a simulated shard.

mod arrived;
mod fixture;
mod large;
mod lost;
mod pages;
mod retention;
mod scripted;
mod shape;

use self::fixture::{Fixture, Row, at};
use self::pages::{page_positions, pages, slices};
use self::shape::Shape;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;

use super::*;
use crate::error::{ErrorKind, Result};
use crate::kinesis::{FaultPlan, FaultRates, Operation, RecordColumns};
use crate::model::HashRange;
use crate::model::{ShardPosition, UnixMillis};
use crate::options::HashFilter;
use crate::source::context::StreamContext;
use crate::source::rows::{PageSlice, RowColumn, RowIndex};

/// The range of the rows `first..end`, with positions in one of their equivalent forms.
fn range(rows: &[Row], first: usize, end: usize, random: &mut fastrand::Rng) -> ShardRead {
    let after = |row: &Row, random: &mut fastrand::Rng| ShardPosition::After {
        sequence: row.sequence.clone(),
        sub_sequence: (!row.is_last || random.bool()).then_some(row.sub),
    };
    let start = match first.checked_sub(1) {
        Some(before) => after(&rows[before], random),
        None => match random.u8(..3) {
            0 => ShardPosition::TrimHorizon,
            1 => ShardPosition::At(rows[0].sequence.clone()),
            _ => ShardPosition::AtTimestamp(fixture::EPOCH),
        },
    };
    let upto = if first == end {
        start.clone()
    } else {
        after(&rows[end - 1], random)
    };
    fixture::read(start, Until::Position(upto))
}

fn texts(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.text.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn any_range_has_exactly_its_rows() {
    for (seed, page) in [(0, 1), (1, 3), (2, 100)] {
        let fixture = Fixture::with_records(seed, 10, Shape::default().pages_of(page)).await;
        let rows = fixture.all_rows().await;
        assert!(rows.len() > 15, "some records are aggregated");
        let mut random = fastrand::Rng::with_seed(seed);
        for first in 0..=rows.len() {
            for end in first..=rows.len() {
                let read = range(&rows, first, end, &mut random);
                let text = format!("seed {seed}: {} {}", read.start, read.until);
                let got = fixture.rows(read).await.unwrap();
                assert_eq!(got, texts(&rows[first..end]), "{text}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn faults_do_not_lose_or_repeat_rows_of_a_range() {
    for seed in 0..20 {
        let common = FaultRates {
            throttled: 0.2,
            internal_failure: 0.1,
            answer_lost: 0.1,
            ..FaultRates::default()
        };
        let rates = FaultRates {
            expired_iterator: 0.2,
            empty_page: 0.3,
            ..common
        };
        let fixture = Fixture::with_records(seed, 120, Shape::default().pages_of(7)).await;
        let rows = fixture.all_rows().await;
        let plan = FaultPlan::default()
            .with(Operation::GetRecords, rates)
            .with(Operation::GetShardIterator, common);
        fixture.kinesis.set_faults(plan);
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..20 {
            let end = random.usize(1..=rows.len());
            let first = random.usize(..end);
            let read = range(&rows, first, end, &mut random);
            let got = fixture.rows(read).await.unwrap();
            assert_eq!(got, texts(&rows[first..end]), "seed {seed}: {first} {end}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn buffered_rows_equal_rows_from_the_service() {
    for seed in 0..30 {
        let mut random = fastrand::Rng::with_seed(seed);
        let filters = [HashFilter::PerRecord, HashFilter::Kcl, HashFilter::None];
        let shape = Shape::default()
            .pages_of(random.usize(1..20))
            .filtered(filters[random.usize(..3)]);
        let fixture = Fixture::with_records(seed, 60, shape).await;
        let half = HashRange {
            end: crate::model::HashKey(u128::MAX / 2),
            ..HashRange::ALL
        };
        let pages = pages(&fixture).await;
        let positions = page_positions(&pages);
        for _ in 0..10 {
            let end = random.usize(1..positions.len());
            let first = random.usize(..end);
            let read = ShardRead {
                hash_range: Some(half),
                ..fixture::read(
                    positions[first].position.clone(),
                    Until::Position(positions[end].position.clone()),
                )
            };
            let slices = slices(&pages, &positions[first], &positions[end]);
            let (buffered, counters) = fixture.buffered_rows(read.clone(), slices).await;
            assert_eq!(counters.calls.value(), 0);
            let again = fixture.rows(read).await.unwrap();
            assert_eq!(buffered, again, "seed {seed}: {first} {end}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_to_the_shard_end_has_all_remaining_rows() {
    let fixture = Fixture::with_records(3, 20, Shape::default().pages_of(6)).await;
    let rows = fixture.all_rows().await;
    fixture.close().await;
    let mut random = fastrand::Rng::with_seed(3);
    for first in 0..rows.len() {
        let start = range(&rows, first, first, &mut random).start;
        let read = fixture::read(start, at(ShardPosition::ShardEnd));
        assert_eq!(fixture.rows(read).await.unwrap(), texts(&rows[first..]));
    }
    let mut last = range(&rows, rows.len(), rows.len(), &mut random);
    last.until = at(ShardPosition::ShardEnd);
    assert_eq!(fixture.rows(last).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_empty_range_sends_no_request() {
    let fixture = Fixture::with_records(0, 5, Shape::default()).await;
    let positions = [
        ShardPosition::TrimHorizon,
        ShardPosition::ShardEnd,
        ShardPosition::AtTimestamp(fixture::EPOCH),
        fixture.all_rows().await[0].position(),
    ];
    let asked = fixture.calls();
    for position in positions {
        let read = fixture::read(position.clone(), at(position));
        assert_eq!(fixture.rows(read).await.unwrap(), Vec::<String>::new());
    }
    assert_eq!(fixture.calls(), asked);
}

#[tokio::test(start_paused = true)]
async fn no_page_is_requested_after_the_end() {
    let fixture = Fixture::with_records(0, 10, Shape::plain().pages_of(5)).await;
    let rows = fixture.all_rows().await;
    for (end, pages) in [(5, 1), (6, 2), (10, 2)] {
        let until = at(rows[end - 1].position());
        let read = fixture::read(ShardPosition::TrimHorizon, until);
        let before = fixture.kinesis.calls(Operation::GetRecords);
        assert_eq!(fixture.rows(read).await.unwrap(), texts(&rows[..end]));
        let asked = fixture.kinesis.calls(Operation::GetRecords) - before;
        assert_eq!(asked, pages, "{end}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_row_cap_of_a_scan_does_not_limit_ranges() {
    let fixture = Fixture::with_records(0, 10, Shape::plain().capped_at(3)).await;
    let tip = fixture::read(ShardPosition::TrimHorizon, Until::Tip(fixture::EPOCH));
    assert_eq!(fixture.rows(tip).await.unwrap().len(), 3);
    fixture.close().await;
    let range = fixture::read(ShardPosition::TrimHorizon, at(ShardPosition::ShardEnd));
    assert_eq!(fixture.rows(range).await.unwrap().len(), 10);
}
